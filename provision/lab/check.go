package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// tools are the programs that a lab needs and the Debian packages that bring them.
func tools() map[string]string {
	return map[string]string{
		"mmdebstrap":     "mmdebstrap",
		"systemd-nspawn": "systemd-container",
		"ip":             "iproute2",
		"ssh":            "openssh-client",
		"ssh-keygen":     "openssh-client",
	}
}

func missingPackages() []string {
	var missing []string
	for tool, pkg := range tools() {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, pkg)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// Check says in one line why this machine cannot boot a server, and what would cure it; nil when it can. Debian packages
// that Up would install are no reason.
func Check() error {
	if err := checkPlatform(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("booting a lab server needs root; run this as root (sudo -E)")
	}
	for _, tool := range []string{"apt-get", "apt-config", "unshare", "nsenter", "chroot"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("booting a lab server needs %s, which is not here; use a Debian or Ubuntu machine", tool)
		}
	}
	probe := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "sh", "-euc", probeScript)
	if _, err := output(probe); err != nil {
		said, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("this kernel or container refuses namespaces or overlay mounts (%s); use a virtual machine or a privileged container", said)
	}
	return nil
}

// probeScript tries, in namespaces of its own, the mounts that a server's disk is made of.
const probeScript = `mount -t tmpfs tmpfs /tmp; cd /tmp; mkdir lower upper work root
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root`

// installTools installs the Debian packages that are missing, and names them first.
func installTools(ctx context.Context, progress io.Writer) error {
	if len(missingPackages()) == 0 {
		return nil
	}
	own, err := lockTools(ctx)
	if err != nil {
		return err
	}
	defer own.Close()
	missing := missingPackages()
	if len(missing) == 0 {
		return nil // another program was faster
	}
	if _, err := fmt.Fprintln(progress, "installing the Debian packages", strings.Join(missing, ", ")); err != nil {
		return err
	}
	if err := aptGet(ctx, append([]string{"install", "-y", "--no-install-recommends"}, missing...)...); err == nil {
		return nil
	}
	// The lists may be too old or not there yet.
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	return aptGet(ctx, append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("install what the lab needs: %w", err)
	}
	return nil
}
