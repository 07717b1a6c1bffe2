package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// router passes connections on to a server, until it forgets those that there are: nothing comes through them any more, and
// nobody is told.
type router struct {
	mu    sync.Mutex
	known []*atomic.Bool
}

func (r *router) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.known {
		k.Store(false)
	}
}

func (r *router) run(ln net.Listener, to string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return // the test is over
		}
		s, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		known := &atomic.Bool{}
		known.Store(true)
		r.mu.Lock()
		r.known = append(r.known, known)
		r.mu.Unlock()
		pass := func(from, to net.Conn) {
			b := make([]byte, 32<<10)
			for {
				n, err := from.Read(b)
				if err != nil {
					_ = to.Close()
					return
				}
				if known.Load() {
					_, _ = to.Write(b[:n]) // the other end may be gone
				}
			}
		}
		go pass(c, s)
		go pass(s, c)
	}
}

// A connection that got lost on the way is given up, and the next request has another.
func TestALostConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d, %v", r.ProtoMajor, err)
		}
		fmt.Fprint(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n")
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	way := &router{}
	go way.run(ln, server.Listener.Addr().String())

	c := New(Options{BaseURL: &url.URL{Scheme: "https", Host: ln.Addr().String()}, FirstByte: time.Minute, Idle: time.Minute})
	t.Cleanup(c.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c.egresses.main.transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	if h2 := c.egresses.main.transport.HTTP2; h2.SendPingTimeout != pingAfter || h2.PingTimeout != pingTimeout {
		t.Fatalf("%+v", h2)
	}
	c.egresses.main.transport.HTTP2.SendPingTimeout, c.egresses.main.transport.HTTP2.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	if _, err := read(t, c); err != io.EOF {
		t.Fatal(err)
	}
	way.forget()
	began := time.Now()
	if _, err := c.Open(t.Context(), lease(t), hello()); kind(t, err) != Unreachable || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if _, err := read(t, c); err != io.EOF {
		t.Error(err)
	}
}
