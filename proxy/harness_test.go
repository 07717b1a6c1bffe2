package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

const testToken = "tok-PLANTED-client-token"

// rig is a server in front of a fake Gemini, both on loopback, both ending with the test.
type rig struct {
	t      testing.TB
	fake   *fakegemini.Server
	server *Server
	url    string
	log    *logBuffer
	client *http.Client
	stop   func() // begins draining and waits for its end
	cfg    *config.Config
}

// logBuffer is a log that many write and one reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// keyNamed is a key as long as real ones.
func keyNamed(name string) string { return "AIzaSy-PLANTED-key-number-" + name }

// start makes a rig with the keys named; change may alter the settings and the server before it serves.
func start(t testing.TB, names string, change func(*config.Config, *Server)) *rig {
	t.Helper()
	fake, base := fakegemini.Start(t, fakegemini.Options{})
	return startAt(t, fake, base, names, change)
}

func startAt(t testing.TB, fake *fakegemini.Server, base, names string, change func(*config.Config, *Server)) *rig {
	t.Helper()
	r := makeAt(t, fake, base, names, change)
	r.serve()
	return r
}

// makeAt is startAt without a server that serves.
func makeAt(t testing.TB, fake *fakegemini.Server, base, names string, change func(*config.Config, *Server)) *rig {
	t.Helper()
	cfg := config.Default()
	var err error
	if cfg.BaseURL, err = url.Parse(base); err != nil {
		t.Fatal(err)
	}
	cfg.Host, cfg.DrainTimeout, cfg.QueueTimeout = "127.0.0.1", 20*time.Second, time.Second
	cfg.Tokens = []config.Token{{Name: "other", Hash: config.HashToken("x")}, {Name: "ann", Hash: config.HashToken(testToken)}}
	for _, n := range strings.Fields(names) {
		cfg.Keys = append(cfg.Keys, config.Key{Secret: config.NewSecret(keyNamed(n)), Label: n})
	}
	r := &rig{t: t, fake: fake, log: &logBuffer{}, cfg: cfg}
	if change != nil {
		change(cfg, nil)
	}
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	kept := store.Open(cfg.StateURL, store.DefaultLimits(), log)
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	r.server, err = New(cfg, Deps{Logger: log, Store: kept, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	r.server.pace = pace{hold: 10 * time.Second, ping: 10 * time.Second, backoff: time.Millisecond, count: 3 * time.Second, idleGrace: 50 * time.Millisecond,
		bodyGrace: 30 * time.Second, bodyIdle: 20 * time.Second, stall: 2 * time.Minute, spare: spareConnections}
	if change != nil {
		change(cfg, r.server)
	}
	return r
}

func (r *rig) serve() {
	r.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.serveOn(ln)
}

func (r *rig) serveOn(ln net.Listener) {
	r.url = "http://" + ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.server.Serve(ctx, ln) }()
	transport := &http.Transport{}
	r.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r.stop = sync.OnceFunc(func() {
		cancel()
		transport.CloseIdleConnections()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(func() {
		r.stop()
		r.check()
	})
}

// check holds what is true after every test.
func (r *rig) check() {
	r.t.Helper()
	for _, s := range r.server.pool.Snapshot() {
		if s.Inflight != 0 {
			r.t.Errorf("key %s is still in use %d times", s.ID, s.Inflight)
		}
	}
	if n := r.server.streams.Load(); n != 0 {
		r.t.Errorf("%d streams are still open", n)
	}
	running, waiting := r.server.bounds.places.counts()
	if open := r.server.conns.count(); open+running+waiting+len(r.server.watcher.conns) != 0 {
		r.t.Errorf("%d connections, %d places, %d waiting, %d watched are left", open, running, waiting, len(r.server.watcher.conns))
	}
	for name, one := range r.server.bounds.tokens.byName {
		if one.reserved != (spent{}) {
			r.t.Errorf("%+v of token %s is still under way", one.reserved, name)
		}
	}
	log := r.log.String()
	for _, sent := range r.fake.Requests() {
		if native := strings.Contains(log, `"path":"/v1beta/`); native || sent.Refused != "" || !strings.HasSuffix(sent.Verb, "enerateContent") {
			continue
		}
		if err := fronttest.Strictly(sent.Body); err != nil {
			r.t.Errorf("Google's own SDK could not have written this: %v\n%.2000s", err, sent.Body)
		}
	}
	for _, word := range []string{"PLANTED", `"level":"ERROR"`, "panic"} {
		if strings.Contains(log, word) {
			r.t.Errorf("the log has %q:\n%s", word, log)
		}
	}
}

// result is an answer that was read whole.
type result struct {
	status int
	header http.Header
	body   string
}

func (r *rig) do(method, path, body string, header ...string) result {
	r.t.Helper()
	resp := r.open(method, path, body, header...)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v after %q", method, path, err, all)
	}
	return result{resp.StatusCode, resp.Header, string(all)}
}

// open sends a request; header is names and values in turn.
func (r *rig) open(method, path, body string, header ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	if len(header) > 0 {
		req.Header.Del("Authorization")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

const (
	messages    = "/v1/messages?beta=true"
	completions = "/v1/chat/completions"
	replies     = "/v1/responses"
)

// ask is a request body of a path's protocol.
func ask(path string, stream bool) string {
	body := `{"model":"claude-opus-5-5","max_tokens":4000,"messages":[{"role":"user","content":"prompt-PLANTED says hello"}]`
	switch path {
	case completions:
		body = `{"model":"gpt-5","messages":[{"role":"user","content":"prompt-PLANTED says hello"}]`
	case replies:
		body = `{"model":"gpt-5","input":"prompt-PLANTED says hello"`
	}
	if stream {
		body += `,"stream":true`
	}
	return body + "}"
}

// keysAsked lists which keys Gemini was asked with, by name.
func (r *rig) keysAsked() string {
	var names []string
	for _, q := range r.fake.Requests() {
		names = append(names, strings.TrimPrefix(q.Key, keyNamed("")))
	}
	return strings.Join(names, " ")
}

// state is how a key stands.
func (r *rig) state(name string) keys.Status {
	r.t.Helper()
	for _, s := range r.server.pool.Snapshot() {
		if s.Label == name {
			return s
		}
	}
	r.t.Fatalf("no key %s", name)
	return keys.Status{}
}

func has(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
}

func hasNot(t testing.TB, text string, unwanted ...string) {
	t.Helper()
	for _, u := range unwanted {
		if strings.Contains(text, u) {
			t.Errorf("found %q in:\n%s", u, text)
		}
	}
}

// said is the text of an answer in a path's protocol.
func said(t testing.TB, path string, stream bool, body string) string {
	t.Helper()
	var text strings.Builder
	pieces := []string{body}
	if stream {
		pieces = nil
		for line := range strings.Lines(body) {
			if data, ok := strings.CutPrefix(line, "data: "); ok && data != "[DONE]\n" {
				pieces = append(pieces, data)
			}
		}
	}
	for _, piece := range pieces {
		words, err := wordsOf(path, piece)
		if err != nil {
			t.Fatalf("%s: %v in %s", path, err, piece)
		}
		text.WriteString(words)
	}
	return text.String()
}

type textBlocks []struct{ Text string }

func (blocks textBlocks) String() (text string) {
	for _, b := range blocks {
		text += b.Text
	}
	return text
}

// wordsOf is the text of a whole answer, or what one event of a stream adds to it.
func wordsOf(path, piece string) (text string, err error) {
	switch path {
	case replies:
		var a struct {
			Delta  string
			Output []struct{ Content textBlocks }
		}
		if strings.HasPrefix(piece, `{"type":`) && !strings.HasPrefix(piece, `{"type":"response.output_text.delta"`) {
			return "", nil
		}
		err = json.Unmarshal([]byte(piece), &a)
		text = a.Delta
		for _, item := range a.Output {
			text += item.Content.String()
		}
	case completions:
		var a struct {
			Choices []struct{ Message, Delta struct{ Content string } }
		}
		err = json.Unmarshal([]byte(piece), &a)
		for _, c := range a.Choices {
			text += c.Message.Content + c.Delta.Content
		}
	default:
		var a struct {
			Delta   struct{ Text string }
			Content textBlocks
		}
		err = json.Unmarshal([]byte(piece), &a)
		text = a.Delta.Text + a.Content.String()
	}
	return text, err
}
