package remote

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestAliases(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if got := Aliases(); got != nil {
		t.Errorf("without a file: %q", got)
	}
	text := "Host *\n  Port 22\nHost tokyo osaka *.lab !bad\n  User root\nHost b?d\n"
	file := filepath.Join(home, ".ssh", "config")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := Aliases(); !reflect.DeepEqual(got, []string{"tokyo", "osaka"}) {
		t.Errorf("got %q", got)
	}
}
