package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

func checkPlatform() error {
	roots, err := cgroupRoots()
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	for _, r := range roots {
		probe, err := os.MkdirTemp(r, "gca-lab-check-*") // a name of its own: tests of one process check side by side
		if err != nil {
			return fmt.Errorf("the cgroups at %s cannot be written; use a virtual machine or a privileged container", r)
		}
		if err := os.Remove(probe); err != nil {
			return fmt.Errorf("remove a cgroup made to try: %w", err)
		}
	}
	return nil
}

func lockTools(ctx context.Context) (*os.File, error) {
	return lock(ctx, filepath.Join(registryDir, "tools.lock"))
}
