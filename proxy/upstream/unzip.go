package upstream

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// unzip has an answer read unpacked that came packed although nobody asked for it, as proxies on the way have it at times. What
// reads it has its bounds.
func unzip(resp *http.Response) {
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		resp.Body = &packed{ReadCloser: resp.Body}
	}
}

// packed is a body in gzip's form. Nothing is read of it before the first Read.
type packed struct {
	io.ReadCloser
	zip *gzip.Reader
	err error // of its beginning
}

func (p *packed) Read(b []byte) (int, error) {
	if p.zip == nil && p.err == nil {
		p.zip, p.err = gzip.NewReader(p.ReadCloser)
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.zip.Read(b)
}
