package lab

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// maxPackage bounds one download, in bytes.
const maxPackage = 2 << 30

// debProxy is an HTTP proxy for apt that keeps what it fetched on disk. It speaks to the sites of one archive only, so it
// is no way out into the internet. What a package archive never changes (packages, and indexes named by their hash) is
// fetched once; the rest is revalidated each time. Several proxies may share one folder.
type debProxy struct {
	dir    string            // the cache
	scheme map[string]string // how to speak to each known host
	client *http.Client
}

func newDebProxy(dir string, a archive) (*debProxy, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the package cache: %w", err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true, ResponseHeaderTimeout: 60 * time.Second, IdleConnTimeout: 30 * time.Second}
	if a.proxy != "" && a.proxy != "DIRECT" {
		u, err := parseSite(a.proxy)
		if err != nil {
			return nil, fmt.Errorf("apt's own proxy: %w", err)
		}
		transport.Proxy = http.ProxyURL(u)
	}
	return &debProxy{
		dir:    dir,
		scheme: map[string]string{a.main.Host: a.main.Scheme, a.security.Host: a.security.Scheme},
		client: &http.Client{Transport: transport},
	}, nil
}

func (p *debProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, known := p.scheme[r.URL.Host]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "this proxy serves GET and HEAD of packages only", http.StatusMethodNotAllowed)
		return
	case !known:
		http.Error(w, fmt.Sprintf("host %q is not the package mirror, and a lab server has no other way out", r.URL.Host), http.StatusForbidden)
		return
	}
	u := *r.URL
	u.Scheme = scheme
	file := p.file(&u)
	if immutable(u.Path) && serveCached(w, r, file) {
		return
	}
	if err := p.fetch(w, r, &u, file); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// file is where the body of u is kept. The hash keeps every path in the one folder; the name is for people.
func (p *debProxy) file(u *url.URL) string {
	base := path.Base(u.Path)
	if len(base) > 100 {
		base = base[:100]
	}
	return filepath.Join(p.dir, fmt.Sprintf("%x-%s", sha256.Sum256([]byte(u.String())), strings.Trim(base, "/")))
}

func immutable(p string) bool {
	return strings.HasSuffix(p, ".deb") || strings.HasSuffix(p, ".udeb") || strings.Contains(p, "/by-hash/")
}

// serveCached answers from disk, ranges and conditions included; false when there is nothing to answer from.
func serveCached(w http.ResponseWriter, r *http.Request, file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", st.ModTime(), f)
	return true
}

// fetch asks the mirror for u, unless what is cached is still good, and answers r. An error means that nothing was sent.
func (p *debProxy) fetch(w http.ResponseWriter, r *http.Request, u *url.URL, file string) error {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", u, err)
	}
	if st, err := os.Stat(file); err == nil {
		req.Header.Set("If-Modified-Since", st.ModTime().UTC().Format(http.TimeFormat))
	}
	res, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", u, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && serveCached(w, r, file):
		return nil
	case res.StatusCode != http.StatusOK:
		http.Error(w, "the mirror says "+res.Status, res.StatusCode)
		return nil
	case res.ContentLength > maxPackage:
		return fmt.Errorf("fetch %s: %d bytes are more than a package has", u, res.ContentLength)
	}
	return p.pass(w, r, res, file)
}

// pass sends the mirror's answer on while it arrives, and keeps it once it is whole.
func (p *debProxy) pass(w http.ResponseWriter, r *http.Request, res *http.Response, file string) error {
	tmp, err := os.CreateTemp(p.dir, ".part-*")
	if err != nil {
		return fmt.Errorf("keep a package: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	for _, name := range []string{"Content-Length", "Last-Modified", "Content-Type"} {
		if v := res.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	to := io.Writer(tmp)
	if r.Method == http.MethodGet {
		to = io.MultiWriter(tmp, w)
	}
	n, err := io.Copy(to, io.LimitReader(res.Body, maxPackage+1))
	if err == nil && (n > maxPackage || res.ContentLength >= 0 && n != res.ContentLength) {
		err = errors.New("cut short")
	}
	if err == nil {
		err = commit(tmp, res.Header.Get("Last-Modified"), file)
	}
	if err != nil {
		// The head is sent: only a cut connection can still tell the client that the body is not whole.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// commit gives a whole download its name and the time that the mirror gave it.
func commit(tmp *os.File, lastModified, file string) error {
	if err := tmp.Close(); err != nil {
		return err
	}
	modified, err := http.ParseTime(lastModified)
	if err != nil {
		// Older than anything: the next request cannot be answered with "not modified" by mistake.
		modified = time.Unix(0, 0)
	}
	if err := os.Chtimes(tmp.Name(), modified, modified); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
