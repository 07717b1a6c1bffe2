package converge

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// NginxVersion is a version of Nginx; the zero value is none.
type NginxVersion struct{ Major, Minor, Patch int }

// oldestNginx has every directive that the templates use.
func oldestNginx() NginxVersion { return NginxVersion{1, 18, 0} }

func (v NginxVersion) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

func (v NginxVersion) before(other NginxVersion) bool {
	switch {
	case v.Major != other.Major:
		return v.Major < other.Major
	case v.Minor != other.Minor:
		return v.Minor < other.Minor
	}
	return v.Patch < other.Patch
}

// Before reports whether v is older than the version that is named by its parts. Templates ask it.
func (v NginxVersion) Before(major, minor, patch int) bool {
	return v.before(NginxVersion{major, minor, patch})
}

// collectNginx finds the version that is installed or, where none is, that apt would install. It is zero where apt does not
// know either, since its lists have never been fetched.
func collectNginx(ctx context.Context, s *reader, installed bool) (NginxVersion, error) {
	if installed {
		out, err := s.ask(ctx, queryNginx)
		if err != nil {
			return NginxVersion{}, err
		}
		return parseNginxVersion(out)
	}
	out, err := s.ask(ctx, queryNginxCandidate)
	if err != nil {
		return NginxVersion{}, nil
	}
	return parseCandidate(out), nil
}

// parseNginxVersion reads "nginx version: nginx/1.22.1", with whatever a distribution adds behind it.
func parseNginxVersion(text string) (NginxVersion, error) {
	_, version, found := strings.Cut(text, "/")
	v, ok := versionOf(version)
	if !found || !ok {
		return NginxVersion{}, fmt.Errorf("nginx -v says %q", strings.TrimSpace(text))
	}
	return v, nil
}

// parseCandidate reads the line "Candidate: 1.22.1-9+deb12u3" of apt-cache's answer; "(none)" is the zero value.
func parseCandidate(text string) NginxVersion {
	for line := range strings.Lines(text) {
		if version, found := strings.CutPrefix(strings.TrimSpace(line), "Candidate:"); found {
			v, _ := versionOf(version)
			return v
		}
	}
	return NginxVersion{}
}

// versionOf reads the first three numbers of a text.
func versionOf(text string) (v NginxVersion, ok bool) {
	digits := strings.FieldsFunc(text, func(c rune) bool { return c < '0' || c > '9' })
	if len(digits) < 3 {
		return NginxVersion{}, false
	}
	for i, part := range []*int{&v.Major, &v.Minor, &v.Patch} {
		n, err := strconv.Atoi(digits[i])
		if err != nil {
			return NginxVersion{}, false
		}
		*part = n
	}
	return v, true
}
