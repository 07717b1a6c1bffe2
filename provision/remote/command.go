package remote

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// commandConn is a ProxyCommand: a program of the user's whose input and output
// are the connection.
type commandConn struct {
	net.Conn
	alias  string // of the server; the line may hold what nobody else should read
	stderr tail
	end    func()
	work   sync.WaitGroup
	ended  chan struct{} // closed when the program has
}

// lastWords is how long a program may go on after the connection is closed, to say
// why it failed.
const lastWords = 500 * time.Millisecond

// startCommand starts the ProxyCommand of ssh_config, by the user's shell as ssh
// does. What is put into its line was checked: no word of a server's is in it.
func startCommand(s stop) (net.Conn, error) {
	line := strings.NewReplacer("%%", "%", "%h", s.host.Name(), "%p", strconv.Itoa(s.host.Port()),
		"%r", s.host.User(), "%n", s.alias).Replace(s.settings.command)
	near, far := net.Pipe()
	c := &commandConn{Conn: near, alias: s.alias, ended: make(chan struct{})}
	cmd := shellCommand(line)
	cmd.Stderr = &c.stderr
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, &Error{Kind: KindUnreachable, Message: "cannot start the ProxyCommand for " + s.alias, Err: err,
			Hint: "correct it in ~/.ssh/config"}
	}
	c.end = sync.OnceFunc(func() {
		c.work.Go(func() {
			select {
			case <-c.ended:
			case <-time.After(lastWords):
				endCommand(cmd)
			}
		})
	})
	c.work.Go(func() {
		_, _ = io.Copy(stdin, far) // ends with either side
		_ = stdin.Close()
	})
	c.work.Go(func() {
		_, _ = io.Copy(far, stdout)
		_ = far.Close()
		_ = cmd.Wait() // stderr says why it ended
		close(c.ended)
	})
	return c, nil
}

// Close lets the program end, and ends it if it does not.
func (c *commandConn) Close() error {
	err := c.Conn.Close()
	c.end()
	return err
}

// explain adds what the program said when no SSH came out of it.
func (c *commandConn) explain(err error) error {
	_ = c.Close()
	c.work.Wait()
	e := &Error{Kind: KindUnreachable, Message: "the ProxyCommand for " + c.alias + " brought no SSH server",
		Hint: "run it by hand (`ssh -G " + c.alias + "` shows it): it must print a line that begins with SSH-"}
	if said := printable(c.stderr.String()); said != "" {
		e.Message += ", and said: " + said
	} else {
		e.Err = err
	}
	return e
}
