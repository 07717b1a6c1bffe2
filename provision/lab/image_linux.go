package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// basePackages are what a rented server has on its first day.
const basePackages = "systemd,systemd-sysv,dbus,openssh-server,sudo,ca-certificates,iproute2,python3,libpam-systemd,cron"

// customize finishes an image inside it. Host keys and machine id are made for each server.
const customize = `set -eu
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
useradd -m -s /bin/bash admin
useradd -m -s /bin/bash sudoer
useradd -m -s /bin/bash login
echo 'sudoer:` + SudoerPassword + `' | chpasswd
echo 'login:` + LoginPassword + `' | chpasswd
echo 'admin ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/admin
echo 'sudoer ALL=(ALL) ALL' > /etc/sudoers.d/sudoer
chmod 0440 /etc/sudoers.d/admin /etc/sudoers.d/sudoer
install -d -m 0700 /root/.ssh
install -m 0600 /dev/null /root/.ssh/authorized_keys
for user in admin sudoer; do
  install -d -m 0700 -o $user -g $user /home/$user/.ssh
  install -m 0600 -o $user -g $user /dev/null /home/$user/.ssh/authorized_keys
done
printf '# no name server: a lab server reaches nothing but its host\n' > /etc/resolv.conf
`

// image returns the root folder of the image for opts, building it if nobody has yet. Programs that need the same image
// at the same time build it once: the others wait for its lock.
func image(ctx context.Context, opts Options, a archive, say func(string)) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "images", imageName(opts, a))
	own, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("wait for the image: %w", err)
	}
	defer own.Close()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := removeParts(dir); err != nil {
		return "", err
	}
	say(fmt.Sprintf("building image %s from %s (once, about half a minute)", filepath.Base(dir), a.main))
	begun := time.Now()
	part, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".part-")
	if err != nil {
		return "", fmt.Errorf("build the image: %w", err)
	}
	if err := buildImage(ctx, part, opts, a); err != nil {
		return "", errors.Join(fmt.Errorf("build image %s: %w", filepath.Base(dir), err), os.RemoveAll(part))
	}
	if err := os.Rename(part, dir); err != nil {
		return "", fmt.Errorf("build the image: %w", err)
	}
	say(fmt.Sprintf("built image %s in %.1f s", filepath.Base(dir), time.Since(begun).Seconds()))
	return dir, nil
}

// imageName says what is in an image: another recipe, mirror or list of packages is another image.
func imageName(opts Options, a archive) string {
	packages := slices.Sorted(slices.Values(opts.Packages))
	recipe := strings.Join(append(packages, basePackages, customize, a.sources(opts.Suite)), "\n")
	return fmt.Sprintf("%s-%.6x", opts.Suite, sha256.Sum256([]byte(recipe)))
}

// removeParts removes what builders that were killed left of dir. The caller holds the image's lock.
func removeParts(dir string) error {
	parts, err := filepath.Glob(dir + ".part-*")
	if err != nil {
		return err
	}
	for _, p := range parts {
		err = errors.Join(err, os.RemoveAll(p))
	}
	return err
}

// buildImage fills the empty folder part.
func buildImage(ctx context.Context, part string, opts Options, a archive) error {
	proxy, stop, err := startProxy("127.0.0.1:0", a)
	if err != nil {
		return err
	}
	defer stop()
	packages := strings.Join(append([]string{basePackages}, opts.Packages...), ",")
	args := []string{"--mode=root", "--variant=important", "--include=" + packages, "--aptopt=" + proxySetting(proxy)}
	for _, s := range a.settings {
		args = append(args, "--aptopt="+s)
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", append(args, "--format=directory", opts.Suite, part, "-")...)
	cmd.Stdin = strings.NewReader(a.sources(opts.Suite))
	privately(cmd)
	if _, err := output(cmd); err != nil {
		return err
	}
	// What mmdebstrap was told about apt is true of the build only.
	if err := os.Remove(filepath.Join(part, "etc/apt/apt.conf.d/99mmdebstrap")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd = exec.CommandContext(ctx, "chroot", part, "/bin/sh", "-s")
	cmd.Stdin = strings.NewReader(customize)
	privately(cmd)
	if _, err := output(cmd); err != nil {
		return err
	}
	return os.Chmod(part, 0o755)
}

// privately gives cmd its own mounts, so that none is left on the image, and makes its cancellation reach its children.
func privately(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}

func proxySetting(addr string) string {
	return fmt.Sprintf("Acquire::http::Proxy \"http://%s\";", addr)
}

// startProxy runs a package proxy and returns its address and what stops it.
func startProxy(addr string, a archive) (string, func(), error) {
	cache, err := cacheDir()
	if err != nil {
		return "", nil, err
	}
	p, err := newDebProxy(filepath.Join(cache, "packages"), a)
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("listen for package downloads: %w", err)
	}
	srv := &http.Server{Handler: p, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }() // ends with srv.Close
	return l.Addr().String(), func() { _ = srv.Close() }, nil
}
