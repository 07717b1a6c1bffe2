package converge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// nginx puts the site in place, after Nginx itself has found it good.
func (d *differ) nginx() {
	d.begin(GroupNginx)
	at := len(d.steps)
	connections := newConnections(d.f, d.s)
	changed := d.file(fileStep{nginxMain, []byte(d.texts[TemplateMain]), 0o644, rootUser, false})
	changed = d.file(fileStep{nginxSite, []byte(d.texts[TemplateSite]), 0o644, rootUser, false}) || changed
	changed = d.link(nginxEnabled, nginxSite) || changed
	if d.f.path(nginxDefault).Kind != PathAbsent || !d.f.nginxInstalled() {
		changed = true
		d.add(KindLink, nginxDefault, "take the stock default site out of Nginx", absentStep{nginxDefault})
	}
	if text := string(d.f.path(nginxConf).Content); connections.raises() && !d.f.nginxInstalled() || connections.edit(text) != text {
		changed = true
		d.add(KindFile, nginxConf, fmt.Sprintf("let each Nginx worker hold %d connections", connections.most), connections)
	}
	if changed {
		d.steps = slices.Insert(d.steps, at, d.step(KindCheck, "nginx", "let Nginx check the site before it is in place",
			stagedNginxStep{d.texts[TemplateSite], d.texts[TemplateMain], connections}))
	}
	limits := d.f.Hardware.OpenFiles > 0 &&
		d.file(fileStep{nginxLimits, []byte(d.texts[TemplateNginxUnit]), 0o644, rootUser, false})
	if hw := d.f.Hardware; hw.OpenFiles < workerFiles {
		d.remark("Nginx may open %d files, for this server allows no more; %d would carry more streams", hw.OpenFiles, workerFiles)
	}
	unit := d.f.Units[nginxUnit]
	if !changed && !limits && !d.certChanged && unit.Active && unit.Enabled {
		return
	}
	d.webChanged = true
	title := "reload Nginx"
	if !unit.Active {
		title = "start Nginx"
	}
	d.add(KindNginx, "nginx", title, nginxStep{enable: !unit.Enabled, reread: limits})
}

func (d *differ) firewall() {
	d.begin(GroupFirewall)
	fw := d.f.Firewall
	if d.w.Scope == ScopeAdapter {
		d.letWebIn()
		return
	}
	d.published()
	if fw.UFW != UFWActive && fw.Other != "" {
		d.notes = append(d.notes, "ufw was left alone: "+fw.Other+" filters on this server; let TCP port "+joinPorts(d.webPorts())+" in there")
		return
	}
	if len(d.f.SSHPorts) == 0 {
		d.notes = append(d.notes, "ufw was left alone: the port of SSH could not be found, and to close it would lock you out")
		return
	}
	if others := d.cutOff(); fw.UFW != UFWActive && len(others) > 0 {
		d.notes = append(d.notes, fmt.Sprintf("ufw was not turned on, since it would cut off %s; to have it on: ufw allow PORT for each of these that others need, "+
			"ufw allow %d/tcp, ufw allow %s/tcp, ufw enable", joinSome(others), d.f.SSHPorts[0], strings.ReplaceAll(joinPorts(d.webPorts()), " ", "")))
		return
	}
	unit := d.f.Units[ufwUnit]
	st := firewallStep{start: fw.UFW != UFWActive, boot: !unit.Enabled && (unit.Loaded || fw.UFW == UFWAbsent)}
	for _, port := range slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(d.f.SSHPorts), d.webPorts()...)))) {
		if fw.UFW != UFWActive || !fw.allows(port) {
			st.ports = append(st.ports, port)
		}
	}
	if len(st.ports) > 0 || st.boot {
		d.add(KindFirewall, "ufw", st.title(), st)
	}
}

// letWebIn opens what the adapter needs in a firewall that is on, and leaves all else to the next deploy.
func (d *differ) letWebIn() {
	var st firewallStep
	for _, port := range d.webPorts() {
		if d.f.Firewall.UFW == UFWActive && !d.f.Firewall.allows(port) {
			st.ports = append(st.ports, port)
		}
	}
	if len(st.ports) > 0 {
		d.add(KindFirewall, "ufw", st.title(), st)
	}
}

// webPorts are those that clients come in by.
func (d *differ) webPorts() []int {
	if d.s.TLSName == "" {
		return []int{webPort}
	}
	return []int{webPort, tlsPort}
}

// cutOff names what others can reach now and could not once ufw filters. Docker's published ports pass ufw by.
func (d *differ) cutOff() []string {
	var names []string
	for _, list := range []struct {
		protocol  string
		listeners []Listener
	}{{"tcp", d.f.Listeners}, {"udp", d.f.Datagrams}} {
		for _, l := range list.listeners {
			open := list.protocol == "tcp" && (slices.Contains(d.webPorts(), l.Port) || slices.Contains(d.f.SSHPorts, l.Port))
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

// published notes what Docker lets in past every rule of ufw.
func (d *differ) published() {
	var ports []int
	for _, l := range d.f.Listeners {
		if l.Program == "docker-proxy" && !isLoopback(l.Address) {
			ports = append(ports, l.Port)
		}
	}
	if len(ports) > 0 {
		d.remark("Docker lets TCP port %s in, whatever ufw says; to close it, publish it as 127.0.0.1:PORT:PORT", joinPorts(slices.Compact(ports)))
	}
}

func (st firewallStep) title() string {
	title := "let TCP ports " + joinPorts(st.ports) + " in"
	if len(st.ports) == 1 {
		title = "let TCP port " + joinPorts(st.ports) + " in"
	}
	switch {
	case len(st.ports) == 0:
		return "turn ufw on at boot"
	case st.start:
		return title + ", then turn ufw on"
	case st.boot:
		return title + ", and turn ufw on at boot"
	}
	return title
}

func joinPorts(ports []int) string {
	texts := make([]string, 0, len(ports))
	for _, port := range ports {
		texts = append(texts, strconv.Itoa(port))
	}
	return strings.Join(texts, ", ")
}
