// Package manage is the operator's side of a deployed adapter: gemini-manage on the server. From a laptop the same verbs
// run there over SSH.
package manage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// Units of the adapter. The socket starts the service for whoever connects, so who stops one must stop both.
const (
	ServiceUnit  = "gemini-adapter.service"
	SocketUnit   = "gemini-adapter.socket"
	HandoverUnit = "gemini-adapter-handover.service" // serves while the service starts anew
)

// ErrNotRoot is what changing verbs return to a user who may not.
var ErrNotRoot = errors.New("this needs root")

// ErrNotInstalled is what verbs return where no adapter was deployed.
var ErrNotInstalled = errors.New("no adapter is installed on this machine\nhint: from your laptop: gca deploy root@THIS-SERVER")

// Start starts the adapter and returns when it serves. Settings that cannot be right are its error; where a deploy is at work
// it is a *converge.Refusal.
func Start(ctx context.Context) (err error) {
	if err := checkSettings(ctx); err != nil {
		return err
	}
	if err := mayManage(ctx); err != nil {
		return err
	}
	release, err := converge.Lock("gemini-manage start")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	out, err := exec.CommandContext(ctx, "systemctl", "start", SocketUnit, ServiceUnit).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl start failed: %s\nhint: gemini-manage logs shows why", strings.TrimSpace(string(out)))
	}
	return nil
}

// Stop stops the adapter once open answers have ended; from its beginning nobody new is let in, and requests do not bring it
// back. The error is a *converge.Refusal where a deploy is at work.
func Stop(ctx context.Context) (err error) {
	if err := mayManage(ctx); err != nil {
		return err
	}
	return converge.Stop(ctx, "gemini-manage stop")
}

// Restart starts the adapter anew, or starts it. Where it runs another one serves meanwhile, so that no request is lost and no
// answer is cut; it returns when what is new serves, even where answers of before still go on. The error is that of
// [converge.Agent.Local], or says what is wrong with the settings.
func (m Machine) Restart(ctx context.Context) (converge.Applied, error) {
	if err := checkSettings(ctx); err != nil {
		return converge.Applied{}, err
	}
	if u, err := readUnit(ctx, ServiceUnit); err != nil {
		return converge.Applied{}, err
	} else if u.Load == "not-found" {
		return converge.Applied{}, ErrNotInstalled
	}
	return m.Agent.Restart(ctx, m.Events)
}

const wrongSettings = "the settings are not right, so nothing was started or stopped:\n"

// checkSettings lets the installed release read its settings, so that a mistake is named before the service fails over it.
func checkSettings(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	check := exec.CommandContext(ctx, currentRelease+"/gca", "serve", "--check", "--behind-proxy", "--config-dir", configDir)
	check.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"} // settings of this shell are none of the service's
	out, err := check.CombinedOutput()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrNotInstalled
	case err != nil:
		return fmt.Errorf("%s%s", wrongSettings, strings.TrimPrefix(strings.TrimSpace(string(out)), "gca: "))
	}
	return nil
}

// mayManage tells who may not start and stop the adapter, and where there is none.
func mayManage(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	state, err := readUnit(ctx, ServiceUnit)
	if err == nil && state.Load == "not-found" {
		err = ErrNotInstalled
	}
	return err
}

// mayReadJournal asks before the first line is shown: journalctl shows a journal that it may not read as an empty one, and
// with JSON it does not even say so.
func mayReadJournal(ctx context.Context) error {
	if os.Geteuid() == 0 {
		return nil
	}
	said, err := exec.CommandContext(ctx, "journalctl", "--unit", ServiceUnit, "--no-pager", "--lines", "0").CombinedOutput()
	denied := strings.Contains(string(said), "not seeing messages from other users") || strings.Contains(string(said), "insufficient permissions")
	switch {
	case denied:
		return fmt.Errorf("this user may not read the adapter's journal: %w", ErrNotRoot)
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("cannot read the journal: %s\nhint: sudo gemini-manage logs", strings.TrimSpace(string(said)))
	}
	return ctx.Err()
}

// unit is what systemd knows of a service.
type unit struct {
	Load, Active, Sub string
	Restarts          int // by systemd alone, since a person or a deploy started it
}

// failing is a service that does not come to run: it is down, or is being tried again.
func (u unit) failing() bool {
	switch u.Active {
	case "failed", "inactive":
		return true
	case "activating":
		return strings.HasPrefix(u.Sub, "auto-restart") || u.Restarts > 0
	}
	return false
}

func readUnit(ctx context.Context, name string) (unit, error) {
	out, err := exec.CommandContext(ctx, "systemctl", "show", name, "--property=LoadState,ActiveState,SubState,NRestarts").Output()
	if err != nil {
		return unit{}, fmt.Errorf("cannot ask systemd: %w\nhint: this command works on the server; from a laptop give it a host, such as root@203.0.113.9", err)
	}
	return parseUnit(string(out)), nil
}

func parseUnit(text string) unit {
	var u unit
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "LoadState":
			u.Load = value
		case "ActiveState":
			u.Active = value
		case "SubState":
			u.Sub = value
		case "NRestarts":
			if n, err := strconv.Atoi(value); err == nil {
				u.Restarts = n
			}
		}
	}
	return u
}
