package remote

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// Aliases are the hosts that the user's ssh_config names, without patterns; none where it cannot be read. Files that it includes
// are left out.
func Aliases() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	f, err := os.Open(filepath.Join(home, ".ssh", "config"))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // it was only read
	cfg, err := ssh_config.Decode(f)
	if err != nil {
		return nil
	}
	var names []string
	for _, host := range cfg.Hosts {
		for _, pattern := range host.Patterns {
			if name := pattern.String(); !strings.ContainsAny(name, "*?!") {
				names = append(names, name)
			}
		}
	}
	return names
}
