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
var oldestNginx = NginxVersion{1, 18, 0}

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

func collectNginx(ctx context.Context, s *reader, installed bool) (NginxVersion, error) {
	if !installed {
		return NginxVersion{}, nil
	}
	out, err := s.ask(ctx, queryNginx)
	if err != nil {
		return NginxVersion{}, err
	}
	return parseNginxVersion(out)
}

// parseNginxVersion reads "nginx version: nginx/1.22.1", with whatever a distribution adds behind it.
func parseNginxVersion(text string) (v NginxVersion, err error) {
	_, version, found := strings.Cut(text, "/")
	digits := strings.FieldsFunc(version, func(c rune) bool { return c < '0' || c > '9' })
	if !found || len(digits) < 3 {
		return v, fmt.Errorf("nginx -v says %q", strings.TrimSpace(text))
	}
	for i, part := range []*int{&v.Major, &v.Minor, &v.Patch} {
		if *part, err = strconv.Atoi(digits[i]); err != nil {
			return NginxVersion{}, fmt.Errorf("nginx -v says %q", strings.TrimSpace(text))
		}
	}
	return v, nil
}
