package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// File is a file to be on the server.
type File struct {
	// Path is absolute. Its folder, which root alone may write, is made where it is
	// missing, and keeps the bytes that have arrived, until all have.
	Path   string
	Mode   fs.FileMode // permission bits only
	Size   int64       // bytes
	SHA256 [32]byte    // of the content
	// Progress is told now and then how many of the bytes that travel (fewer than
	// the file's, for they are compressed) the server has or was handed, those of
	// earlier tries included; never by two goroutines at once. May be nil.
	Progress func(done, total int64)
}

func (f *File) check() error {
	clean := path.IsAbs(f.Path) && path.Clean(f.Path) == f.Path
	if clean && f.Path != "/" && f.Size >= 0 && f.Mode&^fs.ModePerm == 0 {
		return nil
	}
	return &Error{Kind: KindRemote, Message: fmt.Sprintf("cannot upload %d bytes to %q with mode %v: "+
		"an absolute path, a size and plain permission bits are needed", f.Size, f.Path, f.Mode)}
}

// part is the file that collects what arrives: its name is that of the content,
// so that a later try finds it.
func (f *File) part() string {
	return path.Join(path.Dir(f.Path), "."+path.Base(f.Path)+"-"+hex.EncodeToString(f.SHA256[:8])+".part")
}

// Upload, as root, puts the content of r at f.Path, replacing what is there in one
// step and only if size and sum are right. The bytes are compressed by gzip, which
// every Debian has to unpack them. What has arrived stays on the server when the
// connection is lost or ctx ends, and the next Upload of the same content sends
// only the rest. The error is an [*Error], that of r, or the context's cause.
func (c *Conn) Upload(ctx context.Context, r io.Reader, f File) error {
	if err := f.check(); err != nil {
		return err
	}
	packed := sync.OnceValues(func() ([]byte, error) { return pack(r, &f) })
	go packed() // while the server is asked what it has
	u := &upload{conn: c, file: f, part: f.part()}
	err := u.run(ctx, packed)
	if _, unread := packed(); unread != nil {
		return unread
	}
	if err != nil {
		return u.explain(ctx, err)
	}
	return nil
}

type upload struct {
	conn   *Conn
	file   File
	part   string
	packed []byte
	told   int64 // the last progress, in bytes
}

func (u *upload) run(ctx context.Context, packed func() ([]byte, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the sftp channel in any case
	keep, err := u.conn.StartRoot(ctx, u.script())
	if err != nil {
		return err
	}
	side := u.openSFTP(ctx)
	out := bufio.NewReaderSize(keep.Stdout, maxLine)
	held, err := readHolding(out)
	var told *Error
	if errors.As(err, &told) {
		keep.stop(told) // what it says has no end, or no sense
	}
	if err == nil {
		u.packed, err = packed()
	}
	if err == nil {
		err = u.enough(held)
	}
	if err == nil {
		err = u.transfer(held, <-side, keep)
	}
	keep.endInput()
	_, copyErr := io.Copy(io.Discard, out)
	ended := keep.Wait()
	// The keeper's reason is the better one, but for those found on this side.
	if errors.As(err, &told) {
		return told
	}
	if ended != nil {
		return ended
	}
	return errors.Join(err, copyErr)
}

// transfer moves the bytes that the server lacks. Whatever keeps sftp from it, they
// then go by the keeper's input, which also has words for a disk that is full.
func (u *upload) transfer(held *holding, side *sftp.Client, keep *Process) error {
	offset := held.prefixOf(u.packed)
	u.progress(offset)
	if side != nil && u.bySFTP(side, held, offset) == nil {
		return u.order(keep, "sftp", offset)
	}
	if err := u.order(keep, "stdin", offset); err != nil {
		return err
	}
	_, err := io.Copy(keep.Stdin, u.from(offset))
	return err
}

// bySFTP keeps many writes in flight: one by one each would wait for a round trip.
// The file is closed by the channel's end: the keeper needs what was acknowledged,
// no more.
func (u *upload) bySFTP(side *sftp.Client, held *holding, offset int64) error {
	file, err := side.OpenFile(u.part, os.O_WRONLY)
	if err == nil && held.size > offset {
		err = file.Truncate(offset)
	}
	if err == nil {
		_, err = file.Seek(offset, io.SeekStart)
	}
	if err == nil {
		_, err = file.ReadFromWithConcurrency(u.from(offset), maxInFlight/sftpPacket)
	}
	return err
}

// The most that the sftp client sends ahead of the acknowledgements. They come in
// order from OpenSSH, so what a lost connection leaves has no holes before that.
const (
	sftpPacket  = 32 << 10
	maxInFlight = 64 * sftpPacket
)

// order tells the keeper how the bytes come or came, and what they are to be.
func (u *upload) order(keep *Process, way string, offset int64) error {
	_, err := fmt.Fprintf(keep.Stdin, "%s %d %d %s\n", way, offset, len(u.packed), sumOf(u.packed))
	return err
}

// from reads what is packed, and tells how far it has come.
func (u *upload) from(offset int64) io.Reader {
	return io.TeeReader(bytes.NewReader(u.packed[offset:]), &counter{offset, u.progress})
}

// progress never goes back, for bytes that go a second time.
func (u *upload) progress(done int64) {
	if u.file.Progress != nil && done >= u.told {
		u.told = done
		u.file.Progress(done, int64(len(u.packed)))
	}
}

// counter adds up what is written to it.
type counter struct {
	done int64
	tell func(done int64)
}

func (c *counter) Write(b []byte) (int, error) {
	c.done += int64(len(b))
	c.tell(c.done)
	return len(b), nil
}

// openSFTP delivers nil where the server has no sftp, or where it would be the
// user's and not root's.
func (u *upload) openSFTP(ctx context.Context) <-chan *sftp.Client {
	side := make(chan *sftp.Client, 1)
	go func() {
		defer close(side)
		if way, err := u.conn.elevation(ctx); err != nil || way.sudo != "" {
			return
		}
		p, err := u.conn.start(ctx, func(s *ssh.Session) error { return s.RequestSubsystem("sftp") }, nil)
		if err != nil {
			return
		}
		client, err := sftp.NewClientPipe(p.Stdout, p.Stdin)
		if err != nil {
			p.stop(err)
			return
		}
		side <- client
	}()
	return side
}
