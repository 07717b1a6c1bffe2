package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// controlPath is where the harness tells the upstream how to answer, and asks what it has seen.
const controlPath = "/_bench"

// plan is a behaviour with its answers ready.
type plan struct {
	behaviour
	frames [protocols]*frames
}

// seen is what the upstream counts.
type seen struct {
	Connections int64 `json:"connections"` // opened since the start
	Requests    int64 `json:"requests"`
}

// upstream answers as Gemini does, and as a candidate does where a client asks it itself, as fast as it can: no request is
// looked into.
type upstream struct {
	plan        atomic.Pointer[plan]
	connections atomic.Int64
	requests    atomic.Int64
}

func newUpstream(b behaviour) *upstream {
	u := &upstream{}
	u.plan.Store(&plan{b, b.templates()})
	return u
}

// serve answers on l until it is closed.
func (u *upstream) serve(l net.Listener) error {
	server := &fasthttp.Server{
		Handler: u.handle, MaxRequestBodySize: 64 << 20, ReadBufferSize: 32 << 10, NoDefaultServerHeader: true,
		ConnState: func(_ net.Conn, state fasthttp.ConnState) {
			if state == fasthttp.StateNew {
				u.connections.Add(1)
			}
		},
	}
	return server.Serve(l)
}

func (u *upstream) handle(rc *fasthttp.RequestCtx) {
	if string(rc.Path()) == controlPath {
		u.control(rc)
		return
	}
	p := u.plan.Load()
	if rc.IsGet() { // the list of models, which an adapter may want
		rc.SetContentType("application/json")
		rc.SetBodyString(`{"models":[{"name":"models/` + model + `","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"],"thinking":true}]}`)
		return
	}
	asked, err := p.asked(string(rc.Path()))
	if err != nil {
		rc.Error(err.Error(), fasthttp.StatusNotFound)
		return
	}
	u.requests.Add(1)
	f := p.frames[asked]
	if asked <= geminiWhole && rand.IntN(100) < p.Faults && fail(rc) {
		return
	}
	rc.SetContentType(f.contentType)
	if f.contentType == "text/event-stream" {
		rc.SetBodyStream(body(func(w io.Writer) { p.stream(w, f) }), -1)
		return
	}
	if p.Delay > 0 {
		time.Sleep(p.Delay)
	}
	body := append(rc.Response.Body()[:0], f.head...)
	for range p.Chunks {
		body = f.next(body, time.Now())
	}
	rc.SetBody(append(body, f.tail...))
}

// fail has a call fail as Google's do, and reports whether it did; else it is only late.
func fail(rc *fasthttp.RequestCtx) bool {
	switch rand.IntN(4) {
	case 0:
		time.Sleep(300 * time.Millisecond)
		return false
	case 1:
		rc.HijackSetNoResponse(true)
		rc.Hijack(func(net.Conn) {}) // the connection ends without a word
	case 2:
		answer(rc, fasthttp.StatusServiceUnavailable, `{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}`)
	default:
		answer(rc, fasthttp.StatusInternalServerError, `{"error":{"code":500,"message":"An internal error has occurred.","status":"INTERNAL"}}`)
	}
	return true
}

func answer(rc *fasthttp.RequestCtx, status int, body string) {
	rc.SetStatusCode(status)
	rc.SetContentType("application/json")
	rc.SetBodyString(body)
}

// stream writes an answer chunk by chunk; one that cannot be written has nobody who waits for it.
func (p *plan) stream(w io.Writer, f *frames) {
	if p.Delay > 0 {
		time.Sleep(p.Delay)
	}
	if _, err := w.Write(f.head); len(f.head) > 0 && err != nil {
		return
	}
	var buf []byte
	begun := time.Now()
	for i := range p.Chunks {
		if p.Pace > 0 {
			time.Sleep(time.Until(begun.Add(time.Duration(i) * p.Pace)))
		}
		buf = f.next(buf[:0], time.Now())
		if _, err := w.Write(buf); err != nil {
			return
		}
	}
	_, _ = w.Write(f.tail) // whoever misses it tells
}

func (u *upstream) control(rc *fasthttp.RequestCtx) {
	if rc.IsPost() {
		var b behaviour
		if err := json.Unmarshal(rc.PostBody(), &b); err != nil || b.Chunks < 1 || b.Bytes < stampLength {
			rc.Error(fmt.Sprintf("cannot take this behaviour: %s", rc.PostBody()), fasthttp.StatusBadRequest)
			return
		}
		u.plan.Store(&plan{b, b.templates()})
	}
	body, err := json.Marshal(seen{u.connections.Load(), u.requests.Load()})
	if err != nil {
		panic("BUG: counts have no JSON form: " + err.Error())
	}
	rc.SetContentType("application/json")
	rc.SetBody(body)
}

// tell sets the behaviour of the upstream at base.
func tell(base string, b behaviour) error {
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(base + controlPath)
	req.Header.SetMethod("POST")
	req.SetBody(body)
	err = fasthttp.Do(req, resp)
	status := resp.StatusCode()
	if err == nil && status != fasthttp.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return fmt.Errorf("cannot tell the upstream how to answer: %w", err)
	}
	return nil
}

// askSeen asks the upstream at base what it has seen.
func askSeen(base string) (s seen, err error) {
	_, body, err := fasthttp.Get(nil, base+controlPath)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		return seen{}, fmt.Errorf("cannot ask the upstream what it saw: %w", err)
	}
	return s, nil
}
