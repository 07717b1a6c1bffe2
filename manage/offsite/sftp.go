package offsite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// sftpPlace is a folder on another server.
type sftpPlace struct {
	conn   *remote.Conn
	folder *remote.Folder
}

func openSFTP(ctx context.Context, u *url.URL, a Access) (*sftpPlace, error) {
	key, err := remote.ParseFingerprint(a.SSHHostKey)
	if err != nil {
		return nil, refusal{fmt.Errorf("%s: the server's host key must be known: %w\nhint: gca config set HOST BACKUP_SFTP_HOST_KEY=SHA256:…; ssh-keyscan %s | ssh-keygen -lf - shows it",
			Name(u), err, u.Hostname())}
	}
	host, err := remote.ParseHost(u.User.Username() + "@" + u.Host)
	if err != nil {
		return nil, refusal{err}
	}
	conn, err := remote.Dial(ctx, host, remote.Options{IdentityFile: a.SSHKey, HostKey: key, KnownHostsFile: a.KnownHosts})
	if err != nil {
		return nil, ofSSH(err)
	}
	folder, err := conn.OpenFolder(ctx, strings.TrimPrefix(u.Path, "/~/"))
	if err != nil {
		return nil, errors.Join(ofSSH(err), conn.Close())
	}
	return &sftpPlace{conn, folder}, nil
}

// ofSSH tells what another try would meet again.
func ofSSH(err error) error {
	var ssh *remote.Error
	switch {
	case errors.As(err, &ssh) && ssh.Kind == remote.KindAuth:
		return refusal{fmt.Errorf("%w\nhint: put the line of gemini-manage backup ssh-key into that user's ~/.ssh/authorized_keys", err)}
	case errors.As(err, &ssh) && ssh.Kind != remote.KindUnreachable, errors.Is(err, fs.ErrPermission):
		return refusal{err}
	}
	return err
}

func (p *sftpPlace) Put(_ context.Context, name string, r io.Reader, size int64) error {
	return ofSSH(p.folder.Put(name, r, size))
}

func (p *sftpPlace) List(context.Context) ([]Copy, error) {
	files, err := p.folder.List()
	if err != nil {
		return nil, err
	}
	copies := make([]Copy, len(files))
	for i, f := range files {
		copies[i] = Copy{f.Name(), f.Size()}
	}
	return copies, nil
}

func (p *sftpPlace) Remove(_ context.Context, name string) error {
	if err := p.folder.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (p *sftpPlace) Close() error { return errors.Join(p.folder.Close(), p.conn.Close()) }
