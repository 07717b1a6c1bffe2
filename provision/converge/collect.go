package converge

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// collect looks at the whole server and changes nothing. The commands run side
// by side, one process for each question, whatever the number of things asked.
func collect(ctx context.Context, s *reader, want Want) (Facts, error) {
	f, err := collectFiles(s, want)
	if err != nil {
		return Facts{}, err
	}
	var wg sync.WaitGroup
	var sshd sshdSettings
	errs := make([]error, 6)
	nginx, site := f.nginxInstalled(), f.path(nginxDefault)
	wg.Go(func() { errs[0] = collectMachine(s, site, &f) })
	wg.Go(func() { f.Units, errs[1] = collectUnits(ctx, s) })
	wg.Go(func() { f.Systemd, errs[2] = collectSystemd(ctx, s) })
	wg.Go(func() { f.Firewall.UFW, f.Firewall.Rules, errs[3] = collectUFW(ctx, s) })
	wg.Go(func() { sshd = askSSHD(ctx, s) })
	wg.Go(func() { f.Nginx, errs[4] = collectNginx(ctx, s, nginx) })
	wg.Go(func() {
		if want.SHA256 != "" {
			f.ReleaseSHA, errs[5] = plainSHA256(s, want.releaseGCA())
		}
	})
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return Facts{}, err
	}
	if sshd.passwords {
		f.Passwords, err = passwordFile(s)
	}
	if err != nil {
		return Facts{}, err
	}
	f.SSHPorts = sshPorts(f, sshd.ports, want.SSHPort)
	if want.Harden {
		f.Keyless, err = keylessUsers(s)
		f.SSHD, f.KeysOnly = sshd.known, sshd.keysOnly()
	}
	if err != nil {
		return Facts{}, err
	}
	f.Credentials = collectCredentials(ctx, s, f)
	if f.Firewall.UFW != UFWActive {
		f.Firewall.Other = otherFirewall(ctx, s, f.Units)
	}
	return f, nil
}

// collectMachine reads what only a plan needs to know, and no process tells. Others fill other fields of f meanwhile.
func collectMachine(s *reader, site PathState, f *Facts) (err error) {
	if f.Hardware, err = collectHardware(s); err != nil {
		return err
	}
	if f.Sysctls, err = collectSysctls(s, f.Hardware.Container); err != nil {
		return err
	}
	if f.Dpkg, err = collectDpkg(s); err != nil {
		return err
	}
	if f.OwnDefault, err = ownDefault(s, site, f.Dpkg.StockSite); err != nil {
		return err
	}
	if f.Fail2ban, err = collectFail2ban(s); err != nil {
		return err
	}
	if f.Listeners, f.Datagrams, err = collectListeners(s); err != nil {
		return err
	}
	return collectWarnings(s, f)
}

// collectWarnings reads what changes no plan, and a person should know of.
func collectWarnings(s *reader, f *Facts) error {
	for _, lock := range aptLocks {
		pid, err := s.lockHolder(lock.path)
		if err != nil {
			return err
		}
		if pid != 0 && f.AptHolder == "" {
			f.AptHolder = fmt.Sprintf("%s (pid %d)", programOf(s, pid), pid)
		}
	}
	_, err := os.Stat(s.at(rebootFile))
	f.Reboot = err == nil
	enforce, err := s.readText("/sys/fs/selinux/enforce")
	f.SELinux = strings.TrimSpace(enforce) == "1"
	return err
}

// collectFiles reads what is known without starting a process.
func collectFiles(s *reader, want Want) (Facts, error) {
	f := Facts{Paths: map[string]PathState{}}
	text, err := s.readText("/etc/os-release")
	if err != nil {
		return Facts{}, err
	}
	f.OS = ParseOSRelease(text)
	for _, path := range managedPaths() {
		if f.Paths[path], err = s.look(path); err != nil {
			return Facts{}, err
		}
	}
	for _, path := range comparedFiles() {
		if f.Paths[path], err = s.state(path); err != nil {
			return Facts{}, err
		}
	}
	if _, err := os.Stat(s.at(nginxBinary)); err == nil {
		f.Paths[nginxBinary] = PathState{Kind: PathFile}
	}
	inet6, err := s.readText("/proc/net/if_inet6")
	if err != nil {
		return Facts{}, err
	}
	f.IPv6 = inet6 != ""
	if err := collectUsers(s, &f); err != nil {
		return Facts{}, err
	}
	if f.OwnRules, err = s.rulesInForce(); err != nil {
		return Facts{}, err
	}
	if want.State != nil {
		f.State, err = collectState(s)
	}
	return f, err
}

func collectUsers(s *reader, f *Facts) error {
	root, err := s.lookup(rootUser, rootUser)
	if err != nil {
		return err
	}
	f.RootOwner = Owner{root.uid, root.gid}
	f.User.Owner.UID, f.User.User, err = s.idOf("/etc/passwd", serviceUser)
	if err != nil {
		return err
	}
	f.User.Owner.GID, f.User.Group, err = s.idOf("/etc/group", serviceUser)
	return err
}

// collectState sums the files of the service's own folder. What is no file, or is gone or another one by now, has the empty sum.
func collectState(s *reader) (map[string]string, error) {
	entries, err := os.ReadDir(s.at(stateDir))
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, entry := range entries {
		if setAside(entry.Name()) {
			continue
		}
		sum, err := plainSHA256(s, filepath.Join(stateDir, entry.Name()))
		if err != nil && !errors.Is(err, errNotPlain) {
			return nil, err
		}
		sums[entry.Name()] = sum
	}
	return sums, nil
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// plainSHA256 sums a file that openPlain opens; one that is not there has the empty sum.
func plainSHA256(s *reader, path string) (string, error) {
	f, err := s.openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// ownDefault reports whether Nginx's default site serves something of its own: stock is the MD5 of the one that the package brought. A link that leads nowhere serves nothing.
func ownDefault(s *reader, site PathState, stock string) (bool, error) {
	file := nginxDefault
	switch site.Kind {
	case PathAbsent:
		return false, nil
	case PathLink:
		if file = site.Target; !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(nginxDefault), file)
		}
	}
	if info, err := os.Stat(s.at(file)); err == nil && !info.Mode().IsRegular() {
		return true, nil
	}
	text, err := s.readText(file)
	if err != nil || text == "" {
		return false, err
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(text))) != stock, nil
}

func collectSystemd(ctx context.Context, s *reader) (int, error) {
	comm, err := s.readText("/proc/1/comm")
	if err != nil || strings.TrimSpace(comm) != "systemd" {
		return 0, err
	}
	out, err := s.ask(ctx, querySystemd)
	if err != nil {
		return 0, err
	}
	words := strings.Fields(out)
	if len(words) < 2 {
		return 0, fmt.Errorf("systemctl --version says %q", out)
	}
	digits := strings.TrimRightFunc(words[1], func(c rune) bool { return c < '0' || c > '9' })
	digits, _, _ = strings.Cut(digits, ".")
	digits, _, _ = strings.Cut(digits, "~")
	version, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("systemctl --version says %q", words[1])
	}
	return version, nil
}

func watchedUnits() []string {
	all := []string{socketUnit, serviceUnit, handoverUnit, nginxUnit, ufwUnit, fail2banUnit, "firewalld.service", sshUnit, sshSocket}
	for _, t := range timers() {
		all = append(all, t.unit, t.service)
	}
	return all
}

func collectUnits(ctx context.Context, s *reader) (map[string]UnitState, error) {
	out, err := s.ask(ctx, queryUnits)
	if err != nil {
		if comm, readErr := s.readText("/proc/1/comm"); readErr == nil && strings.TrimSpace(comm) != "systemd" {
			return map[string]UnitState{}, nil
		}
		return nil, err
	}
	return parseUnits(out), nil
}

// parseUnits reads the blocks of `systemctl show`, one for each unit, parted by an empty line.
func parseUnits(out string) map[string]UnitState {
	units := map[string]UnitState{}
	for block := range strings.SplitSeq(out, "\n\n") {
		var u UnitState
		id := ""
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch name {
			case "Id":
				id = value
			case "LoadState":
				u.Loaded = value == "loaded"
			case "ActiveState":
				u.Active = value == "active" || value == "activating" || value == "reloading"
				u.Ending = value == "deactivating"
				u.Failed = value == "failed"
			case "SubState":
				u.Sub = value
			case "MainPID":
				if pid, err := strconv.Atoi(value); err == nil {
					u.PID = pid
				}
			case "UnitFileState":
				u.Enabled = value == "enabled"
			case "Listen":
				u.Listen = strings.TrimSpace(u.Listen + " " + value)
			}
		}
		if id != "" {
			units[id] = u
		}
	}
	return units
}

// collectCredentials tells whether systemd can hand a service its credentials.
// Some containers cannot, so a server that is new to us is tried out; later the
// unit that was written then is the answer.
func collectCredentials(ctx context.Context, s *reader, f Facts) bool {
	if unit := f.path(serviceFile); unit.Kind == PathFile {
		return strings.Contains(string(unit.Content), "\nLoadCredential=")
	}
	if f.Systemd < 247 {
		return false
	}
	_, err := s.ask(ctx, queryCredential)
	return err == nil
}
