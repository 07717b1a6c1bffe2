package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const (
	openStreams = 200 // at any time
	loopers     = 6   // of short requests, whole and streamed in turns
	streamParts = 10
	streamPause = 500 * time.Millisecond
)

// handovers is how many there are to be; make test makes do with a few.
func handovers(t *testing.T) int {
	text := os.Getenv("GCA_HANDOVERS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A restart, a new release and new settings cost no request and cut no stream; what is sick is never switched to.
func TestHandover(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.tellsLongStories()
	token := regexp.MustCompile(`Client token, shown this once: (\S+)\nAdmin token, shown this once: (\S+)`).FindStringSubmatch(r.deploy().out)
	if token == nil {
		t.Fatal("no tokens")
	}
	t.Run("restarts", func(t *testing.T) { testRestarts(t, r.in(t), token[1], token[2]) })
	t.Run("settings", func(t *testing.T) { testNewSettings(t, r.in(t), token[1]) })
	t.Run("release", func(t *testing.T) { testRelease(t, r.in(t), token[1]) })
	t.Run("sick", func(t *testing.T) { testSickIsNotSwitchedTo(t, r.in(t), token[1]) })
	t.Run("stop", func(t *testing.T) { testStopLetsNobodyIn(t, r.in(t), token[1]) })
	t.Run("kill", func(t *testing.T) { testKill(t, r.in(t), token[1]) })
	t.Run("hardened", func(t *testing.T) {
		r := r.in(t)
		r.scores("gemini-adapter.service")
		r.scores("gemini-adapter-handover.service")
	})
}

// tellsLongStories has Gemini take its time over the streams of under.
func (r *rig) tellsLongStories() {
	r.fake.Respond(func(rec fakegemini.Recorded) (fakegemini.Answer, bool) {
		if !bytes.Contains(rec.Body, []byte("long story")) {
			return fakegemini.Answer{}, false
		}
		var parts []fakegemini.Chunk
		for i := range streamParts {
			parts = append(parts, fakegemini.Text(fmt.Sprintf("part %d. ", i)).Wait(streamPause))
		}
		return fakegemini.Reply(parts...), true
	})
}

// deployForLongStories deploys, and returns the token of clients that the deploy made for under.
func (r *rig) deployForLongStories() string {
	r.t.Helper()
	r.tellsLongStories()
	shown := clientTokenShown.FindStringSubmatch(r.deploy().out)
	if shown == nil {
		r.t.Fatal("the deploy made no token")
	}
	return shown[1]
}

// What must not go wrong while one adapter gives way to another.
func TestHandover_odd(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	t.Run("sick over HTTP", func(t *testing.T) { testSickOverHTTP(t, r.in(t)) })
	t.Run("stuck", func(t *testing.T) { testStuck(t, r.in(t)) })
	t.Run("stop during a handover", func(t *testing.T) { testStopInHandover(t, r.in(t)) })
}

// load is traffic through Nginx, of which each answer must be whole.
type load struct {
	t      *testing.T
	url    string
	token  string
	client *http.Client

	answers, streams atomic.Int64
	whole            chan struct{} // has one when a stream has ended
	mu               sync.Mutex
	lost             []string
}

// under runs f under load, and then awaits every answer that was begun.
func under(t *testing.T, r *rig, token string, f func()) *load {
	t.Helper()
	l := &load{t: t, url: "http://" + r.server.Addr, token: token, whole: make(chan struct{}, 1),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: openStreams + loopers}, Timeout: 2 * time.Minute}}
	defer l.client.CloseIdleConnections()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	for i := range loopers {
		clients.Go(func() { l.loop(ctx, i) })
	}
	for i := range openStreams {
		clients.Go(func() { l.stream(ctx, i) })
	}
	select { // the first stream is whole, so all of them are under way
	case <-l.whole:
	case <-ctx.Done():
	}
	f()
	stop()
	clients.Wait()
	t.Logf("%d short answers, %d streams of %s; %d lost", l.answers.Load(), l.streams.Load(), streamParts*streamPause, len(l.lost))
	for _, what := range l.lost[:min(len(l.lost), 10)] {
		t.Error(what)
	}
	return l
}

// loop asks as soon as the last answer is there, with a breath between two.
func (l *load) loop(ctx context.Context, client int) {
	for i := client; ctx.Err() == nil; i++ {
		body, end := shortQuestion, `"stop_reason":"end_turn"`
		if i%2 == 0 {
			body, end = strings.Replace(body, "{", `{"stream":true,`, 1), "event: message_stop"
		}
		if text, err := l.ask(body); err != nil || !strings.Contains(text, end) {
			l.lose("short answer", text, err)
		}
		l.answers.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
}

// stream keeps one long answer open.
func (l *load) stream(ctx context.Context, client int) {
	select { // not all of them at once
	case <-time.After(time.Duration(client) * streamParts * streamPause / openStreams):
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		if text, err := l.ask(longStory); err != nil || !wholeStory(text) {
			l.lose("stream", text, err)
		}
		l.streams.Add(1)
		select {
		case l.whole <- struct{}{}:
		default:
		}
	}
}

const (
	shortQuestion = `{"model":"gemini-2.5-flash","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`
	longStory     = `{"model":"gemini-2.5-flash","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"a long story"}]}`
)

// wholeStory tells whether a stream has all of its parts, and its end.
func wholeStory(text string) bool {
	at := 0
	for i := range streamParts {
		at = max(at, strings.Index(text, fmt.Sprintf("part %d. ", i)))
	}
	return at > 0 && strings.Contains(text[at:], "event: message_stop") && strings.Count(text, "content_block_delta") >= streamParts
}

func (l *load) ask(body string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, l.url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	resp, err := l.client.Do(req)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return string(text), err
}

func (l *load) lose(what, text string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, fmt.Sprintf("%s a %s was lost: %v, after %q", time.Now().Format(time.TimeOnly), what, err, text[max(0, len(text)-300):]))
}

const adapterPID = "systemctl show -p MainPID --value gemini-adapter"

func testRestarts(t *testing.T, r *rig, token, admin string) {
	l := &load{t: t, url: "http://" + r.server.Addr, token: token, client: http.DefaultClient}
	if text, err := l.ask(shortQuestion); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	before := r.holds(admin)
	defer r.givesBack(admin, before)
	under(t, r, token, func() {
		for i := range handovers(t) {
			before := r.on(adapterPID)
			begun := time.Now()
			r.on("gemini-manage restart 2>&1")
			t.Logf("restart %d returned after %.1f s", i+1, time.Since(begun).Seconds())
			r.on("for i in $(seq 600); do pid=$(" + adapterPID + "); [ $pid != 0 ] && [ $pid != " + strings.TrimSpace(before) + " ] && exit 0; sleep 0.1; done; exit 1")
		}
	})
	if out := r.on("journalctl -o cat -u gemini-adapter -u gemini-adapter-handover | grep -iE 'killing|timed out|failed' || true"); out != "" {
		t.Errorf("not every adapter ended by itself:\n%s", out)
	}
}

func testNewSettings(t *testing.T, r *rig, token string) {
	under(t, r, token, func() {
		r.on("gemini-manage config set MAX_RETRIES=5 " + otherBase(r) + " 2>&1")
		if got := r.on("gemini-manage status"); !strings.Contains(got, "service     active") {
			t.Errorf("status during a handover:\n%s", got)
		}
	})
	rests := r.on("readlink /etc/gemini-adapter/next /opt/gemini-adapter/next; gemini-manage config get MAX_RETRIES")
	if rests != ".\ncurrent\n5\n" {
		t.Errorf("after a handover there is %q", rests)
	}
	r.settled()
	before := r.on(adapterPID)
	said := r.on("gemini-manage config set MAX_RETRIES=4 2>&1; gemini-manage reload; systemctl is-active gemini-adapter-handover || true")
	wantText(t, said, "have the running adapter take it, without a restart", "nothing is new: the adapter has these settings already", "inactive")
	if after := r.on(adapterPID); after != before {
		t.Errorf("a setting that needs no restart restarted the adapter: pid %s, then %s", before, after)
	}
}

// otherBase is a setting that takes a restart, and changes nothing else.
func otherBase(r *rig) string { return "GEMINI_BASE_URL=" + r.base + "//" }

// settled waits for the end of a handover.
func (r *rig) settled() {
	r.t.Helper()
	r.on("for i in $(seq 600); do systemctl is-active -q gemini-adapter && [ $(systemctl show -p ActiveState --value gemini-adapter-handover) = inactive ] && exit 0; sleep 0.1; done; exit 1")
}

// testRelease deploys another release.
func testRelease(t *testing.T, r *rig, token string) {
	r.gca = filepath.Join(t.TempDir(), "gca")
	if out, err := build(r.gca, "-s"); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	before := r.on("readlink /opt/gemini-adapter/current")
	under(t, r, token, func() { r.deploy() })
	if after := r.on("readlink /opt/gemini-adapter/current"); after == before {
		t.Errorf("the release is still %s", after)
	}
}

// testKill kills the adapter; who asks at that moment waits in the socket's queue, and what is known of keys stays known.
func testKill(t *testing.T, r *rig, token string) {
	l := &load{t: t, url: "http://" + r.server.Addr, token: token, client: http.DefaultClient}
	r.fake.Key(goodKeys[0], fakegemini.KeyRule{Error: fakegemini.ErrInvalidKey()})
	const disabled = "gemini-manage status | grep -c ' disabled ' || true"
	for range 50 {
		if text, err := l.ask(shortQuestion); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	if got := r.on(disabled); got != "1\n" {
		t.Fatalf("%s keys are disabled before the kill", got)
	}
	r.fake.HealKey(goodKeys[0])
	// what was on its way at the blow is lost; who comes once the process is gone waits
	r.on("pid=$(" + adapterPID + "); kill -KILL $pid; while [ -e /proc/$pid ]; do sleep 0.01; done")
	begun := time.Now()
	resp, err := http.Get("http://" + r.server.Addr + "/health")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("after kill -9: %s, %v", resp.Status, err)
	}
	t.Logf("serving again %.2f s after kill -9", time.Since(begun).Seconds())
	if got := r.on(disabled); got != "1\n" {
		t.Errorf("%s keys are disabled after the kill", got)
	}
}
