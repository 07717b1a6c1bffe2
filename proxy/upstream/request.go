package upstream

import (
	"bytes"
	"hash/maphash"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Request is a call that is ready to be sent, any number of times until Release.
type Request struct {
	model  string
	body   []byte
	tokens int // estimated

	buffer *bytebufferpool.ByteBuffer // body's, nil if that is small
	bodies *Buffers                   // buffer's
	users  atomic.Int32               // who holds it, and each of its readers
}

// largeBody is from where on the memory of a body is worth its keeping. Of others the transport knows that they are in memory and
// sends them together with the head.
const largeBody = 16 << 10

// Encode makes the call of a model.
func (c *Client) Encode(model string, r *gemini.Request) *Request {
	out := &Request{model: strings.TrimPrefix(model, "models/"), tokens: r.EstimateTokens()}
	size := r.Size()
	if size < largeBody {
		out.body = r.AppendJSON(make([]byte, 0, size))
		return out
	}
	out.bodies, out.buffer = &c.bodies, c.bodies.Get()
	out.buffer.B = r.AppendJSON(slices.Grow(out.buffer.B, size))
	out.body = out.buffer.B
	out.users.Store(1)
	return out
}

// Release says that the call is not sent again. Its memory serves other calls as soon as nothing of it is on its way any more.
func (r *Request) Release() {
	if r.bodies == nil || r.users.Add(-1) != 0 {
		return
	}
	r.bodies.Put(r.buffer)
	r.body, r.buffer = nil, nil
}

// hold keeps the memory until one more Release. It reports false if that is gone.
func (r *Request) hold() bool {
	for n := r.users.Load(); n > 0; n = r.users.Load() {
		if r.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// Tokens is an estimate of the prompt's length.
func (r *Request) Tokens() int { return r.tokens }

// Sum is the same for calls of the same model with the same body.
func (r *Request) Sum(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(r.model + "\n") // a hash takes everything
	_, _ = h.Write(r.body)
	return h.Sum64()
}

// content is the body of a call on its way.
type content struct {
	bytes []byte
	owner *Request // of bytes, nil is nobody
}

func (r *Request) content() content { return content{r.body, r} }

// of makes it the body of req. The transport may read a body after it gave an answer, or gave up, and once more on another
// connection; it closes each reader.
func (c content) of(req *http.Request) {
	if len(c.bytes) == 0 {
		return
	}
	open := func() (io.ReadCloser, error) {
		if c.owner == nil || c.owner.bodies == nil {
			return io.NopCloser(bytes.NewReader(c.bytes)), nil
		}
		if !c.owner.hold() {
			return nil, fs.ErrClosed
		}
		return &reader{Reader: bytes.NewReader(c.bytes), owner: c.owner}, nil
	}
	req.ContentLength, req.GetBody = int64(len(c.bytes)), open
	req.Body, _ = open() // it never fails before Release
}

// reader reads a body whose memory is its owner's. HTTP/2 closes it while it is read, when a call is given up.
type reader struct {
	*bytes.Reader
	owner *Request

	mu     sync.Mutex
	closed bool
}

// Read fails after Close.
func (r *reader) Read(b []byte) (int, error) {
	if !r.use() {
		return 0, fs.ErrClosed
	}
	defer r.owner.Release()
	return r.Reader.Read(b)
}

// WriteTo likewise.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	if !r.use() {
		return 0, fs.ErrClosed
	}
	defer r.owner.Release()
	return r.Reader.WriteTo(w)
}

// use holds the memory while bytes move, during which no lock is held.
func (r *reader) use() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed && r.owner.hold()
}

// Close may be called again.
func (r *reader) Close() error {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if !closed {
		r.owner.Release()
	}
	return nil
}
