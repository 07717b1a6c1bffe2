package manage

import (
	"reflect"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

func TestRepairs(t *testing.T) {
	start := []string{"systemctl", "enable", "--now", "nginx.service"}
	commands, asDeployed, ownState := repairs([]converge.Finding{
		{ID: "nginx", Fix: start}, {ID: "nginx", Fix: start}, {ID: "reboot"},
		{ID: "drift", Follows: "nginx", Fix: []string{converge.AsDeployed}},
	})
	if asDeployed || ownState || !reflect.DeepEqual(commands, [][]string{start}) {
		t.Errorf("%q, %v", commands, asDeployed)
	}
	_, asDeployed, ownState = repairs([]converge.Finding{{ID: "state", Fix: []string{converge.AsDeployed}}, {ID: "state-file", Fix: []string{converge.OwnState}}})
	if !asDeployed || !ownState {
		t.Error("of the state's folder and its files one is left")
	}
}
