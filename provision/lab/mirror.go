package lab

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
)

const defaultSuite = "bookworm"

// archive is where packages come from, as the host's own apt has it.
type archive struct {
	main     *url.URL
	security *url.URL // the main one, where the distribution has no other
	suite    string   // the release to boot when none was asked for
	sections string   // the components of the archive
	settings []string // lines of apt settings that the servers share with the host
	proxy    string   // the host's own HTTP proxy for apt; "" for none
}

// indexFormat asks apt for one line an index: origin, label, code name and site.
const indexFormat = "$(ORIGIN)|$(LABEL)|$(CODENAME)|$(SITE)"

// findArchive asks the host's apt. A given mirror overrides where packages come from, not how they are fetched.
func findArchive(ctx context.Context, mirror string) (archive, error) {
	out, err := output(exec.CommandContext(ctx, "apt-get", "indextargets", "--format", indexFormat, "Created-By: Packages"))
	if err != nil {
		return archive{}, fmt.Errorf("ask apt for its mirror: %w", err)
	}
	a, err := parseArchive(out, mirror)
	if err != nil {
		return archive{}, err
	}
	return a, a.readSettings(ctx)
}

func parseArchive(indexes, mirror string) (archive, error) {
	a := archive{suite: defaultSuite, sections: "main"}
	var site, security string
	for line := range strings.Lines(indexes) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 4 || f[0] != "Debian" && f[0] != "Ubuntu" {
			continue
		}
		switch {
		case f[1] == "Debian-Security":
			security = f[3]
		case site == "":
			site = f[3]
		}
		if f[0] == "Ubuntu" {
			a.suite, a.sections = strings.Split(f[2], "-")[0], "main universe"
		}
	}
	if mirror != "" {
		site, security, a.suite, a.sections = mirror, "", defaultSuite, "main"
		if strings.Contains(mirror, "ubuntu") {
			a.sections = "main universe"
		}
	}
	if site == "" {
		return a, errors.New("the host's apt knows no Debian or Ubuntu mirror\nhint: apt-get update, or --mirror http://…")
	}
	var err error
	if a.main, err = parseSite(site); err != nil {
		return a, err
	}
	a.security = a.main
	if security != "" {
		a.security, err = parseSite(security)
	}
	return a, err
}

func parseSite(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) {
		return nil, fmt.Errorf("package mirror %q: want an http or https address\nhint: --mirror http://…", s)
	}
	return u, nil
}

// readSettings takes over what decides whether the mirror's indexes are believed and how it is reached.
func (a *archive) readSettings(ctx context.Context) error {
	out, err := output(exec.CommandContext(ctx, "apt-config", "dump"))
	if err != nil {
		return fmt.Errorf("ask apt for its settings: %w", err)
	}
	shared := []string{"Acquire::Check-Valid-Until", "Acquire::Check-Date"}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if slices.Contains(shared, key) {
			a.settings = append(a.settings, key+" "+value)
		}
		if key == "Acquire::http::Proxy" {
			a.proxy = strings.Trim(value, `";`)
		}
	}
	return nil
}

// sources are the lines of a server's sources.list. They speak plain http, to the proxy on the gateway, which knows where
// the mirror itself wants https.
func (a archive) sources(suite string) string {
	plain := func(u *url.URL) string { return "http://" + u.Host + u.Path }
	lines := []string{fmt.Sprintf("deb %s %s %s", plain(a.main), suite, a.sections)}
	if a.security.String() != a.main.String() || a.sections != "main" {
		lines = append(lines,
			fmt.Sprintf("deb %s %s-updates %s", plain(a.main), suite, a.sections),
			fmt.Sprintf("deb %s %s-security %s", plain(a.security), suite, a.sections))
	}
	return strings.Join(lines, "\n") + "\n"
}
