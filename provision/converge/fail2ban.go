package converge

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

const (
	jailFile     = "/etc/fail2ban/jail.d/gemini-adapter.local"
	fail2banUnit = "fail2ban.service"
	keptClients  = 10 // addresses of deployers that are never banned
)

// Fail2ban is how the server's own fail2ban is set up, apart from our file.
type Fail2ban struct {
	OwnJail string // a file of a person's that has an [sshd] section; empty if none does
	Ignores bool   // ignoreip is set somewhere
	NFT     bool   // the program nft is there
}

// banAction is fail2ban's way to bar an address. Where nft is not, iptables came with ufw.
func (f Fail2ban) banAction() string {
	if f.NFT {
		return "nftables"
	}
	return "iptables-multiport"
}

// jailPorts is the jail's list; without a port that is known, the usual one.
func jailPorts(ports []int) string {
	if len(ports) == 0 {
		return "ssh"
	}
	return strings.ReplaceAll(joinPorts(ports), " ", "")
}

// collectFail2ban reads the files that fail2ban reads, in its order. defaults-debian.conf and jail.conf are the package's.
func collectFail2ban(s *reader) (Fail2ban, error) {
	files := []string{"/etc/fail2ban/jail.conf"}
	for _, pattern := range []string{"/etc/fail2ban/jail.d/*.conf", "/etc/fail2ban/jail.local", "/etc/fail2ban/jail.d/*.local"} {
		found, err := filepath.Glob(s.at(pattern))
		if err != nil {
			return Fail2ban{}, err
		}
		for _, file := range found {
			files = append(files, filepath.Join(filepath.Dir(pattern), filepath.Base(file)))
		}
	}
	f := Fail2ban{NFT: s.has("nft")}
	for _, file := range files {
		if file == jailFile {
			continue
		}
		text, err := s.readText(file)
		if err != nil {
			return Fail2ban{}, err
		}
		jail, ignores := readJail(text)
		ours := file == "/etc/fail2ban/jail.conf" || file == "/etc/fail2ban/jail.d/defaults-debian.conf"
		if jail && !ours {
			f.OwnJail = file
		}
		f.Ignores = f.Ignores || ignores
	}
	return f, nil
}

// readJail looks for an [sshd] section, and for an ignoreip that it or every section has.
func readJail(text string) (sshd, ignores bool) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.Contains(line, "]") {
			section = line[1:strings.Index(line, "]")]
			sshd = sshd || section == "sshd"
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && strings.TrimSpace(name) == "ignoreip" && (section == "DEFAULT" || section == "sshd") {
			ignores = true
		}
	}
	return sshd, ignores
}

// deployers are the addresses that deploys came from: those of our file, and at the end a client that is new. Of too many the
// first are left out, the client never. A client that is known keeps its place, so that its next deploy changes nothing.
func deployers(jail, client string) []string {
	var found []string
	for line := range strings.Lines(jail) {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(name) != "ignoreip" {
			continue
		}
		for word := range strings.FieldsSeq(value) {
			found = appendClient(found, word)
		}
	}
	found = appendClient(found, client)
	current := appendClient(nil, client)
	for len(found) > keptClients {
		oldest := 0
		if slices.Contains(current, found[0]) {
			oldest = 1
		}
		found = slices.Delete(found, oldest, oldest+1)
	}
	return found
}

// appendClient takes an address up once; networks and loopback are no deployers.
func appendClient(list []string, text string) []string {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return list
	}
	address = address.Unmap().WithZone("")
	if address.IsLoopback() || slices.Contains(list, address.String()) {
		return list
	}
	return append(list, address.String())
}
