package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// holderEnv marks the process that is to become a holder.
const holderEnv = "GCA_LAB_HOLDER"

// The words between a program and a holder.
const (
	wordKeep     = "keep"
	verbPowerCut = "power-cut"
	verbStart    = "start"
	verbDown     = "down"
	replyOK      = "ok"

	controlSocket = "control.sock"
	// endTimeout bounds a holder's tidying up; one that takes longer is killed, and the kernel tidies.
	endTimeout = 20 * time.Second
)

// order is what a holder reads first.
type order struct {
	Options Options
	Owner   int
}

// report is what a holder says until its server is up: lines of progress, then a server or an error.
type report struct {
	Progress string  `json:",omitempty"`
	Server   *Server `json:",omitempty"`
	Dir      string  `json:",omitempty"`
	Error    string  `json:",omitempty"`
}

// holder is the caller's end of a holder process: while stdin is open and the word keep was not said, this process owns it.
type holder struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	reports *os.File
	decode  func(any) error // the next report
}

// startHolder starts a holder and waits until its server is up.
func startHolder(ctx context.Context, opts Options, progress io.Writer) (*Server, *holder, error) {
	h, err := spawnHolder(order{Options: opts, Owner: os.Getpid()})
	if err != nil {
		return nil, nil, err
	}
	abandon := context.AfterFunc(ctx, func() { _ = h.stdin.Close() }) // a second close changes nothing
	s, err := h.await(progress)
	if !abandon() {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, h.end())
	}
	return s, h, nil
}

// spawnHolder runs this very program as a holder.
func spawnHolder(o order) (*holder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's file: %w", err)
	}
	cmd := exec.Command(self)
	if testing.Testing() {
		// A test binary whose TestMain forgot Main must not run its tests again as a holder.
		cmd.Args = append(cmd.Args, "-test.run=^$")
	}
	cmd.Env = append(os.Environ(), holderEnv+"=1")
	cmd.Stderr = os.Stderr // for a panic; the holder moves to a log of its own at once
	cmd.SysProcAttr = holderAttr()
	reports, theirs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start a holder: %w", err)
	}
	defer theirs.Close()
	cmd.ExtraFiles = []*os.File{theirs}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		err = json.NewEncoder(stdin).Encode(o)
	}
	if err != nil {
		return nil, fmt.Errorf("start a holder: %w", errors.Join(err, reports.Close()))
	}
	return &holder{cmd: cmd, stdin: stdin, reports: reports, decode: json.NewDecoder(reports).Decode}, nil
}

// await reads reports until the server is up.
func (h *holder) await(progress io.Writer) (*Server, error) {
	for {
		var rep report
		if err := h.decode(&rep); err != nil {
			return nil, errors.New("the server's holder ended before the server was up\nhint: a program that boots servers calls lab.RunHolder first in main, a test binary lab.Main in TestMain")
		}
		switch {
		case rep.Error != "":
			return nil, errors.New(rep.Error)
		case rep.Server != nil:
			rep.Server.dir = rep.Dir
			return rep.Server, nil
		}
		if _, err := fmt.Fprintln(progress, rep.Progress); err != nil {
			return nil, err
		}
	}
}

// keep lets the holder outlive this process.
func (h *holder) keep() error {
	if _, err := io.WriteString(h.stdin, wordKeep+"\n"); err != nil {
		return fmt.Errorf("keep the server: %w", err)
	}
	return errors.Join(h.stdin.Close(), h.reports.Close(), h.cmd.Process.Release())
}

// end ends the holder and waits until it is gone.
func (h *holder) end() error {
	_ = h.stdin.Close() // closed already where a context ended
	kill := time.AfterFunc(endTimeout, func() { _ = h.cmd.Process.Kill() })
	defer kill.Stop()
	var last report
	for h.decode(&last) == nil { // until end of file: the holder is gone
	}
	err := errors.Join(h.cmd.Wait(), h.reports.Close())
	if last.Error != "" {
		err = errors.Join(err, errors.New(last.Error))
	}
	if err != nil {
		return fmt.Errorf("end the server: %w", err)
	}
	return nil
}

// control asks the server's holder for one thing and waits for the answer.
func (s *Server) control(ctx context.Context, verb string) error {
	err := s.ask(ctx, verb)
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, s.Name, err)
	}
	return nil
}

func (s *Server) ask(ctx context.Context, verb string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, controlSocket))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends the read below
	if _, err := io.WriteString(conn, verb+"\n"); err != nil {
		return err
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if reply = strings.TrimSpace(reply); reply != replyOK {
		return errors.New(reply)
	}
	return nil
}
