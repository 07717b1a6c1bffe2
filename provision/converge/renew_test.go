package converge

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// source is a CA that gives what it is told to.
type source struct {
	text  []byte
	err   error
	asked []CertRequest
}

func (s *source) Reach(context.Context, CertRequest) error { return s.err }

func (s *source) Obtain(_ context.Context, r CertRequest) ([]byte, error) {
	s.asked = append(s.asked, r)
	return s.text, s.err
}

// renewing is a machine whose Nginx serves a certificate of a name.
func renewing(t *testing.T, served []byte) *machine {
	m := newMachine(t)
	for _, dir := range []string{configDir, certDir} {
		m.must(os.MkdirAll(m.sys.at(dir), 0o700))
	}
	m.put(settingsFile, "TLS_NAME=adapter.example.com\n")
	m.put(keysFile, "AIzaSyTest1\n")
	m.put("/units/"+nginxUnit+".active", "")
	pair, err := tls.X509KeyPair(served, served)
	m.must(err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	m.sys.secure = server.Listener.Addr().(*net.TCPAddr).String()
	return m
}

// A certificate is renewed where it is due, and a failure leaves the one that is there and is written down for everybody.
func TestRenew(t *testing.T) {
	const name = "adapter.example.com"
	now := time.Now()
	young := certificateFor(t, name, now.Add(-24*time.Hour), now.Add(89*24*time.Hour))
	old := certificateFor(t, name, now.Add(-40*24*time.Hour), now.Add(50*24*time.Hour))
	f := func(there []byte, always bool, ca *source, renewed bool, problem string) {
		t.Helper()
		m := renewing(t, young)
		if there != nil {
			m.must(os.WriteFile(m.sys.at(certFile(name)), there, 0o600))
		}
		done, err := Agent{ReadSettings: readTestSettings, Certificates: ca}.renew(t.Context(), m.sys, always)
		if (err == nil) != (problem == "") || done.Renewed != renewed || done.Name != name {
			t.Fatalf("%+v, %v", done, err)
		}
		record, readErr := m.sys.readText(renewalFile)
		m.must(readErr)
		kept, readErr := m.sys.state(certFile(name))
		m.must(readErr)
		if problem != "" && (!strings.Contains(record, problem) || !strings.Contains(record, `"cure":"wait"`) || string(kept.Content) != string(there)) {
			t.Errorf("written down is %s", record)
		}
		if renewed && (strings.Contains(record, "problem") || string(kept.Content) != string(ca.text) || kept.Mode != 0o600 || done.Reloaded) {
			t.Errorf("renewed: %s, mode %o, %+v", record, kept.Mode, done)
		}
		if len(ca.asked) > 0 && (ca.asked[0].Account.Empty() || ca.asked[0].Name != name || ca.asked[0].Directory == "") {
			t.Errorf("the CA was asked for %+v", ca.asked[0])
		}
	}
	f(young, false, &source{}, false, "")
	f(young, true, &source{text: young}, true, "")
	f(old, false, &source{text: young}, true, "")
	f([]byte("damaged"), false, &source{text: young}, true, "")
	f(nil, false, &source{text: young}, true, "")
	f(old, false, &source{err: errors.New("too many\nhint: wait")}, false, "too many")
}

// What a person tried in vain, long before it was due, is no trouble for the weeks until then; nor is what was called off.
func TestRenew_forgets(t *testing.T) {
	const name = "adapter.example.com"
	now := time.Now()
	young := certificateFor(t, name, now.Add(-24*time.Hour), now.Add(89*24*time.Hour))
	m := renewing(t, young)
	m.must(os.WriteFile(m.sys.at(certFile(name)), young, 0o600))
	renew := func(ctx context.Context, ca *source, always bool) (record string) {
		t.Helper()
		if _, err := (Agent{ReadSettings: readTestSettings, Certificates: ca}).renew(ctx, m.sys, always); err != nil && ca.err == nil {
			t.Fatal(err)
		}
		record, err := m.sys.readText(renewalFile)
		m.must(err)
		return record
	}
	if got := renew(t.Context(), &source{err: errors.New("too many\nhint: wait")}, true); !strings.Contains(got, "too many") {
		t.Errorf("of a try that failed is written down %q", got)
	}
	if got := renew(t.Context(), &source{}, false); got != "" {
		t.Errorf("where nothing is due is written down %q", got)
	}
	got := renew(t.Context(), &source{text: young}, true)
	if got == "" || renew(t.Context(), &source{}, false) != got {
		t.Errorf("a certificate that came is forgotten: %q", got)
	}
	off, cancel := context.WithCancel(t.Context())
	cancel()
	if now := renew(off, &source{err: context.Canceled}, true); now != got {
		t.Errorf("of one that was called off is written down %q", now)
	}
}

// One who speaks plain HTTP has nothing to renew, and a deploy that is at work is not disturbed.
func TestRenew_nothing(t *testing.T) {
	m := renewing(t, certificateFor(t, "x.example.com", time.Now(), time.Now().Add(time.Hour)))
	m.put(settingsFile, "TLS_NAME=off\n")
	ca := &source{}
	agent := Agent{ReadSettings: readTestSettings, Certificates: ca}
	if done, err := agent.renew(t.Context(), m.sys, true); err != nil || done != (Renewal{}) || len(ca.asked) > 0 {
		t.Errorf("%+v, %v", done, err)
	}
	unlock, err := takeLock(m.sys, time.Now(), "a deploy")
	m.must(err)
	defer func() { m.must(unlock()) }()
	var refusal *Refusal
	if _, err := agent.renew(t.Context(), m.sys, true); !errors.As(err, &refusal) || refusal.Kind != RefusedLocked {
		t.Errorf("beside a deploy: %v", err)
	}
}
