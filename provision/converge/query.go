package converge

// query is a question that a server can be asked without changing anything on it. The set is closed: a query has no
// arguments, so that what holds a reader cannot make one up.
type query int

const (
	querySystemd query = iota
	queryUnits
	queryUFW
	queryNFT
	queryIPTables
	queryIPTablesLegacy
	querySSHD
	querySSHDApart
	queryNginx
	queryNginxCandidate
	queryCredential
	queryServiceWords
	queryNginxWords
	queryNginxTest
	queryCertWords
	queryBackupWords
	queryAlertsWords
)

// command is the whole command line of a query.
func (q query) command() (name string, args []string) {
	switch q {
	case querySystemd:
		return "systemctl", []string{"--version"}
	case queryUnits:
		return "systemctl", append([]string{"show", "--property=Id,LoadState,ActiveState,SubState,MainPID,UnitFileState,Listen"}, watchedUnits()...)
	case queryUFW:
		return "ufw", []string{"status", "verbose"}
	case queryNFT:
		return "nft", []string{"list", "ruleset"}
	case queryIPTables: // without -t no table is loaded by being asked for
		return "iptables-save", nil
	case queryIPTablesLegacy:
		return "iptables-legacy-save", nil
	case querySSHD:
		return "sshd", []string{"-T"}
	case querySSHDApart: // with the folder that it insists on, and that is there only while a service has it (systemd.exec(5))
		return "systemd-run", []string{"--wait", "--quiet", "--collect", "--pipe", "--property=RuntimeDirectory=sshd", "--property=RuntimeDirectoryPreserve=yes", "/usr/sbin/sshd", "-T"}
	case queryNginx: // it tells its version on stderr
		return "nginx", []string{"-v"}
	case queryNginxCandidate: // with its caches in memory alone
		return "apt-cache", []string{"-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "policy", "nginx"}
	case queryServiceWords:
		return "journalctl", []string{"--unit", serviceUnit, "--unit", handoverUnit, "--identifier", "gemini-adapter", "--lines", "1", "--no-pager", "--output", "cat"}
	case queryNginxWords:
		return "journalctl", []string{"--unit", nginxUnit, "--identifier", "nginx", "--lines", "20", "--no-pager", "--output", "cat"}
	case queryNginxTest:
		return "nginx", []string{"-t", "-q"}
	case queryCertWords:
		return "journalctl", lastWords("gemini-adapter-cert.service")
	case queryBackupWords:
		return "journalctl", lastWords("gemini-adapter-backup.service")
	case queryAlertsWords:
		return "journalctl", lastWords("gemini-adapter-alerts.service")
	case queryCredential: // a unit of its own that tries to read a credential, and is gone when it ends
		return "systemd-run", []string{"--wait", "--quiet", "--collect", "--property=LoadCredential=probe:/etc/os-release",
			"--property=User=nobody", "--property=PrivateMounts=yes", "/bin/sh", "-c", `test -r "$CREDENTIALS_DIRECTORY/probe"`}
	}
	return "false", nil
}

// lastWords are the last ones of a service that a timer starts.
func lastWords(unit string) []string {
	return []string{"--unit", unit, "--identifier", "gemini-manage", "--lines", "4", "--no-pager", "--output", "cat"}
}
