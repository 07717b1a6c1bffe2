package converge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// logins is who gets in, to the server and to the adapter. It comes last, behind a timer that takes everything back unless a
// new login gets in.
func (d *differ) logins() {
	at := len(d.steps)
	d.firewall()
	d.sshd()
	if len(d.steps) == at {
		return
	}
	d.begin(d.steps[at].group)
	_, name, _ := strings.Cut(ArmedStep, ":")
	d.steps = slices.Insert(d.steps, at, d.step(KindUnit, name,
		fmt.Sprintf("arm a timer that takes everything back in %s, unless a new login gets in", plural(int(deadManTime/time.Minute), "minute")), deadManStep{d.w.releaseGCA(), "a new SSH login after a change of the firewall or of sshd", deadManTime}))
}

// webPorts are those that clients come in by.
func webPorts(s Settings) []int {
	if s.TLSName == "" {
		return []int{webPort}
	}
	return []int{webPort, tlsPort}
}

// narrowed is the one of them that some networks may have to themselves: by the other one certificates are got.
func narrowed(s Settings) int {
	if s.TLSName == "" {
		return webPort
	}
	return tlsPort
}

// letWebIn opens what clients come in by in a firewall that is on, before the CA comes that way: to open shuts nobody out.
func (d *differ) letWebIn() {
	if d.f.Firewall.UFW != UFWActive || d.w.Firewall == FirewallOff {
		return
	}
	var st firewallStep
	for _, port := range webPorts(d.s) {
		st.open = append(st.open, d.missing(port)...)
	}
	if len(st.open) > 0 {
		before := d.group
		d.begin(GroupFirewall)
		d.add(KindFirewall, "web", st.title(), st)
		d.begin(before)
	}
}

// missing is what is still to be opened of a port of the web: for the want's networks or, where it names none, for everybody,
// unless somebody has narrowed that down before.
func (d *differ) missing(port int) []opening {
	fw := d.f.Firewall
	if len(d.w.AllowFrom) == 0 || port != narrowed(d.s) {
		if fw.allows(port) {
			return nil
		}
		return []opening{{port: port}}
	}
	var open []opening
	for _, network := range d.w.AllowFrom {
		if o := (opening{port, network}); !o.in(fw.Rules) {
			open = append(open, o)
		}
	}
	return open
}

// surplus are the rules that let others in than the want's networks.
func (d *differ) surplus() []Rule {
	var rules []Rule
	for _, rule := range d.f.Firewall.Rules {
		wanted := slices.ContainsFunc(d.w.AllowFrom, func(network string) bool { return rule.matches(network) })
		if len(d.w.AllowFrom) > 0 && rule.alone(narrowed(d.s)) && !wanted {
			rules = append(rules, rule)
		}
	}
	return rules
}

func (d *differ) firewall() {
	d.begin(GroupFirewall)
	fw := d.f.Firewall
	switch {
	case d.w.Firewall == FirewallOff:
		d.shut(slices.DeleteFunc(webPorts(d.s), fw.allows))
		return
	case fw.UFW != UFWActive && fw.Other != "":
		d.leave("ufw was left alone: " + fw.Other + " filters on this server; let TCP port " + joinPorts(webPorts(d.s)) + " in there" + letInThere(fw.Other, webPorts(d.s)))
		return
	case len(d.f.SSHPorts) == 0:
		d.notes = append(d.notes, "ufw was left alone: the port of SSH could not be found, and to close it would lock you out")
		return
	}
	if others := cutOff(d.f, d.s); d.w.Firewall == FirewallAuto && fw.UFW != UFWActive && len(others) > 0 {
		d.notes = append(d.notes, fmt.Sprintf("ufw was not turned on, since it would cut off %s; to have it on: ufw allow PORT for each of these that others need, "+
			"ufw allow %d/tcp, ufw allow %s/tcp, ufw enable", joinSome(others), d.f.SSHPorts[0], commas(webPorts(d.s))))
		return
	}
	unit := d.f.Units[ufwUnit]
	st := firewallStep{start: fw.UFW != UFWActive, boot: !unit.Enabled && (unit.Loaded || fw.UFW == UFWAbsent), close: d.surplus()}
	for _, port := range d.f.SSHPorts {
		if !fw.allows(port) {
			st.open = append(st.open, opening{port: port})
		}
	}
	if st.start {
		for _, port := range webPorts(d.s) {
			st.open = append(st.open, d.missing(port)...)
		}
	}
	slices.SortStableFunc(st.open, func(a, b opening) int { return a.port - b.port })
	if len(st.open)+len(st.close) > 0 || st.boot {
		d.add(KindFirewall, "ufw", st.title(), st)
	}
}

// shut notes the ports that an active ufw, which is to be left alone, lets nobody in by.
func (d *differ) shut(ports []int) {
	if d.f.Firewall.UFW != UFWActive || len(ports) == 0 {
		return
	}
	commands := make([]string, 0, len(ports))
	for _, port := range ports {
		commands = append(commands, fmt.Sprintf("ufw allow %d/tcp", port))
	}
	d.leave("ufw was left alone, and lets nobody in by TCP port " + joinPorts(ports) + ": " + strings.Join(commands, " && "))
}

// leave notes that a firewall is left alone which may keep clients out, with what lets them in.
func (d *differ) leave(note string) {
	d.notes = append(d.notes, note)
	d.closed = note
}

// refuseFirewall says why the firewall cannot be as it is wanted, or nil.
func refuseFirewall(f Facts, w Want, s Settings) *Refusal {
	if w.Scope == ScopeAdapter {
		return nil
	}
	fw, port := f.Firewall, narrowed(s)
	if len(w.AllowFrom) > 0 {
		switch {
		case fw.UFW != UFWActive && fw.Other != "":
			return refuse(RefusedFirewall, "let "+strings.Join(w.AllowFrom, " and ")+" in there, and deploy without --allow-from",
				"--allow-from is for ufw, and %s filters on this server", fw.Other)
		case len(f.SSHPorts) == 0:
			return refuse(RefusedFirewall, "systemctl status ssh", "--allow-from needs ufw, which stays off: the port of SSH could not be found")
		}
		for _, rule := range fw.Rules {
			if rule.covers(port) && !rule.alone(port) {
				return refuse(RefusedFirewall, "ufw status numbered, then ufw delete NUMBER of that rule, and a rule of its own for what else it lets in",
					"ufw lets port %d in by a rule that is for more than that: %s", port, rule.To)
			}
		}
	}
	if others := cutOff(f, s); fw.UFW != UFWActive && len(others) > 0 && len(w.AllowFrom) > 0 && w.Firewall == FirewallAuto {
		return refuse(RefusedFirewall, "the same command with --firewall=strict, or ufw allow PORT for each that others need and ufw enable, before",
			"--allow-from needs ufw on, which would cut off %s", joinSome(others))
	}
	if others := cutOff(f, s); w.Firewall == FirewallStrict && fw.Other == "" && fw.UFW != UFWActive && len(others) > 0 && !slices.Contains(w.Risks, RiskClosePorts) {
		return refuse(RefusedRisk, "the same command with --accept-risk "+RiskClosePorts+", or first: ufw allow PORT for each that others need",
			"--firewall=strict would cut off %s", joinSome(others))
	}
	return nil
}

// letInThere is how ports are let in by another firewall, where that can be told.
func letInThere(other string, ports []int) string {
	switch other {
	case "firewalld":
		return ": firewall-cmd --permanent --add-service=http --add-service=https && firewall-cmd --reload"
	case iptablesRules:
		return ": iptables -I INPUT -p tcp -m multiport --dports " + commas(ports) + " -j ACCEPT && netfilter-persistent save"
	}
	return ""
}

func commas(ports []int) string { return strings.ReplaceAll(joinPorts(ports), " ", "") }

// cutOff names what others can reach now and could not once ufw filters. Docker's published ports pass ufw by.
func cutOff(f Facts, s Settings) []string {
	var names []string
	for _, list := range []struct {
		protocol  string
		listeners []Listener
	}{{"tcp", f.Listeners}, {"udp", f.Datagrams}} {
		for _, l := range list.listeners {
			open := list.protocol == "tcp" && (slices.Contains(webPorts(s), l.Port) || slices.Contains(f.SSHPorts, l.Port))
			if open || isLoopback(l.Address) || slices.Contains(unheard(), l.Program) {
				continue
			}
			program := l.Program
			if program == "" {
				program = "the kernel"
			}
			names = append(names, fmt.Sprintf("%s on port %d/%s", program, l.Port, list.protocol))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unheard are programs that listen everywhere and that nobody from elsewhere asks: clients of DHCP, time, names. systemd
// itself is none: it listens for services that are started by their first client.
func unheard() []string {
	return []string{"systemd-resolve", "systemd-network", "systemd-timesyn", "dhclient", "dhcpcd", "NetworkManager",
		"chronyd", "ntpd", "avahi-daemon", "rpcbind", "docker-proxy"}
}

func (st firewallStep) title() string {
	var parts []string
	if len(st.open) > 0 {
		parts = append(parts, "let TCP "+portWord(len(st.open))+joinOpenings(st.open)+" in")
	}
	if len(st.close) > 0 {
		parts = append(parts, "take away what lets others in there")
	}
	title := strings.Join(parts, ", ")
	switch {
	case title == "":
		return "turn ufw on at boot"
	case st.start:
		return title + ", then turn ufw on"
	case st.boot:
		return title + ", and turn ufw on at boot"
	}
	return title
}

func portWord(n int) string {
	if n == 1 {
		return "port "
	}
	return "ports "
}

func joinOpenings(list []opening) string {
	texts := make([]string, 0, len(list))
	for _, o := range list {
		texts = append(texts, o.String())
	}
	return strings.Join(texts, ", ")
}

func joinPorts(ports []int) string {
	texts := make([]string, 0, len(ports))
	for _, port := range ports {
		texts = append(texts, strconv.Itoa(port))
	}
	return strings.Join(texts, ", ")
}
