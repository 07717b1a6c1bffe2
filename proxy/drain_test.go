package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// wire is one connection to the server, without a client's cleverness.
type wire struct {
	net.Conn
	r *bufio.Reader
	t *testing.T
}

func dial(t *testing.T, r *rig) *wire {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &wire{c, bufio.NewReader(c), t}
}

// ask sends a GET and reads the answer.
func (w *wire) ask(path string) *http.Response {
	w.t.Helper()
	if _, err := io.WriteString(w, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		w.t.Error(err)
	}
	return resp
}

// beginDrain calls stop in the background and returns when the listener is closed.
func (r *rig) beginDrain() (stopped chan struct{}) {
	stopped = make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	for !r.server.draining.Load() {
		runtime.Gosched()
	}
	return stopped
}

func TestDrainWaitsForStreams(t *testing.T) {
	givesBack(t)
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Say("one", "two").LockStep("g"))
	resp := r.open("POST", messages, ask(messages, true))
	body := bufio.NewReader(resp.Body)
	until(t, body, "one")
	stopped := r.beginDrain()
	select {
	case <-stopped:
		t.Fatal("the server ended with a stream open")
	case <-time.After(200 * time.Millisecond):
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://")); err == nil {
		_ = c.Close()
		t.Error("the listener is still open")
	}
	arrived(t, r)
	until(t, body, "two")
	arrived(t, r)
	rest, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	has(t, string(rest), "message_stop")
	_ = resp.Body.Close()
	<-stopped
}

func arrived(t *testing.T, r *rig) {
	t.Helper()
	if err := r.fake.Arrived("g"); err != nil {
		t.Fatal(err)
	}
}

func TestDrainAnswersWhatIsConnected(t *testing.T) {
	givesBack(t)
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.idleGrace = 300 * time.Millisecond
		}
	})
	used, fresh, unused := dial(t, r), dial(t, r), dial(t, r)
	if resp := used.ask("/health"); resp.Close {
		t.Error("closes before draining")
	}
	for r.server.conns.count() < 3 { // what was not accepted yet ends with the listener
		time.Sleep(time.Millisecond)
	}
	stopped := r.beginDrain()
	for _, w := range []*wire{used, fresh} {
		if resp := w.ask("/health"); resp.StatusCode != 200 || !resp.Close {
			t.Errorf("while draining: %d, close %v", resp.StatusCode, resp.Close)
		}
		if _, err := w.r.ReadByte(); err != io.EOF {
			t.Errorf("after Connection: close: %v", err)
		}
	}
	if b, err := io.ReadAll(unused.r); err != nil || len(b) > 0 {
		t.Errorf("the connection that stayed idle got %q, %v", b, err)
	}
	<-stopped
}

func TestDrainTimeout(t *testing.T) {
	givesBack(t)
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.DrainTimeout = 100 * time.Millisecond })
	r.fake.Enqueue(fg.Reply(fg.Text("so far"), fg.Text("late").Wait(time.Minute)))
	resp := r.open("POST", messages, ask(messages, true))
	body := bufio.NewReader(resp.Body)
	until(t, body, "so far")
	stopped := r.beginDrain()
	rest, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	has(t, string(rest), "event: error\n", "overloaded_error", "the adapter is being restarted")
	hasNot(t, string(rest), "message_stop")
	_ = resp.Body.Close()
	<-stopped
}

// Two adapters listen on one socket, as in a handover: whichever begins or ends, each new connection is served.
func TestDrainLeavesNewConnectionsToTheOther(t *testing.T) {
	t.Parallel()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	fake, base := fg.Start(t, fg.Options{})
	next := func() *rig {
		f, err := socket.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.FileListener(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		r := makeAt(t, fake, base, "a", func(_ *config.Config, s *Server) {
			if s != nil {
				s.pace.idleGrace = 10 * time.Second // a client may be slow to ask on a busy machine
			}
		})
		r.serveOn(ln)
		return r
	}
	serving := next()
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + socket.Addr().String() + "/health")
				if err != nil || resp.StatusCode != http.StatusOK || resp.Body.Close() != nil {
					t.Errorf("lost: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		other := next()
		serving.stop()
		serving = other
	}
	stop()
	clients.Wait()
}

// A client that neither reads nor hangs up cannot hold the server.
func TestDrainEndsWithAStuckClient(t *testing.T) {
	givesBack(t)
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.DrainTimeout = 50 * time.Millisecond })
	stuck := dial(t, r)
	if _, err := io.WriteString(stuck, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nx-api-key: "+testToken+"\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	<-r.beginDrain()
	if spent := time.Since(began); spent > 4*time.Second {
		t.Errorf("took %v", spent)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	givesBack(t)
	r := start(t, "a b", nil)
	for range 20 {
		for _, path := range []string{messages, completions} {
			for _, stream := range []bool{false, true} {
				if got := r.do("POST", path, ask(path, stream)); got.status != 200 {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		}
	}
}
