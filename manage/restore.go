package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Restored is what a restore did.
type Restored struct {
	Applied converge.Applied // without a step if everything was as in the archive already
	Safety  string           // file of the backup of what was there before; it is there after a failure too
	Notes   []string         // on that backup
}

// Restore puts settings, keys, tokens and state of an archive in force on this server. What was there is backed up first. The
// adapter restarts and must answer, or everything is put back.
func (m Machine) Restore(ctx context.Context, a *Archive) (Restored, error) {
	want, err := a.want()
	if err != nil {
		return Restored{}, err
	}
	safety, err := KeepBackup(ctx, BackupOptions{Version: m.Agent.Version, Safety: true})
	if err != nil {
		return Restored{}, fmt.Errorf("what is there now could not be backed up, so nothing was changed: %w", err)
	}
	if err := keepEntrance(&want, a); err != nil {
		return Restored{}, err
	}
	applied, err := m.apply(ctx, want)
	return Restored{applied, safety.File, safety.Notes}, err
}

// Texts are settings, keys and tokens of the archive. The error is an [*ArchiveError] if the adapter could not run with them.
func (a *Archive) Texts() (config.Texts, *config.Config, error) {
	texts := config.Texts{Env: string(a.files[envPath]), Keys: string(a.files[keysPath]), Tokens: string(a.files[tokensPath])}
	cfg, err := texts.Parse()
	if err == nil && len(cfg.Keys) == 0 {
		err = config.ErrNoKeys
	}
	if err != nil {
		return texts, nil, bad("its settings are not right: %v", err)
	}
	// A file that is not there must not be kept from before: other keys and tokens would count as well.
	texts.Keys, texts.Tokens = orComment(texts.Keys), orComment(texts.Tokens)
	return texts, cfg, nil
}

func orComment(text string) string {
	if strings.TrimSpace(text) == "" {
		return "# none here; see adapter.env\n"
	}
	return text
}

func (a *Archive) want() (converge.Want, error) {
	texts, _, err := a.Texts()
	if err != nil {
		return converge.Want{}, err
	}
	w := converge.Want{Certificates: a.Certificates(), Roots: a.Roots(), Env: converge.NewSecret(texts.Env), Keys: converge.NewSecret(texts.Keys), Tokens: converge.NewSecret(texts.Tokens), State: []converge.StateFile{}}
	for _, f := range a.Manifest.Files {
		if name, ok := strings.CutPrefix(f.Path, statePrefix); ok {
			w.State = append(w.State, converge.StateFile{Name: name, Mode: fs.FileMode(f.Mode), Content: a.files[f.Path]})
		}
	}
	return w, nil
}

// UnpackedState is the folder below that of [Archive.Unpack] that the state is in.
const UnpackedState = "state"

// Unpack writes settings, keys and tokens into a folder, and the state into one below it, for this user alone.
func (a *Archive) Unpack(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, UnpackedState), 0o700); err != nil {
		return err
	}
	for _, f := range a.Manifest.Files {
		to := dir
		switch placeOf(f.Path) {
		case placeSettings:
		case placeState:
			to = filepath.Join(dir, UnpackedState)
		default:
			continue
		}
		if err := os.WriteFile(filepath.Join(to, path.Base(f.Path)), a.files[f.Path], 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Certificates are the archive's files for converge.CertDir.
func (a *Archive) Certificates() []converge.StateFile {
	var all []converge.StateFile
	for _, f := range a.Manifest.Files {
		if name, ok := strings.CutPrefix(f.Path, tlsPrefix); ok {
			all = append(all, converge.StateFile{Name: name, Mode: 0o600, Content: a.files[f.Path]})
		}
	}
	return all
}

// Roots is the PEM of a private CA's roots in the archive, or "".
func (a *Archive) Roots() string { return string(a.files[rootsPath]) }

// keepEntrance lets clients come in as they do now, but for an archive that has a name of its own: an address is its server's,
// and who gave a server HTTPS does not lose it to an older archive.
func keepEntrance(want *converge.Want, a *Archive) error {
	_, cfg, err := a.Texts()
	if err != nil {
		return err
	}
	if cfg.TLSName != "" && cfg.TLSName != config.TLSOff && net.ParseIP(cfg.TLSName) == nil {
		return nil
	}
	text, err := ReadEnv()
	if err != nil && !errors.Is(err, errSettingsGone) {
		return err
	}
	now, unread := config.EnvValues(text)
	if err != nil || unread != nil { // to be put right by this very restore: how clients come in is as the archive says
		return nil
	}
	if cfg.TLSName != now[tlsSetting] {
		want.Settings = append(want.Settings, converge.Setting{Name: tlsSetting, Value: now[tlsSetting]})
	}
	return nil
}

// HasToken reports whether a client token is one of the archive's.
func (a *Archive) HasToken(token string) bool {
	_, cfg, err := a.Texts()
	if err != nil || token == "" {
		return false
	}
	for _, known := range cfg.Tokens {
		if known.Hash == config.HashToken(token) {
			return true
		}
	}
	return false
}

// Print tells a person what the archive is.
func (a *Archive) Print(w io.Writer, now time.Time) error {
	m := a.Manifest
	p := &printer{w: w}
	p.line("from", "%s, release %s", printable(m.Host), printable(m.Release))
	p.line("made", "%s by gca %s, %s ago", m.Created.Format("2006-01-02 15:04:05 UTC"), m.GCA, now.Sub(m.Created).Round(time.Second))
	name := "holds"
	for _, f := range m.Files {
		p.line(name, "/%s  %d bytes", f.Path, f.Size)
		name = ""
	}
	p.line("archive", "%d bytes, SHA-256 %s", a.Size, a.SHA256)
	return p.err
}
