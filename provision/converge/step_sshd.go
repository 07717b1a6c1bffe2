package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// keysOnlyConf comes before 50-cloud-init.conf and everything else that may let passwords in: what sshd reads first counts
// (sshd_config(5)). The second name is known to every version of sshd; newer ones call it KbdInteractiveAuthentication.
const (
	sshdConf     = "/etc/ssh/sshd_config"
	keysOnlyConf = "/etc/ssh/sshd_config.d/00-gca.conf"
	privsepDir   = "/run/sshd" // without it sshd judges no settings; it is its services' own, and may be gone with the last of them
	keysOnlyText = "# Written by gca deploy --harden-ssh: keys alone.\nPasswordAuthentication no\nChallengeResponseAuthentication no\n"
)

// sshd has passwords shut out, where that is wanted and they are let in.
func (d *differ) sshd() {
	if !d.w.Harden || d.f.KeysOnly {
		return
	}
	d.begin(GroupSSH)
	d.add(KindSSH, "keys-only", "let keys alone in: write "+keysOnlyConf+", then have sshd read it", sshdStep{})
}

// refuseHarden says why sshd cannot be made to take keys alone, or nil.
func refuseHarden(f Facts, w Want) *Refusal {
	switch {
	case !w.Harden || f.KeysOnly:
		return nil
	case !f.SSHD:
		return refuse(RefusedLogin, "sshd -T on the server says why", "sshd does not tell its settings, so nobody knows whom --harden-ssh would shut out")
	case !w.KeyLogin:
		return refuse(RefusedLogin, "ssh-copy-id to this login, then deploy with the key: -i FILE",
			"--harden-ssh lets keys alone in, and this very login came in without one")
	case !slices.Contains(w.Risks, RiskPasswords):
		who := "whoever logs in with a password is shut out"
		if len(f.Keyless) > 0 {
			who += ", those without a key for good: user " + joinSome(f.Keyless)
		}
		return refuse(RefusedRisk, "the same command with --accept-risk "+RiskPasswords, "--harden-ssh lets keys alone in: %s", who)
	}
	return nil
}

// sshdStep has sshd take keys alone. Connections that are open stay.
type sshdStep struct{}

func (sshdStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(keysOnlyConf, false)
	return reversal{Undo: []action{a}, Settle: []action{{Op: opSSHReload}}}, err
}

func (st sshdStep) apply(ctx context.Context, r *run) error {
	if err := st.try(ctx, r.sys); err != nil {
		return err
	}
	root, err := r.sys.lookup(rootUser, rootUser)
	if err != nil {
		return err
	}
	if err := r.sys.writeFile(keysOnlyConf, []byte(keysOnlyText), 0o644, root); err != nil {
		return err
	}
	return action{Op: opSSHReload}.do(ctx, r.sys)
}

// try has sshd judge the whole of its settings with ours before them, while none of them is in place.
func (sshdStep) try(ctx context.Context, s *system) (err error) {
	staged := runDir + "/sshd_config"
	text := keysOnlyText + "Include " + s.at(sshdConf) + "\n"
	if err := os.WriteFile(s.at(staged), []byte(text), 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(s.at(staged))) }()
	if err := os.MkdirAll(s.at(privsepDir), 0o755); err != nil {
		return err
	}
	if _, err := s.run(ctx, "sshd", "-t", "-f", s.at(staged)); err != nil {
		return fmt.Errorf("sshd would not start with its settings\n%w", err)
	}
	return nil
}

func (sshdStep) check(ctx context.Context, r *run) error {
	settings := askSSHD(ctx, &r.sys.reader)
	if !settings.known {
		return errors.New("sshd does not tell its settings any more")
	}
	if !settings.keysOnly() {
		return withHint(errors.New("sshd still lets passwords in"),
			"see that "+sshdConf+" begins with: Include /etc/ssh/sshd_config.d/*.conf")
	}
	return nil
}

// keylessUsers are those with a password to log in with, and no file of keys.
func keylessUsers(s *reader) ([]string, error) {
	shadow, err := s.readText("/etc/shadow")
	if err != nil {
		return nil, err
	}
	passwd, err := s.readText("/etc/passwd")
	if err != nil {
		return nil, err
	}
	var users []string
	for line := range strings.Lines(shadow) {
		w := strings.Split(strings.TrimSpace(line), ":")
		if len(w) < 2 || !strings.HasPrefix(w[1], "$") { // locked ones have ! or * before
			continue
		}
		// What cannot be read as a plain file lets nobody in either.
		file, err := s.openPlain(homeOf(passwd, w[0]) + "/.ssh/authorized_keys")
		if err != nil {
			users = append(users, w[0])
			continue
		}
		info, err := file.Stat()
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		if info.Size() == 0 {
			users = append(users, w[0])
		}
	}
	slices.Sort(users)
	return users, nil
}

func homeOf(passwd, user string) string {
	for line := range strings.Lines(passwd) {
		if w := strings.Split(strings.TrimSpace(line), ":"); len(w) > 5 && w[0] == user {
			return w[5]
		}
	}
	return "/nonexistent"
}
