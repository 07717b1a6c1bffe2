package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	configTimeout = 10 * time.Second // Match exec runs commands of the user's
	maxConfig     = 1 << 20          // bytes of one file, or of what ssh -G prints
)

// settings are what the user's ssh_config says of one server; see ssh_config(5).
// The zero value says nothing.
type settings struct {
	hostName string
	user     string
	port     uint16

	identityFiles  []string // nil: ssh's default ones
	identitiesOnly bool
	identityAgent  string // a socket; "none"; empty for SSH_AUTH_SOCK

	jump    string // the list of ProxyJump
	command string // of ProxyCommand, its % signs as they are

	userKnownHosts   []string
	globalKnownHosts []string
	hostKeyAlias     string
	strict           strictness

	timeout time.Duration // 0: none given

	noKeys, noChallenges, noPasswords bool // methods that the user has switched off
}

// strictness is StrictHostKeyChecking. What ssh calls "no" would let changed keys
// pass too, which happens nowhere here.
type strictness int

const (
	strictAsk strictness = iota
	strictYes
	strictAcceptNew
)

// query asks for the settings of a server: what was typed, and the flags.
type query struct {
	target
	jump     string
	identity string
}

// lookup finds settings. Its errors are for the person at the prompt.
type lookup func(context.Context, query) (settings, error)

// newLookup asks the ssh program, which knows every keyword of its version;
// without one the files are read here.
func newLookup() (lookup, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("no home directory to look for .ssh/config in: %w\nhint: set HOME", err)
	}
	config := ""
	// ssh finds its files by the account, not by HOME.
	if account, err := user.Current(); err == nil && account.HomeDir != home {
		config = filepath.Join(home, ".ssh", "config")
		if _, err := os.Stat(config); errors.Is(err, os.ErrNotExist) {
			config = "none"
		}
	}
	program, err := exec.LookPath("ssh")
	if err != nil {
		return configFiles{filepath.Join(home, ".ssh", "config"), "/etc/ssh/ssh_config"}.lookup, nil
	}
	return sshProgram{program, config, home}.lookup, nil
}

// sshProgram is an OpenSSH client on this machine.
type sshProgram struct {
	path   string
	config string // for -F; empty for the usual files
	home   string
}

func (p sshProgram) lookup(ctx context.Context, q query) (settings, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, configTimeout,
		fmt.Errorf("`ssh -G %s` took more than %s\nhint: look for a Match exec that hangs in ~/.ssh/config", q.name, configTimeout))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.CommandContext(ctx, p.path, p.args(q)...)
	cmd.WaitDelay = time.Second // for what Match exec left behind
	stdout, stderr := &bounded{limit: maxConfig, full: func() error {
		err := fmt.Errorf("`ssh -G %s` prints more than %d bytes\nhint: correct ~/.ssh/config", q.name, maxConfig)
		stop(err)
		return err
	}}, &tail{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return settings{}, context.Cause(ctx)
	case err != nil:
		return settings{}, fmt.Errorf("ssh's configuration cannot be used for %s: %s\nhint: correct what it names; `ssh -G %[1]s` reads the same",
			q.name, configComplaint(stderr.String(), err))
	}
	return parseSettings(string(stdout.kept), p.home)
}

func (p sshProgram) args(q query) []string {
	args := []string{"-G", "-T"}
	add := func(flag, value string) {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	add("-F", p.config)
	add("-l", q.user)
	if q.port != 0 {
		add("-p", strconv.Itoa(int(q.port)))
	}
	add("-J", q.jump)
	add("-i", q.identity)
	return append(args, "--", q.name)
}

// configComplaint is what ssh said, on one line and without what is of no use.
func configComplaint(stderr string, err error) string {
	var said []string
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Pseudo-terminal") {
			said = append(said, printable(line))
		}
	}
	if len(said) == 0 {
		return err.Error()
	}
	return strings.Join(said[:min(len(said), 4)], "; ")
}

// parseSettings reads what ssh -G prints: a keyword in lower case and its value
// on each line. Keywords of no interest here are passed over.
func parseSettings(text, home string) (settings, error) {
	var s settings
	var files []string
	for line := range strings.Lines(text) {
		keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if keyword == "identityfile" {
			files = append(files, value)
			continue
		}
		if err := s.set(keyword, value, home); err != nil {
			return settings{}, err
		}
	}
	s.setIdentities(files, home)
	return s, nil
}

// set takes one value over.
func (s *settings) set(keyword, value, home string) error {
	switch keyword {
	case "hostname":
		s.hostName = value
	case "user":
		s.user = value
	case "port":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return configError(keyword, value, "a port is a number from 1 to 65535")
		}
		s.port = uint16(port)
	case "identitiesonly":
		s.identitiesOnly = isYes(value)
	case "identityagent":
		s.identityAgent = agentSocket(value, home)
	case "proxyjump":
		s.jump = unlessNone(value)
	case "proxycommand":
		s.command = unlessNone(value)
	case "proxyusefdpass":
		if isYes(value) {
			return configError(keyword, value, "gca cannot take a connection over from another program; a ProxyCommand without it works")
		}
	case "userknownhostsfile":
		s.userKnownHosts = splitPaths(value, home)
	case "globalknownhostsfile":
		s.globalKnownHosts = splitPaths(value, home)
	case "hostkeyalias":
		s.hostKeyAlias = value
	case "stricthostkeychecking":
		s.strict = parseStrictness(value)
	case "connecttimeout":
		if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 && seconds <= 3600 {
			s.timeout = time.Duration(seconds) * time.Second
		}
	case "pubkeyauthentication":
		s.noKeys = isNo(value)
	case "kbdinteractiveauthentication", "challengeresponseauthentication":
		s.noChallenges = isNo(value)
	case "passwordauthentication":
		s.noPasswords = isNo(value)
	}
	return nil
}

func configError(keyword, value, hint string) error {
	return fmt.Errorf("ssh_config: %s %s is of no use here\nhint: %s", keyword, printable(value), hint)
}

// defaultFiles are those that ssh names where the user names none.
var defaultFiles = []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"}

// setIdentities keeps nil for ssh's default files, so that what the user chose
// can be told from what merely may exist.
func (s *settings) setIdentities(files []string, home string) {
	chosen := slices.ContainsFunc(files, func(file string) bool {
		name, found := strings.CutPrefix(file, "~/.ssh/")
		return !found || !slices.Contains(defaultFiles, name)
	})
	if !chosen && len(files) == 1 {
		chosen = true // ssh names its defaults all together
	}
	if !chosen {
		return
	}
	s.identityFiles = []string{}
	for _, file := range files {
		if file != "none" {
			s.identityFiles = append(s.identityFiles, s.expand(file, home))
		}
	}
}

// expand replaces ~ and the % signs of the TOKENS section of ssh_config(5) that
// name something known here, and ${VARIABLES}. Others stay as they are, and so
// name a file that is not there.
func (s *settings) expand(file, home string) string {
	local := ""
	if account, err := user.Current(); err == nil {
		local = account.Username
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "localhost"
	}
	short, _, _ := strings.Cut(machine, ".")
	file = strings.NewReplacer("%%", "%", "%d", home, "%h", s.hostName, "%p", strconv.Itoa(int(s.port)),
		"%r", s.user, "%u", local, "%l", machine, "%L", short, "%i", strconv.Itoa(os.Getuid())).Replace(file)
	if strings.Contains(file, "${") {
		file = os.Expand(file, os.Getenv)
	}
	return inHome(file, home)
}

func inHome(file, home string) string {
	if rest, found := strings.CutPrefix(file, "~/"); found {
		return filepath.Join(home, rest)
	}
	return file
}

// splitPaths cuts a list of files, some of which may have spaces in their names:
// each path begins at a root or at ~.
func splitPaths(value, home string) []string {
	paths := []string{}
	for word := range strings.SplitSeq(value, " ") {
		begins := filepath.IsAbs(word) || strings.HasPrefix(word, "~/") || word == "none" || len(paths) == 0
		if begins {
			paths = append(paths, word)
		} else {
			paths[len(paths)-1] += " " + word
		}
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return path == "none" || path == "" })
	for i, path := range paths {
		paths[i] = rehome(inHome(path, home), home)
	}
	return paths
}

// rehome undoes what ssh made of ~: it goes by the account, everything here by HOME.
func rehome(path, home string) string {
	account, err := user.Current()
	if err != nil {
		return path
	}
	if rest, found := strings.CutPrefix(path, account.HomeDir+string(filepath.Separator)); found {
		return filepath.Join(home, rest)
	}
	return path
}

func agentSocket(value, home string) string {
	switch {
	case value == "SSH_AUTH_SOCK":
		return ""
	case strings.HasPrefix(value, "$"):
		return os.ExpandEnv(value)
	}
	return rehome(inHome(value, home), home)
}

func unlessNone(value string) string {
	if strings.EqualFold(value, "none") {
		return ""
	}
	return value
}

func isYes(value string) bool {
	return slices.Contains([]string{"yes", "true"}, strings.ToLower(value))
}
func isNo(value string) bool { return slices.Contains([]string{"no", "false"}, strings.ToLower(value)) }

func parseStrictness(value string) strictness {
	switch strings.ToLower(value) {
	case "yes", "true":
		return strictYes
	case "accept-new", "no", "off", "false":
		return strictAcceptNew
	}
	return strictAsk
}
