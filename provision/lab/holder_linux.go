package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reportFD is where a holder finds the pipe that it reports to.
const reportFD = 3

// controlTimeout bounds how long a client of the control socket may take to say what it wants.
const controlTimeout = 5 * time.Second

// holderAttr puts a holder into its own session (a Ctrl-C is for the program, which then tells the holder), its own PID
// namespace (whatever way it ends, the kernel ends all that it started) and its own mount namespace.
func holderAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWPID, Unshareflags: unix.CLONE_NEWNS}
}

// RunHolder makes this process a holder if Up or Keep started it as one, and then never returns; else it does nothing. It
// comes first in the main of every program that boots servers.
func RunHolder() {
	if os.Getenv(holderEnv) == "" {
		return
	}
	if os.Getpid() != 1 || os.Getppid() != 0 {
		fmt.Fprintf(os.Stderr, "%s is set, but this process was not started as a holder\nhint: unset %s\n", holderEnv, holderEnv)
		os.Exit(1)
	}
	reports := json.NewEncoder(os.NewFile(reportFD, "reports"))
	unix.CloseOnExec(reportFD)
	err := os.Unsetenv(holderEnv)
	if err == nil {
		err = hold(reports)
	}
	if err != nil {
		// Who asked may be gone; then nobody is left to be told.
		_ = reports.Encode(report{Error: err.Error()})
	}
	os.Exit(0)
}

// hold is a holder's life: claim, build, boot, report, serve, tidy up. An error after the report has nobody to go to.
func hold(reports *json.Encoder) (err error) {
	in := bufio.NewReader(os.Stdin)
	var o order
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	ctx, down := context.WithCancelCause(ctx)
	say := func(text string) { _ = reports.Encode(report{Progress: text}) } // a caller that left ends the context below
	m := &machine{say: say, owner: o.Owner, down: down}
	go m.watchOwner(in)

	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := m.claim(ctx, o.Options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.remove()) }()
	if err := m.prepare(ctx, o.Options); err != nil {
		return err
	}
	defer m.stopProxy()
	if err := m.serveControl(ctx); err != nil {
		return err
	}
	if err := m.boot(ctx); err != nil {
		return err
	}
	srv := m.server()
	_ = reports.Encode(report{Server: &srv, Dir: m.place.dir}) // as above
	<-ctx.Done()
	return nil
}

// watchOwner ends the holder with the program that started it, unless that says keep first.
func (m *machine) watchOwner(in *bufio.Reader) {
	line, err := in.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != wordKeep {
		m.down(errors.New("the program that asked for the server is gone"))
		return
	}
	m.keep()
}

// serveControl answers on the control socket until ctx ends; the socket goes with the server's folder.
func (m *machine) serveControl(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "unix", filepath.Join(m.place.dir, controlSocket))
	if err != nil {
		return fmt.Errorf("listen for orders: %w", err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.answer(ctx, conn)
		}
	}()
	context.AfterFunc(ctx, func() { _ = l.Close() })
	return nil
}

func (m *machine) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	if conn.SetReadDeadline(time.Now().Add(controlTimeout)) != nil {
		return
	}
	verb, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	switch strings.TrimSpace(verb) {
	case verbPowerCut:
		err = m.powerCut()
	case verbStart:
		err = m.boot(ctx)
	case verbDown:
		defer m.down(errors.New("down"))
	default:
		err = fmt.Errorf("unsupported: %q", strings.TrimSpace(verb))
	}
	reply := replyOK
	if err != nil {
		reply = strings.ReplaceAll(err.Error(), "\n", " ")
	}
	_, _ = fmt.Fprintln(conn, reply) // a client that left does not want it
}
