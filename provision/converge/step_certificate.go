package converge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// certificateStep gets a certificate. It is not taken back: a CA gives few of them, so the next deploy uses it.
type certificateStep struct{ request CertRequest }

func (certificateStep) before(context.Context, *run) (reversal, error) { return reversal{}, nil }

func (st certificateStep) apply(ctx context.Context, r *run) error {
	r.progress("the CA looks for its answer at http://" + st.request.Name + "/ now")
	return r.sys.obtain(ctx, r.certs, st.request)
}

func (st certificateStep) check(_ context.Context, r *run) error {
	now, err := r.sys.state(certFile(st.request.Name))
	if err == nil {
		err = CheckCertificate(now.Content, st.request.Name, time.Now())
	}
	return err
}

// obtain gets a certificate and puts it in place. How it went is written down for who asks later.
func (s *system) obtain(ctx context.Context, source CertSource, request CertRequest) error {
	request.Webroot, request.Local = s.at(acmeWebroot), s.web
	text, err := s.account()
	if err != nil {
		return err
	}
	request.Account = text
	certificate, err := source.Obtain(ctx, request)
	if err == nil {
		err = s.putPrivate(certFile(request.Name), certificate)
	}
	if ctx.Err() != nil && err != nil { // called off: that says nothing of the CA
		return err
	}
	return errors.Join(err, s.record(request.Name, err))
}

// account is the key of this server's account, which is made where there is none.
func (s *system) account() (Secret, error) {
	now, err := s.state(accountFile)
	if err != nil {
		return Secret{}, err
	}
	if now.Kind == PathFile {
		return NewSecret(string(now.Content)), nil
	}
	key, err := NewKey()
	if err == nil {
		err = s.putPrivate(accountFile, key)
	}
	return NewSecret(string(key)), err
}

// putPrivate writes a file of certDir.
func (s *system) putPrivate(path string, content []byte) error {
	root, err := s.lookup(rootUser, rootUser)
	if err != nil {
		return err
	}
	for _, dir := range []string{gcaDir, certDir} {
		if err := errors.Join(os.MkdirAll(s.at(dir), 0o700), os.Chmod(s.at(dir), 0o700)); err != nil {
			return err
		}
	}
	return errors.Join(s.writeFile(path, content, 0o600, root), syncDir(filepath.Dir(s.at(path))))
}

// privateStep writes a file of certDir.
type privateStep struct {
	path    string
	content []byte
}

func (st privateStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(st.path, true)
	return reversal{Undo: []action{a}}, err
}

func (st privateStep) apply(_ context.Context, r *run) error {
	return r.sys.putPrivate(st.path, st.content)
}

func (st privateStep) check(_ context.Context, r *run) error {
	now, err := r.sys.state(st.path)
	if err == nil && !bytes.Equal(now.Content, st.content) {
		err = fmt.Errorf("%s is not what was written a moment ago", st.path)
	}
	return err
}

// sequence is several operations that are one step for a person.
type sequence []operation

func (q sequence) before(ctx context.Context, r *run) (reversal, error) {
	var all reversal
	for _, op := range q {
		rev, err := op.before(ctx, r)
		if err != nil {
			return reversal{}, err
		}
		all.Undo, all.Settle = append(all.Undo, rev.Undo...), append(all.Settle, rev.Settle...)
	}
	return all, nil
}

func (q sequence) apply(ctx context.Context, r *run) error {
	for _, op := range q {
		if err := op.apply(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (q sequence) check(ctx context.Context, r *run) error {
	for _, op := range q {
		if err := op.check(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
