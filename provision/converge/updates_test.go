package converge

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// What unattended-upgrade of Debian 12 says, in a dry run and at work.
const (
	saidDry = `Starting unattended upgrades script
Allowed origins are: origin=Debian,codename=bookworm,label=Debian, origin=Debian,codename=bookworm-security,label=Debian-Security
Option --dry-run given, *not* performing real actions
Packages that will be upgraded: openssl libssl3
Writing dpkg log to /var/log/unattended-upgrades/unattended-upgrades-dpkg.log
The list of kept packages can't be calculated in dry-run mode.
`
	saidWork = `Starting unattended upgrades script
Packages that will be upgraded: openssl
All upgrades installed
Package nginx is marked to be held back.
Package docker-ce is blacklisted.
Package nginx is marked to be held back.
`
)

func TestToldPackages(t *testing.T) {
	if got := toldPackages(saidDry); !slices.Equal(got, []string{"libssl3", "openssl"}) {
		t.Errorf("%q", got)
	}
	if got := toldPackages("No packages found that can be upgraded unattended and no pending auto-removals\n"); got == nil || len(got) > 0 {
		t.Errorf("%q", got)
	}
	if got := keptPackages(saidWork); !slices.Equal(got, []string{"docker-ce is blacklisted", "nginx is marked to be held back"}) {
		t.Errorf("%q", got)
	}
	if got := keptPackages(saidDry); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func TestChangesOf(t *testing.T) {
	before := map[string]string{"a:all": "1", "b:amd64": "1", "c:all": "1"}
	after := map[string]string{"a:all": "1", "b:amd64": "2", "d:all": "3"}
	want := []PackageChange{{"b:amd64", "1", "2"}, {"c:all", "1", ""}, {"d:all", "", "3"}}
	if got := changesOf(before, after); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// updatable is a machine with a package and a tool that updates it.
func updatable(t *testing.T, tool string) *machine {
	m := newMachine(t)
	m.must(os.MkdirAll(m.sys.at(configDir), 0o700))
	m.put(settingsFile, "PORT=8000\n")
	m.put(keysFile, "AIzaSyTest1\n")
	m.put(dpkgStatus, "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n")
	dir := strings.SplitN(m.sys.path, ":", 2)[0]
	m.must(os.WriteFile(dir+"/"+updatesTool, []byte("#!/bin/sh\n"+strings.ReplaceAll(tool, "ROOT", m.sys.root)+"\n"), 0o755))
	return m
}

func (m *machine) updates() Agent { return Agent{ReadSettings: readTestSettings} }

// An update is what changed, whatever the tool says; one that fails half-way names what it did.
func TestInstallUpdates(t *testing.T) {
	const renew = "sed -i 's/^Version: 1/Version: 2/' ROOT/var/lib/dpkg/status"
	m := updatable(t, "echo 'Packages that will be upgraded: openssl'; case \"$*\" in *--dry-run*) ;; *) "+renew+" ;; esac")
	pending, err := m.updates().pendingUpdates(t.Context(), m.sys, Events{})
	if err != nil || !slices.Equal(pending.Packages, []string{"openssl"}) || pending.Complaint != "" {
		t.Errorf("%+v, %v", pending, err)
	}
	done, err := m.updates().installUpdates(t.Context(), m.sys, Events{})
	if err != nil || !slices.Equal(done.Changed, []PackageChange{{"openssl:amd64", "1", "2"}}) || done.Unseen {
		t.Errorf("%+v, %v", done, err)
	}

	m = updatable(t, renew+"; echo 'Installing the upgrades failed!' >&2; exit 1")
	done, err = m.updates().installUpdates(t.Context(), m.sys, Events{})
	if err == nil || !strings.Contains(err.Error(), "unattended-upgrade: exit status 1\nInstalling the upgrades failed!\nhint: ") || len(done.Changed) != 1 {
		t.Errorf("%+v, %v", done, err)
	}

	m.must(os.Remove(strings.SplitN(m.sys.path, ":", 2)[0] + "/" + updatesTool))
	if m.sys.has(updatesTool) {
		t.Skip("this machine has unattended-upgrades of its own")
	}
	_, err = m.updates().pendingUpdates(t.Context(), m.sys, Events{})
	if r, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(r.Hint, "apt-get install unattended-upgrades") {
		t.Errorf("%v", err)
	}
}

// Who is asked to leave while another program holds the tool's lock, leaves.
func TestInstallUpdates_held(t *testing.T) {
	m := updatable(t, "echo 'Lock file is already taken, exiting' >&2; exit 1")
	ctx, cancel := context.WithCancel(t.Context())
	m.must(os.WriteFile(strings.SplitN(m.sys.path, ":", 2)[0]+"/setsid", []byte("#!/bin/sh\nshift\ntouch "+m.sys.root+"/tried\nexec \"$@\"\n"), 0o755))
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(m.sys.root + "/tried"); err == nil {
				cancel()
			}
		}
	}()
	if done, err := m.updates().installUpdates(ctx, m.sys, Events{}); !errors.Is(err, context.Canceled) || len(done.Changed) > 0 {
		t.Errorf("%+v, %v", done, err)
	}
}
