package provision

import (
	"cmp"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// askKeys asks once for the keys, as early as it is known how many the server has.
func (d *deploy) askKeys(have int, bare bool) (err error) {
	if d.asked {
		return nil
	}
	d.asked = true
	if bare && d.Seed != nil {
		d.keys = d.Seed.Keys.Reveal()
	} else if d.keys, err = d.ui.Keys(have); err != nil {
		return err
	}
	if d.keys == "" && have == 0 && d.DryRun {
		d.keys = converge.StandInKey
	}
	if d.keyCount = have; d.keys != "" {
		d.keyCount = strings.Count(strings.TrimSpace(d.keys), "\n") + 1
	}
	return nil
}

// want is what the server is to be; bare says that it has no adapter.
func (d *deploy) want(bare bool) converge.Want {
	if d.Upgrade {
		return d.upgradeWant()
	}
	settings := append([]converge.Setting{{Name: "HOST", Value: "127.0.0.1"}, {Name: "PORT", Value: "8000", Default: true}}, d.tlsSettings(bare)...)
	if d.BaseURL != "" {
		settings = append(settings, converge.Setting{Name: "GEMINI_BASE_URL", Value: d.BaseURL})
	}
	want := converge.Want{Version: d.Version, SHA256: d.payload.SHA256, Templates: d.Templates, Settings: settings, Keys: converge.NewSecret(d.keys),
		Roots: d.TLS.Roots, Reached: d.conn.Reached(),
		Firewall: d.Firewall, AllowFrom: d.AllowFrom, Harden: d.Harden, KeyLogin: d.conn.UsedKey(), Risks: d.Risks}
	if d.DryRun {
		want.Mode = converge.ModePlan
	}
	if bare && d.Seed != nil {
		want.Env, want.Tokens, want.Certificates = d.Seed.Env, d.Seed.Tokens, d.Seed.Certificates
		want.Roots = cmp.Or(want.Roots, d.Seed.Roots)
	}
	return want
}
