package converge

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const (
	dpkgStatus  = "/var/lib/dpkg/status"
	dpkgUpdates = "/var/lib/dpkg/updates" // what dpkg had not yet merged when it was stopped
)

// Dpkg is what the package manager remembers, read from its own file: no process is started for it.
type Dpkg struct {
	Installed  []string // of the packages that a deploy wants, sorted
	Unfinished []string // packages that dpkg left half-way, sorted
	StockSite  string   // MD5 of the default site that Nginx's package brought
}

func wantedPackages() []string {
	return []string{"fail2ban", "logrotate", "nginx", "python3-systemd", "ufw", "unattended-upgrades"}
}

// stanza is what is read of one package.
type stanza struct{ name, architecture, version, status, stockSite string }

func collectDpkg(s *reader) (Dpkg, error) {
	var d Dpkg
	if err := eachPackage(s, d.add); err != nil {
		return d, err
	}
	slices.Sort(d.Installed)
	slices.Sort(d.Unfinished)
	entries, err := os.ReadDir(s.at(dpkgUpdates))
	if err := ignoreMissing(err); err != nil {
		return d, err
	}
	if len(entries) > 0 && len(d.Unfinished) == 0 {
		d.Unfinished = []string{"dpkg itself"}
	}
	return d, nil
}

// eachPackage tells each package that dpkg knows of.
func eachPackage(s *reader, tell func(stanza)) error {
	f, err := os.Open(s.at(dpkgStatus))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, maxManagedFile)
	var p stanza
	for scan.Scan() {
		if line := scan.Text(); line != "" {
			p.read(line)
			continue
		}
		tell(p)
		p = stanza{}
	}
	tell(p)
	return errors.Join(scan.Err(), f.Close())
}

// stillInstalled are those of the packages that are there.
func stillInstalled(s *reader, names []string) ([]string, error) {
	return withStatus(s, names, func(status string) bool { return strings.HasSuffix(status, " installed") })
}

// versions are those of the packages that are installed, by name and architecture: "libssl3:amd64".
func versions(s *reader) (map[string]string, error) {
	there := map[string]string{}
	err := eachPackage(s, func(p stanza) {
		if strings.HasSuffix(p.status, " installed") {
			there[p.name+":"+p.architecture] = p.version
		}
	})
	return there, err
}

// unpurged are those of the packages of which something is left.
func unpurged(s *reader, names []string) ([]string, error) {
	return withStatus(s, names, func(status string) bool { return status != "" && !strings.HasSuffix(status, " not-installed") })
}

func withStatus(s *reader, names []string, is func(status string) bool) ([]string, error) {
	status := map[string]string{}
	err := eachPackage(s, func(p stanza) { status[p.name] = p.status })
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		plain, _, _ := strings.Cut(name, ":") // of its architecture
		return !is(status[plain])
	}), err
}

func (p *stanza) read(line string) {
	if name, ok := strings.CutPrefix(line, "Package: "); ok {
		p.name = name
	}
	if status, ok := strings.CutPrefix(line, "Status: "); ok {
		p.status = status
	}
	if version, ok := strings.CutPrefix(line, "Version: "); ok {
		p.version = version
	}
	if architecture, ok := strings.CutPrefix(line, "Architecture: "); ok {
		p.architecture = architecture
	}
	if w := strings.Fields(line); strings.HasPrefix(line, " "+nginxStock+" ") && len(w) > 1 {
		p.stockSite = w[1]
	}
}

// add takes a package up: its status is "install ok installed" with the third word as far as dpkg got.
func (d *Dpkg) add(p stanza) {
	w := strings.Fields(p.status)
	if len(w) != 3 {
		return
	}
	switch w[2] {
	case "installed":
		if slices.Contains(wantedPackages(), p.name) {
			d.Installed = append(d.Installed, p.name)
		}
	case "unpacked", "half-configured", "half-installed", "triggers-awaited", "triggers-pending":
		d.Unfinished = append(d.Unfinished, p.name)
	}
	if p.stockSite != "" {
		d.StockSite = p.stockSite
	}
}

func (d Dpkg) has(name string) bool { return slices.Contains(d.Installed, name) }
