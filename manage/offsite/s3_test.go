package offsite

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// bucketOn is an S3 server with one bucket, which answers what spoil lets through.
func bucketOn(t *testing.T, spoil func(http.ResponseWriter, *http.Request) (spoilt bool)) (*url.URL, *s3mem.Backend) {
	t.Helper()
	kept := s3mem.New()
	if err := kept.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	handler := gofakes3.New(kept).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if spoil == nil || !spoil(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(strings.Replace(server.URL, "http://", "s3+http://", 1) + "/backups/tokyo/?region=us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	return u, kept
}

func content(t *testing.T, size int) []byte {
	t.Helper()
	text := make([]byte, size)
	if _, err := rand.Read(text); err != nil {
		t.Fatal(err)
	}
	return text
}

func keep(ctx context.Context, u *url.URL, a Access, name string, text []byte) error {
	return Keep(ctx, u, a, name, int64(len(text)), func() io.Reader { return bytes.NewReader(text) })
}

var good = Access{S3Key: "id", S3Secret: "s3cret"}

func TestS3(t *testing.T) {
	u, kept := bucketOn(t, nil)
	small, large := content(t, 10_000), content(t, partSize+partSize/2) // in two parts
	for name, text := range map[string][]byte{"small.age": small, "large.age": large} {
		if err := keep(t.Context(), u, good, name, text); err != nil {
			t.Fatal(err)
		}
		got, err := kept.GetObject("backups", "tokyo/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := io.ReadAll(got.Contents); err != nil || !bytes.Equal(back, text) {
			t.Errorf("%s came back with %d of %d bytes, %v", name, len(back), len(text), err)
		}
	}
	if err := keep(t.Context(), u, good, "small.age", small[:5000]); err != nil { // again, in its place
		t.Fatal(err)
	}
	place, err := Open(t.Context(), u, good)
	if err != nil {
		t.Fatal(err)
	}
	list := func() []Copy {
		t.Helper()
		all, err := place.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if got := list(); !slices.Equal(got, []Copy{{"large.age", int64(len(large))}, {"small.age", 5000}}) {
		t.Errorf("there are %v", got)
	}
	for range 2 { // a second time there is none, which is no error
		if err := place.Remove(t.Context(), "large.age"); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(); len(got) != 1 {
		t.Errorf("left are %v", got)
	}
}

// What another try would meet again is not tried again, and says what to do.
func TestS3_refused(t *testing.T) {
	var asked atomic.Int64
	u, _ := bucketOn(t, func(w http.ResponseWriter, r *http.Request) bool {
		asked.Add(1)
		for key, code := range map[string]string{"unknown": "InvalidAccessKeyId", "mistyped": "SignatureDoesNotMatch", "reader": "AccessDenied"} {
			if strings.Contains(r.Header.Get("Authorization"), "Credential="+key+"/") {
				w.WriteHeader(http.StatusForbidden)
				_, err := io.WriteString(w, "<Error><Code>"+code+"</Code><Message>no</Message></Error>")
				return err == nil
			}
		}
		return false
	})
	nowhere := *u
	nowhere.Path = "/elsewhere"
	f := func(u *url.URL, a Access, requests int64, want string) {
		t.Helper()
		asked.Store(0)
		err := keep(t.Context(), u, a, "x.age", []byte("x"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want %q", err, want)
		}
		if n := asked.Load(); n > requests {
			t.Errorf("%d requests for what is refused (%v)", n, err)
		}
	}
	f(u, Access{}, 0, "there is no access key for it\nhint: gca config set HOST BACKUP_S3_KEY=ID BACKUP_S3_SECRET=-")
	f(u, Access{S3Key: "unknown", S3Secret: "s3cret"}, 1, "hint: look at the access key")
	f(u, Access{S3Key: "mistyped", S3Secret: "s3cret"}, 1, "hint: look at the access key")
	f(u, Access{S3Key: "reader", S3Secret: "s3cret"}, 1, "hint: the access key must be allowed to")
	f(&nowhere, good, 1, "hint: make the bucket elsewhere at the provider")
}

// A server that fails now and then gets it in the end; one that is down is given up, in bounded time, and named.
func TestS3_retried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tried atomic.Int64
		failing := func(times int64) http.RoundTripper {
			tried.Store(0)
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if tried.Add(1) <= times {
					return nil, errors.New("connection reset by peer")
				}
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"x"`}}, Body: http.NoBody, Request: r}, nil
			})
		}
		f := func(times int64, want string) {
			t.Helper()
			u := &url.URL{Scheme: "s3", Host: "s3.example.com", Path: "/backups", RawQuery: "region=x"}
			a := good
			a.transport = failing(times)
			err := keep(t.Context(), u, a, "x.age", []byte("x"))
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("after %d failures: %v, want %q", times, err, want)
			}
		}
		f(0, "")
		f(tries-1, "")
		if n := tried.Load(); n != tries {
			t.Errorf("tried %d times", n)
		}
		f(tries, "(tried 4 times)")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("no more"))
		a := good
		a.transport = failing(tries)
		if err := keep(ctx, &url.URL{Scheme: "s3", Host: "s3.example.com", Path: "/backups"}, a, "x.age", []byte("x")); err == nil || tried.Load() > 1 {
			t.Errorf("with a context that has ended: %v after %d tries", err, tried.Load())
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestName(t *testing.T) {
	for text, want := range map[string]string{
		"s3://s3.example.com/b/p/?region=x":  "s3://s3.example.com/b/p",
		"sftp://me@nas.example.com:2222/~/b": "sftp://me@nas.example.com:2222/~/b",
		"sftp://me:s3cret@nas/b":             "sftp://me@nas/b",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Name(u); got != want {
			t.Errorf("%s is named %s", text, got)
		}
	}
}
