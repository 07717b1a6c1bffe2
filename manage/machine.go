package manage

import (
	"context"
	"os"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// Machine is this server in the hands of its installed release: what is to change here goes through the steps of a deploy,
// with its journal and its health checks, or leaves everything as it was.
type Machine struct {
	Agent     converge.Agent
	Templates map[string]string // text by file name, all of converge.TemplateNames
	Events    converge.Events
}

// apply brings the server to what change asks for. The error is a *converge.Refusal or a *converge.RolledBackError.
func (m Machine) apply(ctx context.Context, change converge.Want) (converge.Applied, error) {
	if os.Geteuid() != 0 {
		return converge.Applied{}, ErrNotRoot
	}
	change.Version, change.SHA256, change.Templates, change.KeepOld = m.Agent.Version, m.Agent.SHA256, m.Templates, true
	change.Scope = converge.ScopeAdapter
	return m.Agent.Local(ctx, change, m.Events)
}
