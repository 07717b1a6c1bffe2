package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"
)

type health struct {
	Status     string `json:"status"`
	ActiveKeys int    `json:"active_keys"`
	TotalKeys  int    `json:"total_keys"`
	Version    string `json:"version"`
}

// health says in one word how the keys stand (census.go), without a token: loads balancers and uptime checks ask.
func (s *Server) health(in *inbound) {
	c := s.census()
	h := health{Status: c.health(), ActiveKeys: c.active, TotalKeys: len(c.keys), Version: s.deps.Version}
	status := fasthttp.StatusOK
	if h.Status == unhealthy {
		status = fasthttp.StatusServiceUnavailable
	}
	reply(in, status, h)
}

const (
	healthWait = 4 * time.Second // for its own answer
	healthSize = 64 << 10        // bytes of it
)

// AskHealth asks this server, and surely no other one that listens on the same socket, for its /health: over a connection to
// a port of the moment on loopback, by the way that clients' requests take. It works before Serve and while the server drains.
// The error says that no answer came.
func (s *Server) AskHealth(ctx context.Context) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, fmt.Errorf("cannot listen for its own question: %w", err)
	}
	nobody := func() bool { return false } // is kept out: how many clients there are says nothing of its health
	go s.serveEach(listener{l, s.pace.stall, nobody})
	status, body, err = askHealth(ctx, "http://"+l.Addr().String()+"/health")
	return status, body, errors.Join(err, l.Close())
}

// serveEach serves what connects to l until that is closed; a handler that hangs is not waited for.
func (s *Server) serveEach(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			if err := s.http.ServeConn(c); err != nil {
				s.log.Debug("its own question", "error", err.Error())
			}
		}()
	}
}

func askHealth(ctx context.Context, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, healthSize))
	return resp.StatusCode, body, errors.Join(err, resp.Body.Close())
}
