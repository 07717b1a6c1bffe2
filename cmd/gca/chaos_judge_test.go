package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
)

// whoServes are the releases of the adapters that run; one that is about to start is another program yet.
const whoServes = `for unit in gemini-adapter gemini-adapter-handover; do
readlink /proc/$(systemctl show -p MainPID --value $unit)/exe | sed -n 's,^/opt/gemini-adapter/releases/\(.*\)/gca.*,\1,p'; done`

// serving looks at who serves: the release and the setting of before (old), the new ones, or both, as during a handover. That
// SSH answers shows in passing.
func (d *disturbance) serving() string {
	d.t.Helper()
	running := strings.Fields(d.on(whoServes))
	if d.from == nil {
		return d.servingFirst()
	}
	asked := len(d.fakes[1].Requests())
	if got := d.run(nil, "test"); got.code != exitOK {
		d.t.Errorf("neither what was there nor what is new serves: gca test: exit code %d\n%s%s\n%s", got.code, got.out, got.err, d.said())
	}
	base := 0
	if len(d.fakes[1].Requests()) > asked {
		base = 1
	}
	is := map[string]bool{}
	for _, name := range running {
		switch s := (served{slices.Index(d.calm.releases[:], name), base}); {
		case s == *d.to:
			is["new"] = true
		case s == *d.from:
			is["old"] = true
		case d.other == nil || s != *d.other:
			d.t.Errorf("release %s with setting %d serves, which is neither %v nor %v\n%s", name, base, *d.from, *d.to, d.said())
		}
	}
	switch {
	case is["new"] && is["old"]:
		return "both"
	case is["new"]:
		return "new"
	}
	return "old"
}

// servingFirst looks at a server that had no adapter: it has one now, or Nginx's own page is what it was.
func (d *disturbance) servingFirst() string {
	d.t.Helper()
	status, _, err := get("http://" + d.server.Addr + "/health")
	if err == nil && status == http.StatusOK {
		return "new"
	}
	page, text, pageErr := get("http://" + d.server.Addr + "/")
	if pageErr != nil || page != http.StatusOK || !strings.Contains(text, "Welcome to nginx") {
		d.t.Errorf("neither Nginx's own page nor the adapter is there: %d %v, %d %v\n%s", status, err, page, pageErr, d.said())
	}
	return "old"
}

func get(url string) (status int, text string, err error) {
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		return 0, "", err
	}
	all, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, string(all), errors.Join(err, resp.Body.Close())
}

// judge holds what the deploy said against what is.
func (d *disturbance) judge(serves string) {
	d.t.Helper()
	if d.first.code != exitOK {
		wantText(d.t, d.first.err, "hint: ")
	}
	if strings.Contains(d.first.err, "goroutine ") {
		d.t.Errorf("it shows its innards:\n%s", d.said())
	}
	switch d.first.code {
	case exitOK, exitPartial:
		if serves == "old" && (d.other == nil || *d.other == *d.to) { // or another deploy brought that back
			d.t.Errorf("it went well, and yet what was before serves\n%s", d.said())
		}
	case exitRolledBack:
		d.wasPutBack(serves)
	case exitFailed, exitUnreachable, exitRefused, exitLocked:
	default:
		d.t.Errorf("none of the exit codes that a fault may have:\n%s", d.said())
	}
}

func (d *disturbance) wasPutBack(serves string) {
	d.t.Helper()
	if d.second != nil { // what it did stands
		return
	}
	if serves != "old" {
		d.t.Errorf("everything was put back, and yet what serves is %s\n%s", serves, d.said())
	}
	if after := d.text(false); after != d.before {
		d.t.Errorf("not everything was put back:\n%s\n%s", differ(d.before, after), d.said())
	}
}

// again runs the same command once more, undisturbed.
func (d *disturbance) again() result {
	d.t.Helper()
	far, args := d.wanting(*d.to)
	again := far.watched(func(string, *os.Process) {}, withKeys(), args...)
	after := fmt.Sprintf("%s%s\nafter %s", again.out, again.err, d.said())
	if again.code != exitOK {
		d.t.Fatalf("the same again: exit code %d\n%s", again.code, after)
	}
	want, journals := d.calm.texts[*d.to], d.from == nil && !d.installs && d.second == nil
	if journals {
		want = d.calm.fresh
	}
	if got := d.text(journals); got != want {
		d.t.Errorf("it ends elsewhere than an undisturbed deploy:\n%s\n%s", differ(want, got), after)
	}
	asked := len(d.fakes[d.to.base].Requests())
	if got := d.run(nil, "test"); got.code != exitOK || len(d.fakes[d.to.base].Requests()) == asked {
		d.t.Errorf("gca test: exit code %d\n%s%s\n%s", got.code, got.out, got.err, after)
	}
	if failed := d.on("systemctl --failed --no-legend"); strings.Contains(failed, "gemini") || strings.Contains(failed, "gca") {
		d.t.Errorf("failed units are left:\n%s\n%s", failed, after)
	}
	return again
}

// said is what the disturbed deploy, and one beside it, said.
func (d *disturbance) said() string {
	text := fmt.Sprintf("exit code %d\n%s%s", d.first.code, d.first.out, d.first.err)
	if d.second != nil {
		text += fmt.Sprintf("\nbeside it: exit code %d\n%s%s", d.second.code, d.second.out, d.second.err)
	}
	return text
}
