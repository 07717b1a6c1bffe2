// Package offsite keeps copies of archives away from their server: in storage that speaks S3, or in a folder that is reached by
// SFTP. What it is handed is encrypted already.
package offsite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Place is where copies are kept. Its methods end with their context, and are called one after the other. Errors are told in words,
// and without secrets.
type Place interface {
	// Put keeps what r holds, size bytes, whole or not at all, in the place of what had that name. It may be called again after
	// an error, with r at its beginning.
	Put(ctx context.Context, name string, r io.Reader, size int64) error
	// List returns what is there, without what lies in folders below.
	List(ctx context.Context) ([]Copy, error)
	// Remove removes a copy; that there is none is no error.
	Remove(ctx context.Context, name string) error
	// Close lets go of the connection.
	Close() error
}

// Copy is one file of a place.
type Copy struct {
	Name string
	Size int64 // bytes
}

// Access is what lets this server in.
type Access struct {
	S3Key, S3Secret string // id and secret of an access key
	SSHKey          string // file of the private key
	SSHHostKey      string // SHA256:…, the only one that is accepted
	KnownHosts      string // file that may be written

	transport http.RoundTripper // of tests
}

// Name is how a place is named to people: its URL, which holds no secret.
func Name(u *url.URL) string {
	plain := *u
	plain.RawQuery = ""
	if u.User != nil {
		plain.User = url.User(u.User.Username())
	}
	return strings.TrimSuffix(plain.String(), "/")
}

// Open connects to the place of a URL: s3://ENDPOINT/BUCKET[/PREFIX], s3+http:// without TLS, or sftp://USER@HOST[:PORT]/FOLDER.
func Open(ctx context.Context, u *url.URL, a Access) (Place, error) {
	switch u.Scheme {
	case "s3", "s3+http":
		return openS3(u, a)
	case "sftp":
		return openSFTP(ctx, u, a)
	}
	return nil, fmt.Errorf("%s: expected s3://, s3+http:// or sftp://", Name(u))
}

// The tries of one copy. A place that is down for longer is tried again by the next backup.
const (
	tries      = 4
	firstPause = 2 * time.Second
)

// refusal is an error that another try would meet again.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// Keep puts a copy into the place of a URL, trying again where that may help. open returns the content at its beginning.
func Keep(ctx context.Context, u *url.URL, a Access, name string, size int64, open func() io.Reader) error {
	var err error
	pause := firstPause
	for try := range tries {
		if try > 0 {
			select {
			case <-time.After(pause):
				pause *= 3
			case <-ctx.Done():
				return errors.Join(err, context.Cause(ctx))
			}
		}
		var stays refusal
		if err = keepOnce(ctx, u, a, name, size, open()); err == nil || errors.As(err, &stays) || ctx.Err() != nil {
			return err
		}
	}
	return fmt.Errorf("%w (tried %d times)", err, tries)
}

func keepOnce(ctx context.Context, u *url.URL, a Access, name string, size int64, r io.Reader) error {
	place, err := Open(ctx, u, a)
	if err != nil {
		return err
	}
	return errors.Join(place.Put(ctx, name, r, size), place.Close())
}
