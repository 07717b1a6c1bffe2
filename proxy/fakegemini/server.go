package fakegemini

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options of a fake. The zero value is a fake that accepts every key, knows the usual models and answers at once.
type Options struct {
	Keys        []string          // accepted API keys; empty: any
	Projects    map[string]string // the project of a key; a key that isn't named has one of its own
	Models      []Model           // nil: Models()
	Delay       time.Duration     // of the built-in model, before each chunk; 0: none
	MaxBody     int64             // bytes; 0: 100 MB
	MaxPDF      int64             // bytes of an inline PDF; 0: 50 MB
	StepTimeout time.Duration     // longest wait of a lock-step stream for word from the test; 0: 30 s
	Secret      string            // of the signatures; fakes with the same secret accept each other's
}

// Server is one fake. It is safe for use by many goroutines.
type Server struct {
	opts    Options
	models  modelTable
	signer  *signer
	script  script
	gates   gates
	records records
	given   continuations
	caches  shelf[CachedContent]
	files   shelf[File]
	uploads sessions
	ctx     context.Context
	stop    context.CancelCauseFunc
	busy    sync.WaitGroup
	mu      sync.Mutex // guards what follows, and that nothing starts after Close
	closed  bool
	made    int // caches, files and uploads so far
	servers []*http.Server
}

const (
	defaultMaxBody     = 100 << 20
	defaultMaxPDF      = 50 << 20
	defaultStepTimeout = 30 * time.Second
)

// New makes a fake that listens nowhere yet.
func New(opts Options) *Server {
	opts.MaxBody = cmp.Or(opts.MaxBody, defaultMaxBody)
	opts.MaxPDF = cmp.Or(opts.MaxPDF, defaultMaxPDF)
	opts.StepTimeout = cmp.Or(opts.StepTimeout, defaultStepTimeout)
	s := &Server{opts: opts, models: newModelTable(opts.Models), signer: newSigner(opts.Secret)}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	return s
}

// TB is what Start needs of a *testing.T or *testing.B.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start makes a fake on a free loopback port that ends with the test, and returns it with its base URL.
func Start(tb TB, opts Options) (*Server, string) {
	tb.Helper()
	s := New(opts)
	url, err := s.Listen("127.0.0.1:0")
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Fatalf("%v", err)
		}
	})
	return s, url
}

// Listen serves on addr in the background and returns the base URL, without a slash at its end.
func (s *Server) Listen(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("fake gemini cannot listen on %s: %w", addr, err)
	}
	if err := s.Serve(l); err != nil {
		return "", err
	}
	return "http://" + l.Addr().String(), nil
}

// Serve serves on a listener in the background; Close ends it. It fails when the fake is closed already.
func (s *Server) Serve(l net.Listener) error {
	if !s.enter() {
		return errors.Join(errClosed, l.Close())
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	s.mu.Lock()
	s.servers = append(s.servers, server)
	s.mu.Unlock()
	go func() {
		defer s.busy.Done()
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.stop(err)
		}
	}()
	return nil
}

// enter counts one more thing that Close waits for; false when the fake is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.busy.Add(1)
	}
	return !s.closed
}

var errClosed = errors.New("fake gemini is closed")

// Close ends every stream and listener and waits until all that the fake started has ended.
func (s *Server) Close() error {
	s.stop(errClosed)
	s.mu.Lock()
	s.closed = true
	servers := s.servers
	s.mu.Unlock()
	var errs []error
	for _, server := range servers {
		errs = append(errs, server.Close())
	}
	s.busy.Wait()
	if cause := context.Cause(s.ctx); !errors.Is(cause, errClosed) {
		errs = append(errs, cause)
	}
	return errors.Join(errs...)
}

// Reset forgets scripts, key rules, gates, records, continuation tokens, caches and files. Signatures stay valid.
func (s *Server) Reset() {
	s.script.reset()
	s.gates.reset()
	s.records.reset()
	s.given.reset()
	s.caches.reset()
	s.files.reset()
	s.uploads.reset()
}

// RotateSignatures makes every signature so far a corrupted one, as after a change of Google's backend.
func (s *Server) RotateSignatures() { s.signer.rotate() }
