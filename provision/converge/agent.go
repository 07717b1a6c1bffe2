package converge

import (
	"context"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// defaultCommitTime is how long an applied plan waits for its commit: long enough for a laptop that lost its link to come back.
const defaultCommitTime = 15 * time.Minute

// Agent is the server's side of a deploy. [Agent.Run] is its front, in the SSH session of a laptop; [Agent.Work] is the
// worker, which outlives that session; [Agent.Local] is both in one process, for the server's own tools.
type Agent struct {
	Version      string // of the running binary
	SHA256       string // of the running binary, 64 hexadecimal digits
	ReadSettings SettingsReader
	Certificates CertSource    // where certificates come from
	Connection   string        // SSH_CONNECTION of the session that started it (sshd's "client port server port"); may be empty
	CommitTime   time.Duration // how long an applied plan waits for its commit; 0 is 15 minutes

	// launch starts a worker that is ready to be talked to; nil is the transient unit.
	launch func(ctx context.Context, s *system, gca string) error
}

// Run talks to the laptop over in and out until the deploy is committed, refused, cancelled or undone, or the laptop is
// gone. Each of these ends without an error; an error is one that the laptop could not be told.
func (a Agent) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	// A lost connection shows as a failed write, not as a death in mid-air.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	setUmask(0o022)
	ended := make(chan error, 1)
	go func() { ended <- a.front(ctx, newReader("/"), in, out) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done(): // it may be waiting for a laptop whose end nobody told
		return nil
	}
}

// complete fills in what the agent alone knows: where the laptop came from and in.
func (a Agent) complete(s *reader, want Want) Want {
	connection := a.Connection
	// sudo drops the variable, so the processes above us are asked too.
	for depth, parent := 0, os.Getppid(); connection == "" && parent > 1 && depth < 8; depth++ {
		connection, parent = parentConnection(s, parent)
	}
	client, port := parseConnection(connection)
	if want.Client == "" {
		want.Client = client
	}
	if want.SSHPort == 0 {
		want.SSHPort = port
	}
	return want
}

// parseConnection reads sshd's SSH_CONNECTION: the client's address and port, the server's address and port. What is not in
// order is empty.
func parseConnection(text string) (client string, port int) {
	words := strings.Fields(text)
	if len(words) != 4 {
		return "", 0
	}
	address, _, _ := strings.Cut(words[0], "%") // the zone of a link-local address
	if net.ParseIP(address) != nil {
		client = address
	}
	if n, err := strconv.Atoi(words[3]); err == nil && n > 0 && n < 1<<16 {
		port = n
	}
	return client, port
}

func (a Agent) commitTime() time.Duration {
	if a.CommitTime == 0 {
		return defaultCommitTime
	}
	return a.CommitTime
}
