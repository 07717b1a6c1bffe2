package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// footprint is what the adapter that serves holds on to, beside its idle connections to Gemini.
type footprint struct{ goroutines, descriptors int }

func (r *rig) holds(admin string) footprint {
	r.t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(r.base, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+r.server.Addr+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+admin)
	idle := r.number(r.on("ss -Htn state established '( dport = :" + port + " )' | wc -l"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("/metrics: %s, %v", resp.Status, err)
	}
	figure := func(name string) int {
		found := regexp.MustCompile(`(?m)^` + name + ` (\d+)$`).FindSubmatch(text)
		if found == nil {
			r.t.Fatalf("no %s in /metrics", name)
		}
		return r.number(string(found[1]))
	}
	return footprint{figure("go_goroutines") - 2*idle, figure("process_open_fds") - idle}
}

func (r *rig) number(text string) int {
	r.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// givesBack fails the test unless, after its handovers, one adapter is left, which holds no more than the first one did.
func (r *rig) givesBack(admin string, before footprint) {
	r.t.Helper()
	r.settled()
	if left := r.on("pgrep -fc '^/opt/.*gca serve'"); left != "1\n" {
		r.t.Errorf("%s adapters are left:\n%s", strings.TrimSpace(left), r.on("ps ax | grep 'gca serve'"))
	}
	const slack = 3 // what comes and goes with the seconds
	var now footprint
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if now = r.holds(admin); now.goroutines <= before.goroutines+slack && now.descriptors <= before.descriptors+slack {
			r.t.Logf("it holds %+v, and %+v before", now, before)
			return
		}
	}
	r.t.Errorf("the adapter holds %+v after the handovers, and %+v before", now, before)
}
