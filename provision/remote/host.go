package remote

import (
	"fmt"
	"net"
	"net/netip"
	"os/user"
	"strconv"
	"strings"
	"unicode"
)

const (
	defaultPort  = 22
	maxHostInput = 512
	maxHostName  = 253 // RFC 1035: 255 octets on the wire
	maxUserName  = 128
)

// Host names a login on a server: a user, a name or IP address, and a TCP port
// from 1 to 65535. It is made by [ParseHost] and [Resolve] alone
// and can be compared with ==.
type Host struct {
	user string
	name string
	port uint16
}

// ParseHost reads user@host[:port]. An IPv6 address stands in brackets. The port
// defaults to 22 and the user, as with ssh, to the local user's name. Host
// names become lower case, the form that known_hosts files use.
func ParseHost(text string) (Host, error) {
	typed, err := parseTarget(text)
	if err != nil {
		return Host{}, err
	}
	host := Host{user: typed.user, port: typed.port}
	if host.name, err = checkName(text, typed.name); err != nil {
		return Host{}, err
	}
	if host.user == "" {
		if host.user, err = localUser(text); err != nil {
			return Host{}, err
		}
	}
	if host.port == 0 {
		host.port = defaultPort
	}
	return host, nil
}

// target is a host as it was typed: an empty user and a port of 0 were left out,
// and the name may be an alias of ssh_config.
type target struct {
	user string
	name string
	port uint16
}

func parseTarget(text string) (target, error) {
	if err := checkHostText(text); err != nil {
		return target{}, err
	}
	login, address := "", text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		login, address = text[:at], text[at+1:]
		if err := checkUser(text, login); err != nil {
			return target{}, err
		}
	}
	name, port, err := splitAddress(text, address)
	if err != nil {
		return target{}, err
	}
	if _, err := checkName(text, name); err != nil {
		return target{}, err
	}
	return target{user: login, name: name, port: port}, nil
}

// User is the login name on the server.
func (h Host) User() string { return h.user }

// Name is the host name or the IP address, without brackets.
func (h Host) Name() string { return h.name }

// Port is the TCP port of the SSH server.
func (h Host) Port() int { return int(h.port) }

// Addr is name:port, with an IPv6 address in brackets.
func (h Host) Addr() string { return net.JoinHostPort(h.name, strconv.Itoa(h.Port())) }

// WithPort is the same login at another port, 1 to 65535.
func (h Host) WithPort(port int) (Host, error) {
	if port < 1 || port > 65535 {
		return Host{}, fmt.Errorf("port %d is out of range\nhint: ports are 1 to 65535; SSH's own is 22", port)
	}
	h.port = uint16(port)
	return h, nil
}

// String is user@host, with :port unless that is 22. [ParseHost] reads it back.
func (h Host) String() string {
	if h.port != defaultPort {
		return h.user + "@" + h.Addr()
	}
	if strings.Contains(h.name, ":") {
		return h.user + "@[" + h.name + "]"
	}
	return h.user + "@" + h.name
}

func hostError(text, problem, hint string) error {
	return fmt.Errorf("host %q: %s\nhint: %s", text, problem, hint)
}

const hostForm = "write user@host or user@host:port, such as root@203.0.113.9 or root@[2001:db8::1]:2222"

func checkHostText(text string) error {
	switch {
	case text == "":
		return hostError(text, "no host given", hostForm)
	case len(text) > maxHostInput:
		return hostError(text[:32]+"...", fmt.Sprintf("longer than %d characters", maxHostInput), hostForm)
	case strings.HasPrefix(text, "-"):
		return hostError(text, "starts with a dash, as an option does", hostForm)
	case strings.Contains(text, "://"):
		return hostError(text, "is a URL", hostForm)
	}
	return checkLetters(text, text)
}

// checkLetters refuses what no name has, in the part of text that is looked at: users come from ssh_config too.
func checkLetters(text, part string) error {
	for _, r := range part {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return hostError(text, "holds a space or a control character", hostForm)
		}
		if r > unicode.MaxASCII {
			return hostError(text, fmt.Sprintf("holds %q, which is not ASCII", r), "write the xn-- form of the name, or the IP address")
		}
	}
	return nil
}

func checkUser(text, login string) error {
	switch {
	case login == "":
		return hostError(text, "no user before the @", hostForm)
	case len(login) > maxUserName:
		return hostError(text, fmt.Sprintf("user longer than %d characters", maxUserName), hostForm)
	case login[0] == '-' || strings.ContainsAny(login, `:/"'`+"`$;&|<>(){}[]"):
		return hostError(text, fmt.Sprintf("%q is not a user name", login), hostForm)
	}
	return checkLetters(text, login)
}

// splitAddress cuts host[:port], where a bare IPv6 address would be ambiguous. A
// port that is not there is 0.
func splitAddress(text, address string) (string, uint16, error) {
	if strings.HasPrefix(address, "[") {
		name, rest, closed := strings.Cut(address[1:], "]")
		if !closed || !strings.Contains(name, ":") {
			return "", 0, hostError(text, "brackets are for an IPv6 address", hostForm)
		}
		if rest == "" {
			return name, 0, nil
		}
		if rest[0] != ':' {
			return "", 0, hostError(text, fmt.Sprintf("%q after the bracket", rest), hostForm)
		}
		port, err := parsePort(text, rest[1:])
		return name, port, err
	}
	switch strings.Count(address, ":") {
	case 0:
		return address, 0, nil
	case 1:
		name, digits, _ := strings.Cut(address, ":")
		port, err := parsePort(text, digits)
		return name, port, err
	default:
		return "", 0, hostError(text, "more than one colon", "an IPv6 address stands in brackets: root@[2001:db8::1]:2222")
	}
}

func parsePort(text, digits string) (uint16, error) {
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || digits[0] == '+' {
		return 0, hostError(text, fmt.Sprintf("port %q is not a number from 1 to 65535", digits), hostForm)
	}
	return uint16(port), nil
}

// checkName returns the canonical form of an IP address or host name.
func checkName(text, name string) (string, error) {
	if name == "" {
		return "", hostError(text, "no host name", hostForm)
	}
	if strings.Contains(name, ":") {
		addr, err := netip.ParseAddr(name)
		if err != nil || strings.ContainsAny(addr.Zone(), "@[]:%/") {
			return "", hostError(text, fmt.Sprintf("%q is not an IPv6 address", name), hostForm)
		}
		return addr.String(), nil
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.String(), nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(name) > maxHostName {
		return "", hostError(text, fmt.Sprintf("name longer than %d characters", maxHostName), hostForm)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return "", hostError(text, fmt.Sprintf("%q is not a host name", name), hostForm)
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "", hostError(text, fmt.Sprintf("%q is not an IPv4 address", name), "an IPv4 address is four numbers from 0 to 255")
	}
	return name, nil
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, r := range label {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}

func localUser(text string) (string, error) {
	account, err := user.Current()
	if err != nil {
		return "", hostError(text, "no user given, and the local one is unknown", hostForm)
	}
	// Windows says DOMAIN\name.
	login := account.Username[strings.LastIndexByte(account.Username, '\\')+1:]
	if checkUser(text, login) != nil {
		return "", hostError(text, fmt.Sprintf("no user given, and the local name %q is none for a server", login), hostForm)
	}
	return login, nil
}
