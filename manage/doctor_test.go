package manage

import (
	"reflect"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

func TestRepairs(t *testing.T) {
	start := []string{"systemctl", "enable", "--now", "nginx.service"}
	commands, asDeployed := repairs([]converge.Finding{
		{ID: "nginx", Fix: start}, {ID: "nginx", Fix: start}, {ID: "reboot"},
		{ID: "drift", Follows: "nginx", Fix: []string{converge.AsDeployed}},
	})
	if asDeployed || !reflect.DeepEqual(commands, [][]string{start}) {
		t.Errorf("%q, %v", commands, asDeployed)
	}
	if _, asDeployed = repairs([]converge.Finding{{ID: "site", Fix: []string{converge.AsDeployed}}}); !asDeployed {
		t.Error("what a deploy would mend is left")
	}
}
