package converge

import (
	"fmt"
	"slices"
	"strings"
)

const (
	smallMemory = 1536 << 20 // bytes; with less, installing packages alone may run out
	swapBytes   = 1 << 30
	swapSpare   = 2 << 30 // bytes that a swap file must leave free
)

// remark is a note for a plan that changes something; a server that is as it should be needs no reminders.
func (d *differ) remark(format string, args ...any) {
	d.remarks = append(d.remarks, fmt.Sprintf(format, args...))
}

// swap gives a small machine room to install packages in. It comes first.
func (d *differ) swap() {
	d.begin(GroupSwap)
	hw := d.f.Hardware
	if hw.Memory == 0 || hw.Memory > smallMemory || hw.Swap || d.f.path(swapFile).Kind != PathAbsent {
		return
	}
	why := ""
	switch {
	case hw.Container:
		why = "a container cannot make any"
	case !slices.Contains([]string{"ext4", "xfs", "ext3"}, hw.FileSystem):
		why = "its file system " + hw.FileSystem + " cannot hold a plain swap file"
	case hw.DiskFree < swapBytes+swapSpare:
		why = fmt.Sprintf("only %d MB of disk are free", hw.DiskFree>>20)
	default:
		d.add(KindSwap, swapFile, "make 1 GB of swap, for the machine has "+fmt.Sprint(hw.Memory>>20)+" MB of memory", swapStep{})
		return
	}
	d.remark("no swap was made for the %d MB of memory: %s", hw.Memory>>20, why)
}

// packages installs what is missing, in one run of apt-get.
func (d *differ) packages() {
	d.begin(GroupPackages)
	var missing []string
	want := func(name string, there bool) {
		if !there && !d.f.Dpkg.has(name) {
			missing = append(missing, name)
		}
	}
	want("nginx", d.f.nginxInstalled())
	want("ufw", d.f.Firewall.UFW != UFWAbsent || d.f.Firewall.Other != "")
	want("fail2ban", d.f.Fail2ban.OwnJail != "")
	want("python3-systemd", d.f.Fail2ban.OwnJail != "")
	want("unattended-upgrades", false)
	want("logrotate", false)
	if !d.f.nginxInstalled() {
		d.webChanged = true
	}
	if len(missing) == 0 {
		return
	}
	d.installs = true
	if left := d.f.Dpkg.Unfinished; len(left) > 0 {
		d.add(KindPackage, "unfinished", "let dpkg finish "+joinSome(left), unfinishedStep{})
	}
	d.add(KindPackage, strings.Join(missing, "+"), "install "+joinSome(missing), packageStep{names: missing})
}

// joinSome is "a, b and c", and of many only the first ones.
func joinSome(names []string) string {
	const most = 6
	switch {
	case len(names) == 1:
		return names[0]
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// system is what a server needs to carry thousands of streams, and to look after itself.
func (d *differ) system() {
	d.begin(GroupSystem)
	d.sysctls()
	if d.f.Hardware.OpenFiles >= workerFiles {
		d.file(fileStep{limitsConf, []byte(d.texts[TemplateLimits]), 0o644, rootUser, false})
	} else {
		d.remark("logins keep their limit of open files: this server allows %d, less than %d", d.f.Hardware.OpenFiles, workerFiles)
	}
	if d.file(fileStep{journaldConf, []byte(d.texts[TemplateJournald]), 0o644, rootUser, false}) {
		d.add(KindUnit, "journald", "restart the journal, which keeps what it has", restartStep{journaldUnit})
	}
	d.file(fileStep{aptConf, []byte(d.texts[TemplateApt]), 0o644, rootUser, false})
	if d.f.Passwords != "" {
		d.remark("sshd lets passwords in, by %s; it was left alone. Where everybody has a key, PasswordAuthentication no in "+
			"/etc/ssh/sshd_config.d/00-keys-only.conf shuts out who guesses them", d.f.Passwords)
	}
	d.file(fileStep{needrestartConf, []byte(d.texts[TemplateNeedrestart]), 0o644, rootUser, false})
}

func (d *differ) sysctls() {
	set, missing, owned := usableSysctls(d.f.Sysctls)
	if len(missing) > 0 {
		d.remark("this server's kernel does not let these be set, and works without: %s", strings.Join(missing, ", "))
	}
	for _, key := range owned {
		d.remark("%s stays as %s sets it", key, d.f.Sysctls[key].Owner)
	}
	if len(set) == 0 {
		return
	}
	d.file(fileStep{sysctlConf, []byte(d.texts[TemplateSysctl]), 0o644, rootUser, false})
	var differ []sysctl
	for _, w := range set {
		if w.Refused {
			d.remark("the kernel did not take %s=%s, and works without", w.Key, w.Value)
			continue
		}
		if d.f.Sysctls[w.Key].Value != w.Value {
			differ = append(differ, w)
		}
	}
	if len(differ) > 0 {
		title := "set " + plural(len(differ), "kernel setting") + " for many connections"
		d.add(KindSysctl, "kernel", title, sysctlStep{differ})
	}
}

// usableSysctls parts the wanted kernel settings into those to set, those that cannot be, and those that are a person's.
func usableSysctls(now map[string]Sysctl) (set []sysctl, missing, owned []string) {
	for _, w := range wantedSysctls() {
		switch st, there := now[w.Key]; {
		case !there || !st.Writable:
			missing = append(missing, w.Key)
		case st.Owner != "":
			owned = append(owned, w.Key)
		default:
			w.Refused = st.Refused
			set = append(set, w)
		}
	}
	return set, missing, owned
}

// fail2ban comes last: a deployer's own first connections are behind it, and its address is known to the jail.
func (d *differ) fail2ban() {
	d.begin(GroupFail2ban)
	if own := d.f.Fail2ban.OwnJail; own != "" {
		d.remark("fail2ban was left alone: %s has its own [sshd] section%s", own, ignoreHint(d.w.Client))
		return
	}
	st := fail2banStep{enable: !d.f.Units[fail2banUnit].Enabled}
	changed := d.file(fileStep{jailFile, []byte(d.texts[TemplateFail2ban]), 0o644, rootUser, false})
	if !changed && d.f.Units[fail2banUnit].Active && !st.enable {
		return
	}
	title := "start fail2ban"
	if d.f.Units[fail2banUnit].Active {
		title = "restart fail2ban"
	}
	if d.w.Client != "" {
		title += "; it never bans " + d.w.Client
	}
	d.add(KindUnit, "fail2ban", title, st)
}

func ignoreHint(client string) string {
	if client == "" {
		return ""
	}
	return "; put " + client + " into its ignoreip"
}
