package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stagedNginxStep lets Nginx check the site before it is put in place: a copy
// of its settings, made of links to all that is there, and of our new files.
type stagedNginxStep struct {
	site, main  string
	connections connectionsStep
}

func (stagedNginxStep) before(context.Context, *run) (reversal, error) { return reversal{}, nil }

func (st stagedNginxStep) apply(ctx context.Context, r *run) (err error) {
	stage, err := os.MkdirTemp(r.sys.at("/run"), "gca-nginx-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	if err := st.fill(r.sys, stage); err != nil {
		return err
	}
	if _, err := r.sys.run(ctx, "nginx", "-t", "-q", "-c", filepath.Join(stage, "nginx.conf")); err != nil {
		return fmt.Errorf("nginx refuses the new site, which was not put in place\n%w", err)
	}
	return nil
}

func (stagedNginxStep) check(context.Context, *run) error { return nil }

func (st stagedNginxStep) fill(s *system, stage string) error {
	conf, err := s.readText(nginxConf)
	if err != nil {
		return err
	}
	skip := map[string]bool{"nginx.conf": true, "sites-enabled": true, "modules-enabled": true}
	if err := linkAll(s.at("/etc/nginx"), stage, skip); err != nil {
		return err
	}
	for _, part := range []struct{ dir, name, text string }{
		{"sites-enabled", filepath.Base(nginxEnabled), st.site},
		{"modules-enabled", filepath.Base(nginxMain), st.main},
	} {
		dir := filepath.Join(stage, part.dir)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		skip := map[string]bool{part.name: true, "default": part.dir == "sites-enabled"}
		if err := linkAll(s.at("/etc/nginx/"+part.dir), dir, skip); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, part.name), []byte(part.text), 0o600); err != nil {
			return err
		}
	}
	staged := strings.ReplaceAll(st.connections.edit(conf), "/etc/nginx/", stage+"/")
	return os.WriteFile(filepath.Join(stage, "nginx.conf"), []byte(staged), 0o600)
}

// linkAll links everything in dir, but what is in skip, into to.
func linkAll(dir, to string, skip map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if ignoreMissing(err) != nil {
		return err
	}
	for _, entry := range entries {
		if skip[entry.Name()] {
			continue
		}
		if err := os.Symlink(filepath.Join(dir, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// nginxStep lets Nginx take up its new settings, without a restart where it runs.
type nginxStep struct {
	enable bool
	reread bool // a file of its unit changed
}

func (st nginxStep) before(ctx context.Context, r *run) (reversal, error) {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err != nil {
		return reversal{}, err
	}
	var rev reversal
	if st.reread {
		rev.Settle = []action{{Op: opDaemonReload}}
	}
	if units[nginxUnit].Active {
		rev.Settle = append(rev.Settle, action{Op: opNginxReload})
	} else {
		rev.Undo = append(rev.Undo, action{Op: opStop, Names: []string{nginxUnit}})
	}
	if st.enable && !units[nginxUnit].Enabled {
		rev.Undo = append(rev.Undo, action{Op: opDisable, Names: []string{nginxUnit}})
	}
	return rev, nil
}

func (st nginxStep) apply(ctx context.Context, r *run) error {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err != nil {
		return err
	}
	if st.reread {
		if err := r.sys.systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	if st.enable && !units[nginxUnit].Enabled {
		if err := r.sys.systemctl(ctx, "enable", nginxUnit); err != nil {
			return err
		}
	}
	if units[nginxUnit].Active {
		return nginxHint("does not take its new settings", reloadNginx(ctx, r.sys))
	}
	return nginxHint("does not start", r.sys.systemctl(ctx, "start", nginxUnit))
}

func (st nginxStep) check(ctx context.Context, r *run) error {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err == nil && !units[nginxUnit].Active {
		err = errors.New("nginx does not run")
	}
	return err
}

func nginxHint(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("nginx %s\n%w\nhint: nginx -t; journalctl -u nginx -n 20   # on the server", what, err)
}

// reloadIfRunning is for a reversal, which may have removed Nginx again.
func reloadIfRunning(ctx context.Context, s *system) error {
	units, err := collectUnits(ctx, &s.reader)
	if err != nil || !units[nginxUnit].Active {
		return err
	}
	return reloadNginx(ctx, s)
}
