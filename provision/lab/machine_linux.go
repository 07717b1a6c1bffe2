package lab

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// proxyPort is where the package proxy listens on the gateway address.
const proxyPort = "3142"

// rebootStatus is how systemd-nspawn ends when the system inside asked for a reboot.
const rebootStatus = 133

// machine is a server as its holder sees it.
type machine struct {
	say       func(string)
	owner     int
	down      context.CancelCauseFunc
	place     *place
	root      string // the server's root folder
	netns     string // the file that its network namespace is pinned to
	stopProxy func()

	mu   sync.Mutex
	srv  Server
	kept bool
	off  chan struct{} // closed when the system has ended for good; nil when none runs
	cut  bool          // a power cut is under way: no reboot now
}

func (m *machine) server() Server {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.srv
}

// setState notes the state for List. That a note could not be written is told in the log: the server itself is not ill.
func (m *machine) setState(s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.srv.State = s
	m.note()
}

// note writes the server's state down. The caller holds mu.
func (m *machine) note() {
	if m.place == nil {
		return
	}
	if err := writeServer(m.place.dir, &m.srv); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func (m *machine) keep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept, m.srv.Owner = true, 0
	m.note()
}

// claim gets the machine a name, a network and a folder, and moves the holder's own output there.
func (m *machine) claim(ctx context.Context, opts Options) error {
	srv := Server{Name: opts.Name, Suite: opts.Suite, State: Building, Owner: m.owner}
	p, err := claim(ctx, &srv, opts.IPv6Only)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.place, m.srv = p, srv
	m.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(p.dir, "holder.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, privateFile)
	if err != nil {
		return errors.Join(err, p.release())
	}
	defer log.Close()
	return errors.Join(unix.Dup3(int(log.Fd()), 1, 0), unix.Dup3(int(log.Fd()), 2, 0))
}

// prepare makes all that outlives a boot: image, disk, keys, network, package proxy.
func (m *machine) prepare(ctx context.Context, opts Options) error {
	a, err := findArchive(ctx, opts.Mirror)
	if err != nil {
		return err
	}
	if opts.Suite == "" {
		opts.Suite = a.suite
	}
	m.mu.Lock()
	m.srv.Suite = opts.Suite
	m.mu.Unlock()
	lower, err := image(ctx, opts, a, m.say)
	if err != nil {
		return err
	}
	if err := m.mountDisk(lower, opts.DiskMB); err != nil {
		return err
	}
	if err := m.writeKeys(); err != nil {
		return err
	}
	if err := m.writeSystem(a); err != nil {
		return err
	}
	if m.netns, err = addNetwork(m.place.n, &m.srv); err != nil {
		return err
	}
	_, m.stopProxy, err = startProxy(net.JoinHostPort(m.srv.Gateway, proxyPort), a)
	return err
}

// mountDisk lays the server's disk, in memory, over the image. Only the holder sees these mounts.
func (m *machine) mountDisk(lower string, sizeMB int) error {
	disk := filepath.Join(m.place.dir, "disk")
	upper, work, root := filepath.Join(disk, "upper"), filepath.Join(disk, "work"), filepath.Join(disk, "root")
	if err := os.Mkdir(disk, privateDir); err != nil {
		return err
	}
	settings := "mode=0700"
	if sizeMB > 0 {
		settings += fmt.Sprintf(",size=%dm", sizeMB)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, settings); err != nil {
		return fmt.Errorf("mount the server's disk: %w", err)
	}
	for _, dir := range []string{upper, work, root} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	if err := unix.Mount("overlay", root, "overlay", 0, layers); err != nil {
		return fmt.Errorf("mount the server's disk: %w", err)
	}
	m.root = root
	// What systemd-nspawn notes about its machines is this one's affair alone.
	const notes = "/run/systemd/nspawn"
	if err := os.MkdirAll(notes, 0o755); err != nil {
		return err
	}
	return unix.Mount("tmpfs", notes, "tmpfs", 0, "mode=0755")
}

// writeKeys makes the server's host keys and the key of its users.
func (m *machine) writeKeys() error {
	var known strings.Builder
	for _, kind := range []string{"ed25519", "ecdsa"} {
		file := filepath.Join(m.root, "etc/ssh/ssh_host_"+kind+"_key")
		key, err := makeKey(kind, file)
		if err != nil {
			return err
		}
		m.srv.HostKeys = append(m.srv.HostKeys, key)
		fmt.Fprintf(&known, "%s %s\n", m.srv.Addr, key.Line)
	}
	if err := os.WriteFile(m.srv.KnownHosts, []byte(known.String()), privateFile); err != nil {
		return err
	}
	key, err := makeKey("ed25519", m.srv.KeyFile)
	if err != nil {
		return err
	}
	for _, home := range []string{"root", "home/admin", "home/sudoer"} {
		// The image has the file, with its owner.
		if err := os.WriteFile(filepath.Join(m.root, home, ".ssh/authorized_keys"), []byte(key.Line+"\n"), privateFile); err != nil {
			return err
		}
	}
	return nil
}

func makeKey(kind, file string) (HostKey, error) {
	if err := run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "lab", "-f", file); err != nil {
		return HostKey{}, fmt.Errorf("make an ssh key: %w", err)
	}
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		return HostKey{}, err
	}
	words := strings.Fields(string(text))
	if len(words) < 2 {
		return HostKey{}, fmt.Errorf("%s.pub is no public key", file)
	}
	blob, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil {
		return HostKey{}, fmt.Errorf("%s.pub: %w", file, err)
	}
	sum := sha256.Sum256(blob)
	return HostKey{Line: words[0] + " " + words[1], Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])}, nil
}

// writeSystem writes what makes the image this server.
func (m *machine) writeSystem(a archive) error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	apt := strings.Join(append(a.settings, proxySetting(net.JoinHostPort(m.srv.Gateway, proxyPort))), "\n")
	for name, text := range map[string]string{
		"etc/hostname":               m.srv.Name,
		"etc/hosts":                  "127.0.0.1 localhost\n127.0.1.1 " + m.srv.Name,
		"etc/machine-id":             fmt.Sprintf("%x", id),
		"etc/apt/apt.conf.d/00proxy": apt,
	} {
		if err := os.WriteFile(filepath.Join(m.root, name), []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// boot starts the server and returns when it is up. It must be off.
func (m *machine) boot(ctx context.Context) error {
	off, err := m.powerOn()
	if err != nil {
		return err
	}
	bootCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-off:
			cancel(errors.New("it powered off while booting"))
		case <-bootCtx.Done():
		}
	}()
	srv := m.server()
	if err := srv.awaitBoot(bootCtx); err != nil {
		return fmt.Errorf("boot %s: %w\n%s", srv.Name, err, m.consoleTail())
	}
	m.setState(Running)
	return nil
}

// powerOn starts the system; the channel is closed when it is off again.
func (m *machine) powerOn() (chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off != nil {
		return nil, errors.New("it is not off")
	}
	cmd, err := m.startSystem()
	if err != nil {
		return nil, err
	}
	m.off, m.cut, m.srv.State = make(chan struct{}), false, Booting
	m.note()
	go m.watchSystem(cmd, m.off)
	return m.off, nil
}

// startSystem starts systemd-nspawn in the server's cgroups and network.
func (m *machine) startSystem() (*exec.Cmd, error) {
	groups, err := cgroups(m.place.n)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if err := os.MkdirAll(g, 0o755); err != nil {
			return nil, fmt.Errorf("make the server's cgroup: %w", err)
		}
	}
	console, err := os.OpenFile(filepath.Join(m.place.dir, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, privateFile)
	if err != nil {
		return nil, err
	}
	defer console.Close()
	enter := "for g in " + quote(groups) + `; do echo $$ > "$g/cgroup.procs"; done; exec systemd-nspawn "$@"`
	cmd := exec.Command("sh", "-euc", enter, "sh",
		"--quiet", "--directory="+m.root, "--machine="+m.srv.Name, "--boot", "--register=no", "--keep-unit",
		"--network-namespace-path="+m.netns, "--capability=CAP_NET_ADMIN",
		"--resolv-conf=off", "--link-journal=no", "--console=read-only")
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start systemd-nspawn: %w", err)
	}
	return cmd, nil
}

// watchSystem waits for the system's end: a reboot starts it again, anything else is off.
func (m *machine) watchSystem(cmd *exec.Cmd, off chan struct{}) {
	err := cmd.Wait()
	for err != nil && cmd.ProcessState.ExitCode() == rebootStatus {
		if cmd, err = m.restartSystem(); err == nil {
			err = cmd.Wait()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "systemd-nspawn:", err)
	}
	m.mu.Lock()
	m.off, m.srv.State = nil, Off
	m.note()
	m.mu.Unlock()
	close(off)
}

func (m *machine) restartSystem() (*exec.Cmd, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return nil, errors.New("cut off while rebooting")
	}
	return m.startSystem()
}

// powerCut kills the server and waits until nothing of it runs. It may be off already.
func (m *machine) powerCut() error {
	m.mu.Lock()
	m.cut = true
	off := m.off
	m.mu.Unlock()
	if os.Getpid() != 1 {
		return errors.New("BUG: a holder is not the first process of a namespace of its own")
	}
	// Everything in the holder's PID namespace but the holder: the death of systemd-nspawn alone would orphan the system.
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill the server: %w", err)
	}
	if off != nil {
		<-off
	}
	for {
		_, err := unix.Wait4(-1, nil, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil // no child is left
		}
	}
}

// remove ends the server if it runs and removes all of it.
func (m *machine) remove() error {
	if err := m.powerCut(); err != nil {
		return err
	}
	if err := errors.Join(removeNetwork(m.place.n), removeCgroups(m.place.n), m.unmount()); err != nil {
		return err // the folder stays, so that the next one to look tries again
	}
	return m.place.release()
}

// unmount undoes what prepare mounted, as far as it came, so that removing the folder removes no file of the server's one by one.
func (m *machine) unmount() error {
	for _, mount := range []string{m.netns, m.root, filepath.Join(m.place.dir, "disk")} {
		err := unix.Unmount(mount, unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmount %s: %w", mount, err)
		}
	}
	return nil
}

// consoleTail is what the system said last, for the error of one that did not boot.
func (m *machine) consoleTail() string {
	text, err := os.ReadFile(filepath.Join(m.place.dir, "console.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-stderrTail):])
}
