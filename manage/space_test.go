//go:build unix

package manage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckSpace(t *testing.T) {
	root := serverAt(t, map[string]string{envPath: "PORT=8000\n", statePrefix + "state.db": "state", "var/log/nginx/access.log": "x"})
	must(t, checkSpace(root, t.TempDir(), true))
	must(t, checkSpace(serverAt(t, map[string]string{envPath: ""}), t.TempDir(), true))
	// A file with a hole counts as what a copy of it may take.
	f, err := os.OpenFile(filepath.Join(root, statePrefix, "state.db"), os.O_RDWR, 0)
	must(t, err)
	must(t, errors.Join(f.Truncate(1<<42), f.Close()))
	var full *SpaceError
	if err := checkSpace(root, t.TempDir(), false); !errors.As(err, &full) || !strings.Contains(err.Error(), "a backup needs 12582929 MB on the disk of ") || !strings.Contains(err.Error(), "hint: gemini-manage backup prune") {
		t.Errorf("got %v", err)
	}
}
