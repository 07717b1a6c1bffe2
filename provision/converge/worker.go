package converge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// The worker carries out one deploy, apart from every connection. It listens on a socket that root alone can reach. The
// front that started it sends the want, and with "apply" it begins; from then on whoever connects and attaches is told
// everything since the beginning, and the laptop that attached last may commit or roll back.
const (
	runDir       = "/run/gca"
	workerSocket = runDir + "/agent.sock"
	workerUnit   = "gca-deploy.service"
)

// Work is the worker's life: it ends when the deploy is committed or put back. A SIGTERM puts it back.
func (a Agent) Work(ctx context.Context) error {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	setUmask(0o022)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		cancel(errShutdown)
	}()
	s := newSystem("/")
	l, err := listenWorker(s)
	if err != nil {
		return err
	}
	if err := notifyReady(); err != nil {
		return errors.Join(err, l.Close())
	}
	return a.work(ctx, s, l)
}

// listenWorker makes the worker's socket. What a dead worker left is in nobody's use, since one unit runs at a time.
func listenWorker(s *system) (net.Listener, error) {
	dir := s.at(runDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	st, err := s.look(runDir)
	if err == nil && (st.Kind != PathDir || st.UID != os.Geteuid()) {
		err = fmt.Errorf("%s is not a directory of root's", runDir)
	}
	if err := errors.Join(err, os.Chmod(dir, 0o700), ignoreMissing(os.Remove(s.at(workerSocket)))); err != nil {
		return nil, err
	}
	return net.Listen("unix", s.at(workerSocket))
}

// notifyReady tells systemd that the worker can be talked to: sd_notify(3).
func notifyReady() error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte("READY=1"))
	return errors.Join(err, conn.Close())
}
