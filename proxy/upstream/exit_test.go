package upstream

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// exit is a real egress proxy on loopback, for one user. Whatever it is asked for, it connects to one address.
type exit struct {
	url   *url.URL
	to    string
	mu    sync.Mutex
	asked []string // addresses, as they were asked for
}

const proxyAuth = "ann:PLANTED-word"

func (x *exit) note(address string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, address)
}

func (x *exit) seen() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.asked
}

// httpExit is an HTTP proxy, over TLS if secure; it speaks HTTP/2 to those who want it.
func httpExit(t *testing.T, to string, secure bool) (*exit, *x509.CertPool) {
	t.Helper()
	x := &exit{to: to}
	server := httptest.NewUnstartedServer(http.HandlerFunc(x.connect))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	roots := x509.NewCertPool()
	if server.EnableHTTP2 = secure; secure {
		server.StartTLS()
		roots.AddCert(server.Certificate())
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	x.url = parse(t, strings.Replace(server.URL, "://", "://"+proxyAuth+"@", 1))
	return x, roots
}

func (x *exit) connect(w http.ResponseWriter, r *http.Request) {
	user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
	if r.Method != http.MethodConnect || user+":"+password != proxyAuth {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	x.note(r.Host)
	to, err := net.Dial("tcp", x.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if _, err := io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
		splice(from, to, buffered)
	}
}

// socksExit is a SOCKS5 proxy (RFC 1928, 1929) that wants a user and a password.
func socksExit(t *testing.T, to string) *exit {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	x := &exit{to: to, url: parse(t, "socks5://"+proxyAuth+"@"+ln.Addr().String())}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go x.socks(conn)
		}
	}()
	return x
}

func (x *exit) socks(conn net.Conn) {
	defer conn.Close()
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(conn, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	say := func(b ...byte) { _, _ = conn.Write(b) }
	methods := read(int(read(2)[1]))
	if !bytes.Contains(methods, []byte{2}) {
		say(5, 0xff)
		return
	}
	say(5, 2)
	user := read(int(read(2)[1]))
	password := read(int(read(1)[0]))
	if string(user)+":"+string(password) != proxyAuth {
		say(1, 1)
		return
	}
	say(1, 0)
	if kind := read(4)[3]; kind != 3 { // a name, since the proxy is to resolve it
		say(5, 8, 0, 1, 0, 0, 0, 0, 0, 0)
		return
	}
	name := read(int(read(1)[0]))
	x.note(fmt.Sprintf("%s:%d", name, binary.BigEndian.Uint16(read(2))))
	to, err := net.Dial("tcp", x.to)
	if err != nil {
		say(5, 5, 0, 1, 0, 0, 0, 0, 0, 0)
		return
	}
	say(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	splice(conn, to, conn)
}

// splice passes on both ways until one side ends.
func splice(from, to net.Conn, read io.Reader) {
	go func() {
		_, _ = io.Copy(to, read)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
