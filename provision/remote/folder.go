package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Folder is a folder of the user on a server, by sftp alone: servers that only keep files run no commands. It is closed after use.
type Folder struct {
	side *sftp.Client
	path string
	stop func(error)
	wait func() error
}

// OpenFolder opens a folder, which is made where it is missing. A path that is not absolute begins in the user's own folder.
func (c *Conn) OpenFolder(ctx context.Context, name string) (*Folder, error) {
	p, err := c.start(ctx, func(s *ssh.Session) error { return s.RequestSubsystem("sftp") }, nil)
	if err != nil {
		return nil, err
	}
	side, err := sftp.NewClientPipe(p.Stdout, p.Stdin)
	if err != nil {
		p.stop(err)
		return nil, &Error{Kind: KindRemote, Message: "the server has no sftp", Err: err}
	}
	f := &Folder{side: side, path: path.Clean(name), stop: p.stop, wait: p.Wait}
	if err := side.MkdirAll(f.path); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make the folder %s: %w", f.path, err), f.Close())
	}
	return f, nil
}

// Close ends the sftp channel; the connection stays.
func (f *Folder) Close() error {
	err := f.side.Close()
	f.stop(nil)
	// How the channel's other end went is no news: what was written has been acknowledged, or was an error before.
	_ = f.wait()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Put writes a file of size bytes that appears whole or not at all, in the place of one of that name.
func (f *Folder) Put(name string, r io.Reader, size int64) error {
	final := path.Join(f.path, name)
	part := final + ".part"
	err := f.write(part, r, size)
	if err == nil {
		err = f.side.PosixRename(part, final)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", final, err), f.discard(part))
	}
	return nil
}

func (f *Folder) write(part string, r io.Reader, size int64) error {
	to, err := f.side.Create(part)
	if err != nil {
		return err
	}
	_, err = to.ReadFromWithConcurrency(r, maxInFlight/sftpPacket)
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	info, err := f.side.Stat(part)
	if err == nil && info.Size() != size {
		err = fmt.Errorf("the server has %d of %d bytes", info.Size(), size)
	}
	return err
}

// discard removes what is left of a file, if anything is.
func (f *Folder) discard(name string) error {
	if err := f.side.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, sftp.ErrSSHFxConnectionLost) {
		return err
	}
	return nil
}

// List returns the plain files in the folder.
func (f *Folder) List() ([]fs.FileInfo, error) {
	all, err := f.side.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", f.path, err)
	}
	files := all[:0]
	for _, info := range all {
		if info.Mode().IsRegular() {
			files = append(files, info)
		}
	}
	return files, nil
}

// Remove removes a file.
func (f *Folder) Remove(name string) error {
	if err := f.side.Remove(path.Join(f.path, name)); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path.Join(f.path, name), err)
	}
	return nil
}
