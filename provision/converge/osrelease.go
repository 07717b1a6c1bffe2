package converge

import (
	"slices"
	"strconv"
	"strings"
)

// OSRelease is what /etc/os-release says (os-release(5)).
type OSRelease struct {
	ID      string   // "debian", "ubuntu"
	Like    []string // ID_LIKE
	Version string   // VERSION_ID: "12", "24.04"
	Pretty  string   // PRETTY_NAME
}

// ParseOSRelease reads the text of /etc/os-release. Lines that it cannot read are passed over.
func ParseOSRelease(text string) OSRelease {
	var r OSRelease
	for line := range strings.Lines(text) {
		name, value, ok := parseAssignment(line)
		if !ok {
			continue
		}
		switch name {
		case "ID":
			r.ID = strings.ToLower(value)
		case "ID_LIKE":
			r.Like = strings.Fields(strings.ToLower(value))
		case "VERSION_ID":
			r.Version = value
		case "PRETTY_NAME":
			r.Pretty = value
		}
	}
	return r
}

// Debian reports whether this is Debian, Ubuntu, or something built from them.
func (r OSRelease) Debian() bool {
	is := func(id string) bool { return id == "debian" || id == "ubuntu" }
	return is(r.ID) || slices.ContainsFunc(r.Like, is)
}

// Old reports a release from before the oldest that a deploy was made for: Debian 11, Ubuntu 22.04. Those of others tell
// nothing by their number.
func (r OSRelease) Old() bool {
	oldest, known := map[string]int{"debian": 11, "ubuntu": 22}[r.ID]
	major, _, _ := strings.Cut(r.Version, ".")
	n, err := strconv.Atoi(major)
	return known && err == nil && n < oldest
}

// String is the name to show to a person.
func (r OSRelease) String() string {
	switch {
	case r.Pretty != "":
		return r.Pretty
	case r.ID != "":
		return strings.TrimSpace(r.ID + " " + r.Version)
	}
	return "an unknown system"
}
