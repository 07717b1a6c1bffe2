package provision

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// upgradable refuses an upgrade of nothing, and one that would go back. A release of the same version may be another build.
func (d *deploy) upgradable(installed bool, current string) *Error {
	now := versionOf(current)
	switch {
	case !installed:
		return &Error{Kind: KindRefused, Message: fmt.Sprintf("no adapter is installed on %s", d.Host), Hint: "gca deploy " + d.Named}
	case semver.Compare("v"+now, "v"+d.Version) > 0:
		return &Error{Kind: KindRefused, Message: fmt.Sprintf("%s runs gca %s, which is newer than this gca %s", d.Host, now, d.Version),
			Hint: "install gca " + now + " or later here; to go back on the server: gca rollback " + d.Named}
	}
	return nil
}

// refusal is the error of a refusal that may be none.
func refusal(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// upgradeWant is this release in place of the one that is there: all of the server's settings stay.
func (d *deploy) upgradeWant() converge.Want {
	want := converge.Want{Version: d.Version, SHA256: d.payload.SHA256, Templates: d.Templates, Scope: converge.ScopeAdapter}
	if d.DryRun {
		want.Mode = converge.ModePlan
	}
	return want
}

// versionOf is the version in a release's name.
func versionOf(release string) string {
	if i := strings.LastIndexByte(release, '-'); i >= 0 {
		return release[:i]
	}
	return release
}
