package converge

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A silence of ten seconds is explained, and again after ten more; what is said in between starts it anew.
func TestWatch_Stall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []ProgressEvent
		w := newWatch("package:nginx", func(m Message) { told = append(told, m.(ProgressEvent)) })
		begun := time.Now().UTC()
		end := w.begin("apt-get", []string{"-q", "-y", "-o", "DPkg::Lock::Timeout=600", "install", "nginx"})
		time.Sleep(5 * time.Second)
		w.say("Reading package lists")
		w.hear("Setting up nginx (1.22)")
		time.Sleep(21 * time.Second)
		end()
		w.close()
		if len(told) != 3 || told[0].Text != "Reading package lists" || told[0].ID != "package:nginx" || told[0].Stall != nil {
			t.Fatalf("%+v", told)
		}
		for i, seconds := range []int{10, 20} {
			want := Stall{Command: "apt-get install nginx", Since: begun, Last: "Setting up nginx (1.22)", Seconds: seconds}
			if got := told[i+1]; got.Stall == nil || *got.Stall != want || !strings.Contains(got.Text, "apt-get install nginx runs since") || !strings.Contains(got.Text, want.Last) {
				t.Errorf("%+v, %+v", got, got.Stall)
			}
		}
	})
}

func TestWatch_Wait(t *testing.T) {
	f := func(wait Wait, want string) {
		t.Helper()
		var told []Message
		w := newWatch("a", func(m Message) { told = append(told, m) })
		(&run{watch: w}).wait(wait)
		w.close()
		if e, ok := told[0].(ProgressEvent); !ok || e.Text != want || *e.Wait != wait {
			t.Errorf("%+v, want %q", told[0], want)
		}
	}
	f(Wait{What: "cloud-init"}, "waiting for cloud-init")
	f(Wait{What: "the dpkg lock", Holder: "unattended-upgr (pid 1519)", Seconds: 40}, "waiting for the dpkg lock, held by unattended-upgr (pid 1519), 40 s so far")
}

// A command of a step is watched without being told so.
func TestWatch_Commands(t *testing.T) {
	m := newMachine(t)
	w := newWatch("a", func(Message) {})
	_, err := m.sys.run(withWatch(t.Context(), w), "journalctl", "--lines=20")
	w.close()
	if err != nil || w.last != "the adapter said this" || w.command != "" || w.since.IsZero() {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := m.sys.run(context.Background(), "journalctl"); err != nil {
		t.Errorf("without a watch: %v", err)
	}
}
