// Package lab boots throwaway Debian servers: real systemd, sshd, apt and netfilter in network namespaces of their own,
// so that a deploy can be tried and tested against what it will meet on a rented server.
//
// Each server belongs to one holder, a process that Up starts from the running program itself (so main, or TestMain, calls
// RunHolder or Main first). The holder is the first process of its own PID namespace and has its own mount namespace: the
// server's files are a tmpfs over the cached image that only the holder sees, and however the holder ends, the kernel ends
// all that it started. The holder in turn ends when the program that called Up does, even by SIGKILL, or, for a server
// that was kept by Keep, at Down.
//
//	Up ── stdin: options, then "keep" or end of file ──> holder ──> systemd-nspawn ──> the server's systemd
//	   <── reports: progress, the server, or an error ──   └── package proxy on the gateway address
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
)

// What a server's users are let in with; see Server.
const (
	// SudoerPassword is the login and sudo password of the user sudoer.
	SudoerPassword = "sudoer-lab"
	// LoginPassword is the login password of the user login.
	LoginPassword = "login-lab"
)

// Options describe a server to boot. The zero value is a plain server.
type Options struct {
	// Name is the server's host name: lower case letters, digits and dashes, at most 32. Default: lab<N>.
	Name string
	// Suite is the distribution's release. Default: bookworm, or on a host whose apt serves Ubuntu the host's own release.
	Suite string
	// Mirror is the http or https address of the package archive. Default: the one that the host's own apt uses.
	Mirror string
	// Packages are preinstalled; servers with the same packages share one cached image.
	Packages []string
	// IPv6Only gives the server no IPv4 address but loopback's.
	IPv6Only bool
	// DiskMB is how much the server can write beyond its image, in MiB; at least 16. Default: half of this machine's memory.
	DiskMB int
}

// leastDiskMB is what a server writes to come up.
const leastDiskMB = 16

// Server is a booted server. Its users: root and admin (sudo without a password) with the key in KeyFile; sudoer, with the
// key or SudoerPassword, whose sudo asks for that password; login, with LoginPassword only and no sudo.
type Server struct {
	Name    string `json:"name"`
	Suite   string `json:"suite"`
	State   State  `json:"state"`
	Addr    string `json:"addr"`    // the server's IP address; sshd listens on port 22
	Gateway string `json:"gateway"` // the host's address as the server sees it: any port on it is reachable from the server
	KeyFile string `json:"key_file"`
	// KnownHosts is a known_hosts file with the server's host keys under its address.
	KnownHosts string    `json:"known_hosts"`
	HostKeys   []HostKey `json:"host_keys"`
	// Owner is the id of the process that the server ends with; 0 when it was kept.
	Owner int `json:"owner,omitempty"`

	dir   string
	owned *holder
}

// HostKey is one public host key of a server.
type HostKey struct {
	Line        string `json:"line"`        // type and base64 key, as in an authorized_keys file
	Fingerprint string `json:"fingerprint"` // SHA256:… as ssh prints it
}

// State is where a server is in its life.
//
//	building ──> booting <──> running
//	                ^            │
//	                └── off <────┘
type State string

// The states of a server.
const (
	Building State = "building" // its image is being built
	Booting  State = "booting"  // sshd does not answer yet
	Running  State = "running"  // it booted; ssh answers
	Off      State = "off"      // powered off or cut; its disk is kept
)

// Up boots a server that ends with this process, at Close, or when ctx ends before it is ready. Progress goes to progress,
// one line at a time. The program must call RunHolder (a test binary: Main) before anything else.
func Up(ctx context.Context, opts Options, progress io.Writer) (*Server, error) {
	s, h, err := start(ctx, opts, progress)
	if err != nil {
		return nil, err
	}
	s.owned = h
	return s, nil
}

// Keep boots a server as Up does, but one that outlives this process and ends at Down.
func Keep(ctx context.Context, opts Options, progress io.Writer) (*Server, error) {
	s, h, err := start(ctx, opts, progress)
	if err != nil {
		return nil, err
	}
	if err := h.keep(); err != nil {
		return nil, errors.Join(err, h.end())
	}
	s.Owner = 0
	return s, nil
}

func start(ctx context.Context, opts Options, progress io.Writer) (*Server, *holder, error) {
	if err := opts.validate(); err != nil {
		return nil, nil, err
	}
	if err := Check(); err != nil {
		return nil, nil, err
	}
	if err := installTools(ctx, progress); err != nil {
		return nil, nil, err
	}
	return startHolder(ctx, opts, progress)
}

// Close ends a server of Up's: power off without ceremony, and nothing of it is left. It may be called twice.
func (s *Server) Close() error {
	if s.owned == nil {
		return nil
	}
	h := s.owned
	s.owned = nil
	return h.end()
}

// Exec runs one command as root and returns its standard output. The error of a command that failed carries the end of
// its standard error and wraps *exec.ExitError, whose ExitCode is the command's own.
func (s *Server) Exec(ctx context.Context, args ...string) (string, error) {
	return output(s.Command(ctx, args...))
}

// Sh runs a shell script as root, as Exec runs a command.
func (s *Server) Sh(ctx context.Context, script string) (string, error) {
	return s.Exec(ctx, "sh", "-euc", script)
}

// Command is the ssh command that runs args as root, for callers that need its standard input or output.
func (s *Server) Command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ssh", append(s.sshArgs("root", "-o", "BatchMode=yes"), "--", quote(args))...)
}

// Reboot restarts the server's system in the orderly way; disk, host keys and addresses stay. It returns when the new
// system is up.
func (s *Server) Reboot(ctx context.Context) error {
	before, err := s.bootID(ctx)
	if err != nil {
		return fmt.Errorf("reboot %s: %w", s.Name, err)
	}
	// The connection may be cut before the command's status arrives, so only the new boot id counts.
	_, rebootErr := s.Exec(ctx, "systemctl", "reboot")
	err = s.poll(ctx, func(ctx context.Context) bool {
		id, err := s.bootID(ctx)
		return err == nil && id != before
	})
	if err != nil {
		return fmt.Errorf("reboot %s: %w", s.Name, errors.Join(err, rebootErr))
	}
	return s.awaitBoot(ctx)
}

// PowerCut stops the server without warning, as a failing power supply does; its disk is kept for Start.
func (s *Server) PowerCut(ctx context.Context) error {
	return s.control(ctx, verbPowerCut)
}

// Start boots a server that is off, on the disk that it left, and returns when it is up.
func (s *Server) Start(ctx context.Context) error {
	return s.control(ctx, verbStart)
}

func (s *Server) bootID(ctx context.Context) (string, error) {
	return s.Exec(ctx, "cat", "/proc/sys/kernel/random/boot_id")
}

func (o Options) validate() error {
	if o.Name != "" && !regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`).MatchString(o.Name) {
		return fmt.Errorf("server name %q: want a letter, then letters, digits or dashes, 32 at most, lower case", o.Name)
	}
	if o.Suite != "" && !regexp.MustCompile(`^[a-z]{1,32}$`).MatchString(o.Suite) {
		return fmt.Errorf("suite %q: want a release's code name\nhint: --suite bookworm", o.Suite)
	}
	bad := slices.IndexFunc(o.Packages, func(p string) bool { return !regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`).MatchString(p) })
	if bad >= 0 {
		return fmt.Errorf("package %q: not the name of a Debian package", o.Packages[bad])
	}
	if o.DiskMB != 0 && o.DiskMB < leastDiskMB {
		return fmt.Errorf("a disk of %d MiB: want %d or more, or 0 for no limit", o.DiskMB, leastDiskMB)
	}
	if o.Mirror != "" {
		_, err := parseSite(o.Mirror)
		return err
	}
	return nil
}

// cacheDir holds the images and the downloaded packages, for all servers of this user.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the lab's images: %w\nhint: export HOME", err)
	}
	return filepath.Join(dir, "gca-lab"), nil
}
