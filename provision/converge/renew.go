package converge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"os"
	"strings"
	"time"
)

// RenewalFile tells everybody on the server how the last attempt at a certificate went; it holds a [RenewalRecord].
const RenewalFile = renewalFile

// RenewalRecord is one attempt at a certificate.
type RenewalRecord struct {
	Time    time.Time `json:"time"`
	Name    string    `json:"name"`
	Problem string    `json:"problem,omitempty"` // why there is no new one; empty if there is
	Cure    string    `json:"cure,omitempty"`
}

// Renewal is what became of a certificate.
type Renewal struct {
	Name     string    // that it is for; empty where the adapter serves plain HTTP
	NotAfter time.Time // its end
	Renewed  bool      // it is a new one
	Reloaded bool      // Nginx did not serve it yet
}

// RenewAfter is when a certificate is to be renewed: two fifths of its life on, so that with a look every eight hours, and
// their jitter, it happens before the half even where it lives for six days.
func RenewAfter(notBefore, notAfter time.Time) time.Time {
	return notBefore.Add(notAfter.Sub(notBefore) * 2 / 5)
}

const servedTime = 5 * time.Second // for Nginx to show its certificate

// Renew gets a new certificate where the one that is there is due, or always, and has Nginx serve what is there. The error is a
// [*Refusal] where a deploy is at work; another one was written down for [RenewalFile].
func (a Agent) Renew(ctx context.Context, always bool) (Renewal, error) {
	defer endure()()
	return a.renew(ctx, newSystem("/"), always)
}

func (a Agent) renew(ctx context.Context, s *system, always bool) (done Renewal, err error) {
	unlock, err := takeLock(s, time.Now(), "a renewal of the certificate")
	if err != nil {
		return Renewal{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	facts, err := collectFiles(&s.reader, Want{})
	if err != nil {
		return Renewal{}, err
	}
	settings, err := a.ReadSettings(facts.settingsFiles(Want{}))
	if err != nil || settings.TLSName == "" {
		return Renewal{}, err
	}
	done.Name = settings.TLSName
	now, err := s.state(certFile(done.Name))
	if err != nil {
		return done, err
	}
	done.Renewed = always || due(now.Content, done.Name, time.Now())
	if done.Renewed {
		err = s.obtain(ctx, a.Certificates, s.certRequest(facts, Want{}, settings))
	} else {
		err = s.forgetFailure()
	}
	if err != nil {
		done.Renewed = false
		return done, err
	}
	return done, s.serveCertificate(ctx, &done)
}

// forgetFailure lets go of a failure to get a certificate that is not due: somebody tried too early, and nothing is wrong.
func (s *system) forgetFailure() error {
	text, err := s.readText(renewalFile)
	if err != nil {
		return err
	}
	var last RenewalRecord
	if json.Unmarshal([]byte(text), &last) == nil && last.Problem == "" {
		return nil
	}
	return ignoreMissing(os.Remove(s.at(renewalFile)))
}

func due(text []byte, name string, now time.Time) bool {
	leaf, err := parseCertificate(text)
	return err != nil || CheckCertificate(text, name, now) != nil || now.After(RenewAfter(leaf.NotBefore, leaf.NotAfter))
}

// serveCertificate reloads Nginx where it serves another certificate than the one that is there.
func (s *system) serveCertificate(ctx context.Context, done *Renewal) error {
	now, err := s.state(certFile(done.Name))
	if err != nil {
		return err
	}
	leaf, err := parseCertificate(now.Content)
	if err != nil {
		return err
	}
	done.NotAfter = leaf.NotAfter
	served, err := s.served(ctx, done.Name)
	if err == nil && string(served) == string(leaf.Raw) {
		return nil
	}
	if err := nginxHint("does not take up the new certificate", reloadNginx(ctx, s)); err != nil {
		return errors.Join(err, s.record(done.Name, err))
	}
	done.Reloaded = true
	return nil
}

// served is the certificate that Nginx shows on this machine.
func (s *system) served(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, servedTime)
	defer cancel()
	// What it shows is compared with what it should show, byte for byte.
	dialer := &tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", s.secure)
	if err != nil {
		return nil, err
	}
	state := conn.(*tls.Conn).ConnectionState()
	return state.PeerCertificates[0].Raw, conn.Close()
}

// record writes down how an attempt went.
func (s *system) record(name string, failed error) error {
	told := RenewalRecord{Time: time.Now().UTC().Truncate(time.Second), Name: name}
	if failed != nil {
		told.Problem, told.Cure, _ = strings.Cut(failed.Error(), "\n"+hintPrefix)
	}
	text, err := json.Marshal(told)
	if err != nil {
		return err
	}
	root, err := s.lookup(rootUser, rootUser)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.at(acmeWebroot), 0o755); err != nil {
		return err
	}
	return s.writeFile(renewalFile, append(text, '\n'), 0o644, root)
}
