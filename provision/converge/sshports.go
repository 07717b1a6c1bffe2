package converge

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sshdSettings is what sshd says of itself.
type sshdSettings struct {
	known     bool // it said something
	ports     []int
	passwords bool // it lets passwords in
	questions bool // or answers to questions, of which a password is one
}

// askSSHD asks sshd for its settings. Without an answer the listeners have to do.
func askSSHD(ctx context.Context, s *reader) sshdSettings {
	out, err := s.ask(ctx, querySSHD)
	if err != nil && strings.Contains(err.Error(), "privilege separation directory") {
		out, err = s.ask(ctx, querySSHDApart) // ssh.socket starts a service for each connection, whose end takes the folder away
	}
	if err != nil {
		return sshdSettings{}
	}
	return parseSSHD(out)
}

// passwordFile names the file that has sshd let passwords in. The first one that says anything counts (sshd_config(5)).
func passwordFile(s *reader) (string, error) {
	files, err := filepath.Glob(s.at("/etc/ssh/sshd_config.d/*.conf"))
	if err != nil {
		return "", err
	}
	paths := []string{}
	for _, file := range files {
		paths = append(paths, "/etc/ssh/sshd_config.d/"+filepath.Base(file))
	}
	for _, path := range append(paths, "/etc/ssh/sshd_config") {
		text, err := s.readText(path)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(text) {
			if w := strings.Fields(line); len(w) > 1 && strings.EqualFold(w[0], "PasswordAuthentication") {
				return path, nil
			}
		}
	}
	return "", nil
}

// parseSSHD reads what `sshd -T` prints.
func parseSSHD(out string) sshdSettings {
	settings := sshdSettings{known: true}
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		switch w[0] {
		case "port":
			settings.ports = appendPort(settings.ports, w[1])
		case "listenaddress":
			if _, port, err := net.SplitHostPort(w[1]); err == nil {
				settings.ports = appendPort(settings.ports, port)
			}
		case "passwordauthentication":
			settings.passwords = w[1] == "yes"
		case "kbdinteractiveauthentication", "challengeresponseauthentication": // the latter before OpenSSH 8.7
			settings.questions = settings.questions || w[1] == "yes"
		}
	}
	return settings
}

// keysOnly reports whether nothing but a key gets in.
func (s sshdSettings) keysOnly() bool { return s.known && !s.passwords && !s.questions }

// sshPorts joins every sign of a port that SSH is used on: the configuration,
// the listeners, ssh.socket, and the port that the laptop arrived at, if it is known.
func sshPorts(f Facts, configured []int, arrived int) []int {
	ports := slices.Clone(configured)
	for _, l := range f.Listeners {
		if strings.HasPrefix(l.Program, "sshd") || l.Program == "dropbear" {
			ports = append(ports, l.Port)
		}
	}
	if socket := f.Units[sshSocket]; socket.Active {
		for word := range strings.FieldsSeq(socket.Listen) {
			if _, port, err := net.SplitHostPort(word); err == nil {
				ports = appendPort(ports, port)
			}
		}
	}
	if arrived != 0 {
		ports = append(ports, arrived)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func appendPort(ports []int, text string) []int {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return ports
	}
	return append(ports, port)
}

func parentConnection(s *reader, pid int) (connection string, parent int) {
	dir := "/proc/" + strconv.Itoa(pid)
	environ, err := s.readText(dir + "/environ")
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return "", 0
	}
	for variable := range strings.SplitSeq(environ, "\x00") {
		if value, ok := strings.CutPrefix(variable, "SSH_CONNECTION="); ok {
			return value, 0
		}
	}
	stat, err := s.readText(dir + "/stat")
	if err != nil {
		return "", 0
	}
	// "pid (name) state ppid …"; the name may hold anything but is the last to end with a parenthesis.
	if w := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]); len(w) > 1 {
		if parent, err = strconv.Atoi(w[1]); err == nil {
			return "", parent
		}
	}
	return "", 0
}
