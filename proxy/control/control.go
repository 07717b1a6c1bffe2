// Package control is how the operator's tool talks to the running adapter: typed replies over HTTP on a unix socket, whose
// file mode says who may ask. Both ends use the types of this package.
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
)

// Socket is where the service listens: its runtime folder, which the group gemini may enter.
const Socket = "/run/gemini-adapter/main.sock"

const (
	statusPath = "/status"
	maxReply   = 8 << 20
	timeout    = 5 * time.Second
)

// Status is what the running adapter knows of itself.
type Status struct {
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Requests    int64     `json:"requests"` // answered since Started
	Errors      int64     `json:"errors"`   // of those, with a status of 500 or more, or broken off
	OpenStreams int64     `json:"open_streams"`
	Keys        []Key     `json:"keys"`
}

// Key is one Gemini key, named by its id (a short hash and its last four characters) and its label; never more of it.
type Key struct {
	ID       string    `json:"id"`
	Label    string    `json:"label,omitempty"`
	State    string    `json:"state"` // active, resting, disabled
	Reason   string    `json:"reason,omitempty"`
	Until    time.Time `json:"until,omitzero"`
	Requests int64     `json:"requests"`
	Failures int64     `json:"failures"`
}

// ErrAbsent is what Fetch returns when no adapter listens on the socket.
var ErrAbsent = errors.New("the adapter is not running")

// ErrDenied is what Fetch returns when the socket is not for this user.
var ErrDenied = errors.New("this user may not ask the adapter")

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

// Serve answers on l until ctx ends. status is called once a request, from any goroutine.
func Serve(ctx context.Context, l net.Listener, status func() Status) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, func(w http.ResponseWriter, r *http.Request) {
		body, err := json.Marshal(status())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(body); err != nil {
			return // the asker has gone
		}
	})
	server := &http.Server{Handler: mux, ReadTimeout: timeout, WriteTimeout: timeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// Fetch asks the adapter behind path for its Status. Errors are ErrAbsent, ErrDenied, or say what came back instead.
func Fetch(ctx context.Context, path string) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://adapter"+statusPath, nil)
	if err != nil {
		return Status{}, err
	}
	resp, err := transport.RoundTrip(req)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Status{}, ErrDenied
	case err != nil && ctx.Err() == nil:
		return Status{}, ErrAbsent
	case err != nil:
		return Status{}, fmt.Errorf("the adapter did not answer on its control socket: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return Status{}, fmt.Errorf("control socket: %w", err)
	}
	var status Status
	if resp.StatusCode != http.StatusOK {
		return Status{}, fmt.Errorf("control socket: the adapter answered %s", resp.Status)
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return Status{}, fmt.Errorf("control socket: %w", err)
	}
	return status, nil
}
