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
		probe := filepath.Join(r, fmt.Sprintf("gca-lab-check-%d", os.Getpid()))
		if err := os.Mkdir(probe, 0o755); err != nil {
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
