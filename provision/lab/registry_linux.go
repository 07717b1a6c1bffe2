package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The registry is a folder with one folder a server, named by the number of its network. A server's holder keeps its lock
// file locked for life, so a folder whose lock is free belongs to a holder that was killed, and is swept away by whoever
// looks next. All that changes which folders exist happens under the registry's own lock.
const (
	registryDir  = "/run/gca-lab"
	serverFile   = "server.json"
	lockFile     = "lock"
	lastNetwork  = 254
	privateFile  = 0o600
	privateDir   = 0o700
	maxStateFile = 64 << 10
)

// lock takes the lock of a file, made if need be, and waits for it until ctx ends. Closing the file gives it back.
func lock(ctx context.Context, file string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(file), privateDir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, privateFile)
	if err != nil {
		return nil, err
	}
	if err := waitLock(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

// waitLock takes the lock of f, or closes f and says why not.
func waitLock(ctx context.Context, f *os.File) error {
	got := make(chan error, 1)
	go func() { got <- unix.Flock(int(f.Fd()), unix.LOCK_EX) }()
	select {
	case err := <-got:
		if err != nil {
			return errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
		return nil
	case <-ctx.Done():
		go func() { <-got; _ = f.Close() }() // the lock may still come, and must not stay
		return context.Cause(ctx)
	}
}

// tryLock takes the lock of an existing file if nobody has it; else it returns nil.
func tryLock(file string) *os.File {
	f, err := os.OpenFile(file, os.O_RDWR, privateFile)
	if err != nil {
		return nil
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = f.Close() // nothing was written
		return nil
	}
	return f
}

// place is a server's claimed folder and network.
type place struct {
	n    int
	dir  string
	lock *os.File
}

// claim finds a free network, makes its folder and writes s there, named and addressed.
func claim(ctx context.Context, s *Server, v6 bool) (*place, error) {
	registry, err := lock(ctx, filepath.Join(registryDir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("open the list of servers: %w", err)
	}
	defer registry.Close()
	others, err := sweep()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(others, func(o *Server) bool { return o.Name == s.Name }) {
		return nil, fmt.Errorf("a server named %s exists already\nhint: go run ./cmd/lab down %s", s.Name, s.Name)
	}
	n, err := freeNetwork(registry)
	if err != nil {
		return nil, err
	}
	s.address(n, v6)
	dir := filepath.Join(registryDir, strconv.Itoa(n))
	if err := os.Mkdir(dir, privateDir); err != nil {
		return nil, fmt.Errorf("make the server's folder: %w", err)
	}
	own, err := lock(ctx, filepath.Join(dir, lockFile))
	if err == nil {
		err = writeServer(dir, s)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &place{n: n, dir: dir, lock: own}, nil
}

// address fills in what follows from the number of a server's network.
func (s *Server) address(n int, v6 bool) {
	s.dir = filepath.Join(registryDir, strconv.Itoa(n))
	s.Gateway, s.Addr = fmt.Sprintf("10.77.%d.1", n), fmt.Sprintf("10.77.%d.2", n)
	if v6 {
		s.Gateway, s.Addr = fmt.Sprintf("fd77:77:0:%x::1", n), fmt.Sprintf("fd77:77:0:%x::2", n)
	}
	s.KeyFile, s.KnownHosts = filepath.Join(s.dir, "key"), filepath.Join(s.dir, "known_hosts")
	if s.Name == "" {
		s.Name = fmt.Sprintf("lab%d", n)
	}
}

// release gives the place back; nothing of the folder is left.
func (p *place) release() error {
	registry, err := lock(context.Background(), filepath.Join(registryDir, lockFile))
	if err != nil {
		return err
	}
	defer registry.Close()
	return errors.Join(os.RemoveAll(p.dir), p.lock.Close())
}

// freeNetwork is the next number whose folder does not exist and whose network this machine does not use otherwise. It
// goes round, noting the last one in the registry's lock file: an address that comes back at once with another host key
// would look like an attack.
func freeNetwork(registry *os.File) (int, error) {
	noted := make([]byte, 3)
	read, err := registry.ReadAt(noted, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read the last network: %w", err)
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(noted[:read])))
	if err != nil {
		last = 0 // the first one since this machine started
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return 0, fmt.Errorf("list this machine's addresses: %w", err)
	}
	for i := range lastNetwork {
		n := (last+i)%lastNetwork + 1
		ours := netip.MustParsePrefix(fmt.Sprintf("10.77.%d.0/24", n))
		taken := slices.ContainsFunc(addrs, func(a net.Addr) bool {
			p, err := netip.ParsePrefix(a.String())
			return err == nil && p.Overlaps(ours)
		})
		_, err := os.Stat(filepath.Join(registryDir, strconv.Itoa(n)))
		if !taken && errors.Is(err, os.ErrNotExist) {
			_, err := registry.WriteAt(fmt.Appendf(nil, "%-3d", n), 0)
			return n, err
		}
	}
	return 0, fmt.Errorf("all %d networks are taken\nhint: go run ./cmd/lab list", lastNetwork)
}

// sweep removes what killed holders left and returns the servers that live. The caller holds the registry's lock.
func sweep() ([]*Server, error) {
	folders, err := os.ReadDir(registryDir)
	if err != nil {
		return nil, fmt.Errorf("list the servers: %w", err)
	}
	var live []*Server
	for _, f := range folders {
		n, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join(registryDir, f.Name())
		if dead := tryLock(filepath.Join(dir, lockFile)); dead != nil {
			err = errors.Join(removeNetwork(n), removeCgroups(n), os.RemoveAll(dir), dead.Close())
			if err != nil {
				return nil, fmt.Errorf("tidy up after server %d: %w", n, err)
			}
			continue
		}
		s, err := readServer(dir)
		if err != nil {
			return nil, err
		}
		live = append(live, s)
	}
	return live, nil
}

func readServer(dir string) (*Server, error) {
	f, err := os.Open(filepath.Join(dir, serverFile))
	if err != nil {
		return nil, fmt.Errorf("read a server's state: %w", err)
	}
	defer f.Close()
	s := &Server{dir: dir}
	if err := json.NewDecoder(io.LimitReader(f, maxStateFile)).Decode(s); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return s, nil
}

func writeServer(dir string, s *Server) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, serverFile+".new")
	if err := os.WriteFile(tmp, text, privateFile); err != nil {
		return fmt.Errorf("write a server's state: %w", err)
	}
	return os.Rename(tmp, filepath.Join(dir, serverFile))
}

// List returns the servers of this machine, kept ones and those of running programs, by network number.
func List(ctx context.Context) ([]*Server, error) {
	registry, err := lock(ctx, filepath.Join(registryDir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("open the list of servers: %w", err)
	}
	defer registry.Close()
	servers, err := sweep()
	slices.SortFunc(servers, func(a, b *Server) int { return netip.MustParseAddr(a.Addr).Compare(netip.MustParseAddr(b.Addr)) })
	return servers, err
}

// Down ends the named servers, whoever owns them; with no names, every server that was kept. A name that no server has is an error,
// and then none is ended.
func Down(ctx context.Context, names ...string) ([]*Server, error) {
	servers, err := List(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := find(servers, name); err != nil {
			return nil, err
		}
	}
	servers = slices.DeleteFunc(servers, func(s *Server) bool {
		return len(names) == 0 && s.Owner != 0 || len(names) > 0 && !slices.Contains(names, s.Name)
	})
	var ended []*Server
	for _, s := range servers {
		if downErr := s.endHolder(ctx); downErr != nil {
			err = errors.Join(err, fmt.Errorf("down %s: %w", s.Name, downErr))
			continue
		}
		ended = append(ended, s)
	}
	// A holder that could not remove everything left its folder: looking again tidies up, or says what is in the way.
	_, listErr := List(ctx)
	return ended, errors.Join(err, listErr)
}

// endHolder asks the holder of s to end and waits until it has.
func (s *Server) endHolder(ctx context.Context) error {
	// Opened before, for the folder will be gone; waited for after, for then the holder is too.
	own, err := os.Open(filepath.Join(s.dir, lockFile))
	if err != nil {
		return err
	}
	if err := s.ask(ctx, verbDown); err != nil {
		return errors.Join(err, own.Close())
	}
	if err := waitLock(ctx, own); err != nil {
		return err
	}
	return own.Close()
}
