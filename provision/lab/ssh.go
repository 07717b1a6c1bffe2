package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	bootTimeout  = 90 * time.Second
	pollInterval = 20 * time.Millisecond
	// stderrTail bounds what an error repeats of a command's standard error, in bytes.
	stderrTail = 2000
)

// sshArgs are ssh's arguments up to and including the destination. The user's own ssh settings play no part.
func (s *Server) sshArgs(user string, options ...string) []string {
	args := []string{
		"-F", "/dev/null", "-i", s.KeyFile,
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "UserKnownHostsFile=" + s.KnownHosts, "-o", "StrictHostKeyChecking=yes",
		"-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR",
	}
	return append(append(args, options...), user+"@"+s.Addr)
}

// quote makes one shell word of each argument, since sshd hands the command to a shell.
func quote(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}

// output runs cmd and returns its standard output; its error says what the command said last.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	said := bytes.TrimSpace(stderr.Bytes())
	if len(said) > stderrTail {
		said = said[len(said)-stderrTail:]
	}
	return stdout.String(), fmt.Errorf("%s: %w: %s", cmd.Args[len(cmd.Args)-1], err, said)
}

// awaitBoot waits until the server takes logins and its systemd has started all it means to start.
func (s *Server) awaitBoot(ctx context.Context) error {
	if err := s.poll(ctx, s.sshdAnswers); err != nil {
		return err
	}
	return s.poll(ctx, func(ctx context.Context) bool {
		// A unit that failed to start is the server's affair, not a failure to boot: hence the state decides, not the status.
		state, err := s.Exec(ctx, "systemctl", "is-system-running", "--wait")
		var exit *exec.ExitError
		known := err == nil || errors.As(err, &exit)
		return known && slices.Contains([]string{"running", "degraded"}, strings.TrimSpace(state))
	})
}

// sshdAnswers spares the many ssh processes that would be refused before sshd runs.
func (s *Server) sshdAnswers(ctx context.Context) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(s.Addr, "22"))
	if err != nil {
		return false
	}
	defer conn.Close()
	banner := make([]byte, 4)
	if conn.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return false
	}
	_, err = io.ReadFull(conn, banner)
	return err == nil && string(banner) == "SSH-"
}

// poll calls done until it says so, or bootTimeout has passed.
func (s *Server) poll(ctx context.Context, done func(context.Context) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bootTimeout, fmt.Errorf("%s at %s does not answer after %v", s.Name, s.Addr, bootTimeout))
	defer cancel()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
	return nil
}
