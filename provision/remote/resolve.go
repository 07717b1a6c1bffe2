package remote

import (
	"context"
	"fmt"
	"os/user"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// maxHops bounds the jump hosts on the way to a server: a loop in ssh_config ends there.
const maxHops = 8

// stop is one login on the way to a server; the last one is the server itself.
type stop struct {
	host     Host
	alias    string // as it was typed
	settings settings
	identity string        // the only key to offer, if set
	hostKey  ssh.PublicKey // the only one to accept, where one was accepted before; else nil
}

// Resolve reads [user@]host[:port], where host may be an alias of the user's
// ssh_config, and finds the way there: the real name, user and port, jump hosts,
// keys and known hosts. What the options already say wins, then the text, then
// ssh_config. It asks `ssh -G`, so commands of Match exec run; where there is no
// ssh program it reads the files itself.
//
// The options are completed with what [Dial] needs for this host, and with a
// memory of what is typed, which their copies share. The error says what is wrong
// with the text or the configuration.
func Resolve(ctx context.Context, text string, o *Options) (Host, error) {
	typed, err := parseTarget(text)
	if err != nil {
		return Host{}, err
	}
	if o.Port != 0 {
		if _, err := (Host{}).WithPort(o.Port); err != nil {
			return Host{}, err
		}
		typed.port = uint16(o.Port)
	}
	find, err := newLookup()
	if err != nil {
		return Host{}, err
	}
	last, err := find.stop(ctx, text, query{target: typed, jump: o.Jump, identity: o.IdentityFile})
	if err != nil {
		return Host{}, err
	}
	last.identity = o.IdentityFile
	hops, err := find.hops(ctx, last.settings.jump, 0)
	if err != nil {
		return Host{}, err
	}
	o.way = append(hops, last)
	if o.memory == nil {
		o.memory = &memory{}
	}
	return last.host, nil
}

// stop makes one login of what was typed and what ssh_config adds.
func (find lookup) stop(ctx context.Context, text string, q query) (stop, error) {
	s, err := find(ctx, q)
	if err != nil {
		return stop{}, err
	}
	host := Host{user: s.user, port: s.port}
	if host.name, err = checkName(s.hostName, s.hostName); err != nil {
		return stop{}, err
	}
	if host.port == 0 {
		host.port = defaultPort
	}
	account, err := user.Current()
	if host.user == "" || q.user == "" && err == nil && host.user == account.Username {
		host.user, err = localUser(text)
	} else {
		err = checkUser(text, host.user)
	}
	return stop{host: host, alias: q.name, settings: s}, err
}

// hops finds the logins of a ProxyJump list, in the order of the dials. As with
// ssh, the first one may have a jump of its own; for the others the list says it all.
func (find lookup) hops(ctx context.Context, list string, depth int) ([]stop, error) {
	if list == "" || strings.EqualFold(list, "none") {
		return nil, nil
	}
	items := strings.Split(list, ",")
	if depth+len(items) > maxHops {
		return nil, fmt.Errorf("the way has more than %d jump hosts, the next being %q\nhint: look for a ProxyJump "+
			"in ~/.ssh/config that leads back to its own host", maxHops, printable(items[0]))
	}
	var way []stop
	for i, item := range items {
		typed, err := parseTarget(unbracket(item))
		if err != nil {
			return nil, fmt.Errorf("jump %w", err)
		}
		q := query{target: typed}
		if i > 0 {
			q.jump = items[i-1]
		}
		hop, err := find.stop(ctx, item, q)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			if way, err = find.hops(ctx, hop.settings.jump, depth+len(items)); err != nil {
				return nil, err
			}
		}
		way = append(way, hop)
	}
	return way, nil
}

// unbracket takes the brackets off an IPv4 address, where ssh -G puts them too.
func unbracket(item string) string {
	begin, rest, found := strings.Cut(item, "[")
	inner, end, closed := strings.Cut(rest, "]")
	if !found || !closed || strings.Contains(inner, ":") {
		return item
	}
	return begin + inner + end
}

// printable is text from elsewhere, fit to be shown on a terminal.
func printable(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if runes := []rune(clean); len(runes) > maxShown {
		clean = string(runes[:maxShown]) + "..."
	}
	return strings.TrimSpace(clean)
}

// maxShown bounds, in characters, a text of somebody else's that is shown.
const maxShown = 300
