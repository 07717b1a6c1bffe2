package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// Repair mends of what a doctor found that which can be mended without harm: root causes alone, since what follows from them
// goes with them. say is told each command before it runs. What could not be mended is the joined error. It needs root.
func (m Machine) Repair(ctx context.Context, found []converge.Finding, say func(string)) error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	commands, asDeployed, ownState := repairs(found)
	var failed []error
	for _, words := range commands {
		say(strings.Join(words, " "))
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
		if out, err := cmd.CombinedOutput(); err != nil {
			failed = append(failed, fmt.Errorf("%s failed: %s", strings.Join(words, " "), firstLine(strings.TrimSpace(orElse(string(out), err.Error())))))
		}
	}
	if asDeployed {
		say("put right what the last deploy made")
		if _, err := m.apply(ctx, converge.Want{}); err != nil {
			failed = append(failed, err)
		}
	}
	if ownState {
		say("give the adapter the files of its state")
		failed = append(failed, converge.GiveState())
	}
	return errors.Join(failed...)
}

// repairs are the commands, each once, and whether the adapter's files have to be put right as a deploy would, and those of its
// state given to it.
func repairs(found []converge.Finding) (commands [][]string, asDeployed, ownState bool) {
	for _, f := range found {
		switch {
		case f.Follows != "" || len(f.Fix) == 0:
		case f.Fix[0] == converge.AsDeployed:
			asDeployed = true
		case f.Fix[0] == converge.OwnState:
			ownState = true
		case !slices.ContainsFunc(commands, func(words []string) bool { return slices.Equal(words, f.Fix) }):
			commands = append(commands, f.Fix)
		}
	}
	return commands, asDeployed, ownState
}
