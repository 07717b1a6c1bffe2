package remote

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

// ProxyCommand: the program's streams are the connection.
func TestWay_Command(t *testing.T) {
	j := newJourney(t, "")
	f := func(command string) (*Conn, error) {
		t.Helper()
		j.write(t, "config", "Host tokyo\n User tester\n HostName tk.example\n IdentityFile ~/.ssh/tokyo\n ProxyCommand "+command+"\n")
		return j.travel("tokyo", Options{AcceptNew: true, Timeout: 2 * time.Second, pauses: []time.Duration{time.Hour}})
	}
	t.Setenv("FAR", j.tokyo.host().Addr())
	t.Setenv("GO_TEST_RELAY", "1")
	conn, err := f(os.Args[0] + ` -test.run=^TestRelayHelper$ %h:%p:%r:%n`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := conn.Describe(), "tester@tk.example by ProxyCommand, key ~/.ssh/tokyo"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := conn.Redial(context.Background(), ""); err != nil {
		t.Error(err)
	}
	closed(t, conn)
	if connections, _, _ := j.tokyo.seen(); connections != 2 {
		t.Errorf("%d connections", connections)
	}

	_, err = f("echo no such tunnel >&2; exit 3")
	wantError(t, err, KindUnreachable, "the ProxyCommand", "brought no SSH server", "no such tunnel", "hint: ")
	_, err = f("sleep 60")
	wantError(t, err, KindUnreachable, "brought no SSH server", "did not answer within 2s")
}

// TestRelayHelper is the ProxyCommand of TestWay_Command, when that starts it.
func TestRelayHelper(t *testing.T) {
	if os.Getenv("GO_TEST_RELAY") == "" {
		return
	}
	if got := os.Args[len(os.Args)-1]; got != "tk.example:22:tester:tokyo" {
		fmt.Fprintln(os.Stderr, "called with", got)
		os.Exit(1)
	}
	far, err := net.Dial("tcp", os.Getenv("FAR"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = os.Stdin.WriteTo(far)
		far.Close()
	}()
	_, _ = os.Stdout.ReadFrom(far)
	os.Exit(0)
}
