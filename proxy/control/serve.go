package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Adapter is what Serve speaks for. Its methods are called from any goroutine, once a request; errors are a *Refusal, or count
// as Failed.
type Adapter interface {
	Status() Status
	// AskHealth returns what /health answers over HTTP, by the way that clients' requests take; the error says that nothing does.
	AskHealth(ctx context.Context) (status int, body []byte, err error)
	// ChangeKey does something to the one key whose id or label name is, or begins with it, and returns its id.
	ChangeKey(name string, change Change) (id string, err error)
	// TestKeys asks Google whether it takes the configured keys of these names, at most MaxTests.
	TestKeys(ctx context.Context, names []string) ([]Tested, error)
	// TryKeys does the same for keys that are not configured; text is as the file keys.
	TryKeys(ctx context.Context, text string) ([]Tested, error)
	// Usage returns the rows of the days from one to another, both included, as "2006-01-02".
	Usage(from, to string) ([]Usage, error)
	// Stats is everything there is to see, with the last days, at most MaxStatsDays.
	Stats(days int) (Stats, error)
	// WriteMetrics writes what Prometheus reads.
	WriteMetrics(w io.Writer)
	// Reload puts the settings of texts in force, all or none.
	Reload(texts config.Texts) (Reloaded, error)
}

// Requests, and replies that have no other use.
type (
	changeRequest struct {
		Name   string `json:"name"`
		Change Change `json:"change"`
	}
	changeReply struct {
		ID string `json:"id"`
	}
	testRequest struct {
		Names []string `json:"names"`
	}
	tryRequest struct {
		Keys string `json:"keys"`
	}
	testReply struct {
		Tested []Tested `json:"tested"`
	}
	reloadRequest struct {
		Env    string `json:"env"`
		Keys   string `json:"keys"`
		Tokens string `json:"tokens"`
	}
	usageReply struct {
		Rows []Usage `json:"rows"`
	}
	nothing struct{}
)

// Listen makes the socket, with mode 0660, in place of one that a dead process left.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot make the control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot make the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Serve answers on l until ctx ends.
func Serve(ctx context.Context, l net.Listener, a Adapter) error {
	server := &http.Server{Handler: routes(a), ReadTimeout: timeout, WriteTimeout: timeout, MaxHeaderBytes: 8 << 10, ConnContext: withPeer}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

func routes(a Adapter) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, func(w http.ResponseWriter, _ *http.Request) { reply(w, a.Status()) })
	mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, r *http.Request) {
		status, body, err := a.AskHealth(r.Context())
		if err != nil {
			refuse(w, err)
			return
		}
		send(w, status, body)
	})
	mux.HandleFunc("GET "+usagePath, func(w http.ResponseWriter, r *http.Request) {
		from, to := r.FormValue("from"), r.FormValue("to")
		for _, day := range []string{from, to} {
			if _, err := time.Parse(time.DateOnly, day); err != nil {
				refuse(w, &Refusal{Code: Invalid, Message: "expected days such as 2026-01-31"})
				return
			}
		}
		rows, err := a.Usage(from, to)
		if err != nil {
			refuse(w, err)
			return
		}
		reply(w, usageReply{rows})
	})
	mux.Handle("POST "+changePath, changing(func(_ context.Context, q changeRequest) (changeReply, error) {
		switch q.Change {
		case Reset, Disable, Enable:
			id, err := a.ChangeKey(q.Name, q.Change)
			return changeReply{id}, err
		}
		return changeReply{}, &Refusal{Code: Invalid, Message: "no such change of a key: " + quoted(string(q.Change))}
	}))
	mux.Handle("POST "+testPath, changing(func(ctx context.Context, q testRequest) (testReply, error) {
		if len(q.Names) > MaxTests {
			return testReply{}, &Refusal{Code: Invalid, Message: fmt.Sprintf("at most %d keys are tested at once", MaxTests)}
		}
		tested, err := a.TestKeys(ctx, q.Names)
		return testReply{tested}, err
	}))
	mux.Handle("POST "+tryPath, changing(func(ctx context.Context, q tryRequest) (testReply, error) {
		tested, err := a.TryKeys(ctx, q.Keys)
		return testReply{tested}, err
	}))
	mux.Handle("POST "+reloadPath, changing(func(_ context.Context, q reloadRequest) (Reloaded, error) {
		return a.Reload(config.Texts{Env: q.Env, Keys: q.Keys, Tokens: q.Tokens})
	}))
	seeing(mux, a)
	return mux
}

// changing is a handler for those who may change something.
func changing[Q, R any](do func(context.Context, Q) (R, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !mayChange(r.Context()) {
			refuse(w, &Refusal{Code: Denied, Message: "only root may change what the running adapter does"})
			return
		}
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longest)); err != nil {
			refuse(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), longest-timeout)
		defer cancel()
		var q Q
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		if err := d.Decode(&q); err != nil {
			refuse(w, &Refusal{Code: Invalid, Message: "the request cannot be read"}) // its words may be a key's
			return
		}
		answer, err := do(ctx, q)
		if err != nil {
			refuse(w, err)
			return
		}
		reply(w, answer)
	}
}

// statuses are those of HTTP that go with the codes.
var statuses = map[Code]int{
	Denied: http.StatusForbidden, Unknown: http.StatusNotFound, Ambiguous: http.StatusBadRequest, Invalid: http.StatusBadRequest,
	Failed: http.StatusInternalServerError,
}

func refuse(w http.ResponseWriter, err error) {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		refusal = &Refusal{Code: Failed, Message: err.Error()}
	}
	write(w, statuses[refusal.Code], refusal)
}

func reply[R any](w http.ResponseWriter, answer R) { write(w, http.StatusOK, answer) }

func write[R any](w http.ResponseWriter, status int, answer R) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, status, body)
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return // the asker has gone
	}
}

// peerKey is where a connection's context holds the user id of who is at its other end.
type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if uid, ok := peer(c); ok {
		return context.WithValue(ctx, peerKey{}, uid)
	}
	return ctx
}

// mayChange reports whether root asks, or the user that this process runs as.
func mayChange(ctx context.Context) bool {
	uid, known := ctx.Value(peerKey{}).(int)
	return known && (uid == 0 || uid == os.Geteuid())
}
