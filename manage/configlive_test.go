package manage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// A setting that the running adapter can take is taken by it; what it cannot take, or refuses, changes nothing here.
func TestChangeLive(t *testing.T) {
	const env = "PORT=8000\nCLIENT_TOKENS=a-token-of-a-client\nADMIN_TOKEN=a-token-of-the-admin\n"
	one := &instance{reloaded: control.Reloaded{Restart: []string{"PROXY_URL"}}}
	f := secretsIn(t, config.Texts{Env: env, Keys: "a\n"}, serving(t, one, nil))
	var told []string
	m := Machine{Events: converge.Events{
		Plan: func(p converge.PlanMessage) { told = append(told, p.Steps[0].Title, p.Steps[1].Title) },
		Step: func(e converge.StepEvent) { told = append(told, string(e.State)+" "+e.ID) },
	}}
	set := func(name, value string) (converge.Applied, error) {
		return m.changeLive(t.Context(), f, func(env string) (string, error) {
			return converge.MergeSettings(env, []converge.Setting{{Name: name, Value: value}}), nil
		})
	}
	applied, err := set("MAX_RETRIES", "5")
	if err != nil || applied.Changed != 2 || len(applied.Notes) != 1 || !strings.Contains(applied.Notes[0], "PROXY_URL") || len(one.said) != 1 {
		t.Errorf("%+v, %v; the adapter heard %q", applied, err, one.said)
	}
	want := "write /etc/gemini-adapter/adapter.env|have the running adapter take it, without a restart|done file:/etc/gemini-adapter/adapter.env|done reload:gemini-adapter.service"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("told %s", got)
	}
	now := env + "MAX_RETRIES=5\n"
	f.holds(t, config.EnvFile, now)
	f.holds(t, envOld, env)

	for name, value := range map[string]string{"PORT": "9000", "DRAIN_TIMEOUT": "20", "PROXY_URL": "http://127.0.0.1:1", "CLIENT_TOKENS": ",", "ADMIN_TOKEN": ""} {
		if _, err := set(name, value); !errors.Is(err, errNotLive) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := set("MAX_RETRIES", "many"); !errors.Is(err, ErrSettings) {
		t.Errorf("nonsense gives %v", err)
	}
	one.err = &control.Refusal{Code: control.Invalid, Message: "no such luck"}
	if _, err := set("MAX_RETRIES", "6"); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("a refusal gives %v", err)
	}
	f.holds(t, config.EnvFile, now)
	f.adapters = serving(t, nil, nil)
	if _, err := set("MAX_RETRIES", "6"); !errors.Is(err, errNotLive) {
		t.Errorf("without an adapter: %v", err)
	}
	f.holds(t, config.EnvFile, now)
	if info, err := os.Stat(filepath.Join(f.dir, envOld)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the old settings have mode %v, %v", info.Mode(), err) // those of adapter.env
	}
}
