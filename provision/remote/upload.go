package remote

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// File is a file to be on the server.
type File struct {
	Path   string      // absolute; its directory exists
	Mode   fs.FileMode // permission bits only
	Size   int64       // bytes
	SHA256 [32]byte    // of the content
	// Progress is told now and then how many of the file's bytes have been handed
	// over; never by two goroutines at once. May be nil.
	Progress func(done, total int64)
}

// keeper is the shell script behind every upload. It makes the temporary file
// beside the final one, and holds it: whatever happens, a lost connection
// included, ends with the file in place, verified and on disk, or with no trace.
// One exec thus replaces the round trips for chmod, fsync, the sum and the rename.
//
// A signal only interrupts what it is at, for dash skips its EXIT trap when
// another trap exits in the midst of it.
//
// It says "ready", then reads one word: "sftp" once the bytes have come by that
// way, or "stdin" ahead of the bytes themselves.
const keeper = `LC_ALL=C; export LC_ALL; umask 077
tmp=%s dst=%s sum=%s mode=%o size=%d
set -C; : >"$tmp" || exit 1; set +C
trap 'trap "" HUP INT TERM PIPE; rm -f "$tmp"' EXIT; trap : HUP INT TERM PIPE
echo ready
read -r way || exit 1
case $way in
sftp) ;;
stdin) cat >"$tmp" || exit 1 ;;
*) exit 1 ;;
esac
got=$(wc -c <"$tmp") && [ "$got" -eq "$size" ] || { echo "$got of $size bytes arrived" >&2; exit 1; }
[ "$(sha256sum <"$tmp")" = "$sum  -" ] || { echo "the SHA-256 sum is not $sum" >&2; exit 1; }
sync "$tmp" && chmod "$mode" "$tmp" && mv -fT "$tmp" "$dst" && sync "${dst%%/*}/"
`

// Upload, as root, puts the content of r at f.Path, replacing what is there in one step and
// only if size and sum are right. It goes by sftp, or over a command's input
// where the server has none. The error is an [*Error], that of r, or the context's cause.
func (c *Conn) Upload(ctx context.Context, r io.Reader, f File) error {
	if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" || f.Size < 0 || f.Mode&^fs.ModePerm != 0 {
		return &Error{Kind: KindRemote, Message: fmt.Sprintf("cannot upload %d bytes to %q with mode %v: "+
			"an absolute path, a size and plain permission bits are needed", f.Size, f.Path, f.Mode)}
	}
	u := &upload{conn: c, file: f, content: &content{source: io.LimitReader(r, f.Size+1), file: &f},
		tmp: path.Join(path.Dir(f.Path), "."+path.Base(f.Path)+"."+rand.Text()[:10]+".part")}
	if err := u.run(ctx); err != nil {
		return u.explain(ctx, err)
	}
	return nil
}

type upload struct {
	conn    *Conn
	file    File
	tmp     string
	content *content
	full    bool // the server's disk has no room for the rest
}

func (u *upload) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the sftp channel in any case
	side := u.openSFTP(ctx)
	keep, err := u.conn.StartRoot(ctx, u.script())
	if err != nil {
		return err
	}
	ready := make([]byte, len("ready\n"))
	_, err = io.ReadFull(keep.Stdout, ready)
	if err == nil {
		err = u.transfer(<-side, keep)
	}
	keep.endInput()
	// The keeper's reason is the better one, and its end is the temporary file's.
	_, copyErr := io.Copy(io.Discard, keep.Stdout)
	if ended := keep.Wait(); ended != nil && (err == nil || !u.full && u.content.err == nil) {
		return ended
	}
	return errors.Join(err, copyErr)
}

func (u *upload) script() string {
	return fmt.Sprintf(keeper, Quote(u.tmp), Quote(u.file.Path), hex.EncodeToString(u.file.SHA256[:]), u.file.Mode, u.file.Size)
}

// transfer moves the bytes. Where sftp cannot even open the file, they go by the
// keeper's input.
func (u *upload) transfer(side *sftp.Client, keep *Process) error {
	if side != nil {
		if file, err := side.OpenFile(u.tmp, os.O_WRONLY); err == nil {
			return u.bySFTP(side, file, keep)
		}
	}
	if _, err := io.WriteString(keep.Stdin, "stdin\n"); err != nil {
		return err
	}
	_, err := io.Copy(keep.Stdin, u.content)
	return err
}

// bySFTP keeps many writes in flight: one by one each would wait for a round trip.
// The keeper need not wait for the file to be closed, since every write is
// acknowledged; the caller must, for a binary that is open cannot be run.
func (u *upload) bySFTP(side *sftp.Client, file *sftp.File, keep *Process) error {
	if _, err := file.ReadFromWithConcurrency(u.content, 0); err != nil {
		// The protocol has no word for a full disk.
		if disk, statErr := side.StatVFS(path.Dir(u.tmp)); u.content.err == nil && statErr == nil {
			u.full = int64(disk.Frsize*disk.Bavail) < u.file.Size-u.content.done+maxInFlight
		}
		return err
	}
	_, err := io.WriteString(keep.Stdin, "sftp\n")
	return errors.Join(err, file.Close())
}

// maxInFlight is what the sftp client sends ahead of the acknowledgements: 64
// packets of 32 KiB.
const maxInFlight = 64 << 15

// openSFTP delivers nil where the server has no sftp.
func (u *upload) openSFTP(ctx context.Context) <-chan *sftp.Client {
	side := make(chan *sftp.Client, 1)
	go func() {
		defer close(side)
		if way, err := u.conn.elevation(ctx); err != nil || way.sudo != "" {
			return // sftp would write as the user
		}
		p, err := u.conn.start(ctx, func(s *ssh.Session) error { return s.RequestSubsystem("sftp") }, nil)
		if err != nil {
			return
		}
		client, err := sftp.NewClientPipe(p.Stdout, p.Stdin, sftp.UseConcurrentWrites(true))
		if err != nil {
			p.stop(err)
			return
		}
		side <- client
	}()
	return side
}

// explain finds the cause behind what the two channels said.
func (u *upload) explain(ctx context.Context, err error) error {
	var told *Error
	var exit *ExitError
	e := &Error{Kind: KindRemote, Message: fmt.Sprintf("cannot upload %d bytes to %s:%s", u.file.Size, u.conn.host.Name(), u.file.Path), Err: err}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case u.content.err != nil:
		return fmt.Errorf("cannot read what is to be uploaded to %s: %w", u.file.Path, u.content.err)
	case errors.As(err, &told):
		return told
	case u.conn.alive.Err() != nil:
		return u.conn.broken(err)
	case errors.As(err, &exit):
		u.full = u.full || strings.Contains(exit.Stderr, "No space left on device") || strings.Contains(exit.Stderr, "quota exceeded")
	}
	if u.full {
		e.Message += ": its disk is full"
		e.Hint = fmt.Sprintf("make room; on the server, `df -h %s` shows what is left", Quote(path.Dir(u.file.Path)))
		e.Err = nil
	}
	return e
}

// content is the file on its way: it reports progress, and keeps the source's
// error apart from the server's.
type content struct {
	source io.Reader
	file   *File
	done   int64
	err    error
}

func (c *content) Read(b []byte) (int, error) {
	n, err := c.source.Read(b)
	c.done += int64(n)
	if n > 0 && c.file.Progress != nil {
		c.file.Progress(min(c.done, c.file.Size), c.file.Size)
	}
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
