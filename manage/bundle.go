package manage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Bundle is what somebody who is asked for help wants to know of a server, and nothing that is secret.
type Bundle struct {
	Parts  []BundlePart
	Masked int // places where a secret stood
}

// BundlePart is one file of it.
type BundlePart struct {
	Name    string
	Content []byte
}

// BundleOptions say what goes in.
type BundleOptions struct {
	Version string                                            // of this gca
	Lines   int                                               // of each log, 1 or more
	Doctor  func(context.Context) ([]converge.Finding, error) // looks at the server
}

const (
	maxPart   = 4 << 20 // bytes
	bundleAsk = 20 * time.Second
)

// NewBundle gathers it. What does not answer is told in its place, so that a server which is broken has a bundle too. Every
// secret that the server's files hold is masked wherever it stands; that none is left is looked for again before anything is
// returned. It needs root.
func NewBundle(ctx context.Context, o BundleOptions) (*Bundle, error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	texts, unread := ReadTexts()
	if unread != nil && !errors.Is(unread, errSettingsGone) {
		return nil, unread
	}
	former, err := readConfigFile(filepath.Join(configDir, envOld)) // logs may have its secrets, too
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b := &Bundle{}
	b.add("versions.txt", versions(ctx, o.Version))
	b.status(ctx)
	b.add("settings.txt", settingsText(texts, unread))
	b.doctor(ctx, o)
	b.add("alerts.txt", printed(func(w io.Writer) error {
		report, err := Alerts(ctx)
		if err != nil {
			return err
		}
		return report.Print(w, time.Now())
	}))
	b.add("logs/adapter.txt", logText(ctx, o.Lines, Logs))
	b.add("logs/errors.txt", logText(ctx, o.Lines, ErrorLogs))
	commands := bundleCommands()
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		b.add(name, said(ctx, commands[name]...))
	}
	return b, b.mask(secretsOf(texts, config.Texts{Env: former}))
}

// bundleCommands are what tells of the system, by the name of the part.
func bundleCommands() map[string][]string {
	return map[string][]string{
		"system/units.txt":    {"systemctl", "status", "--no-pager", "--lines", "10", SocketUnit, ServiceUnit, HandoverUnit, "nginx.service", AlertsTimer, CertTimer},
		"system/listen.txt":   {"ss", "-Hltn"},
		"system/disks.txt":    {"df", "-h"},
		"system/memory.txt":   {"free", "-m"},
		"system/firewall.txt": {"ufw", "status", "verbose"},
		"logs/nginx.txt":      {"tail", "-n", "200", nginxErrors},
	}
}

func (b *Bundle) add(name string, content []byte) {
	if len(content) > maxPart {
		content = content[len(content)-maxPart:]
	}
	b.Parts = append(b.Parts, BundlePart{name, content})
}

// logText are the last lines of a log.
func logText(ctx context.Context, lines int, read func(context.Context, LogOptions, func(LogLine) error) (int, error)) []byte {
	return printed(func(w io.Writer) error {
		_, err := read(ctx, LogOptions{Lines: lines}, func(line LogLine) error {
			_, err := fmt.Fprintln(w, line)
			return err
		})
		return err
	})
}

func (b *Bundle) status(ctx context.Context) {
	report, err := Status(ctx)
	if err != nil {
		b.add("status.txt", notGathered(err))
		return
	}
	b.add("status.txt", printed(func(w io.Writer) error { return report.Print(w, time.Now()) }))
	b.add("status.json", printed(func(w io.Writer) error { return json.NewEncoder(w).Encode(report) }))
}

func (b *Bundle) doctor(ctx context.Context, o BundleOptions) {
	found, err := o.Doctor(ctx)
	if err != nil {
		b.add("doctor.json", notGathered(err))
		return
	}
	b.add("doctor.json", printed(func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(found)
	}))
}

// settingsText are the settings as `config get` shows them.
func settingsText(texts config.Texts, unread error) []byte {
	return printed(func(w io.Writer) error {
		if unread != nil {
			return unread
		}
		report, err := Config(texts)
		if err != nil {
			return err
		}
		return report.Print(w)
	})
}

func versions(ctx context.Context, version string) []byte {
	release, err := os.Readlink(currentRelease)
	if err != nil {
		release = "none: " + err.Error()
	}
	osRelease, err := os.ReadFile("/etc/os-release")
	if err != nil {
		osRelease = notGathered(err)
	}
	text := fmt.Sprintf("gca %s, %s, %s\nrelease %s\n\n%s\n", version, runtime.GOARCH, time.Now().UTC().Format(time.RFC3339), release, osRelease)
	for _, words := range [][]string{{"uname", "-a"}, {"systemctl", "--version"}, {"nginx", "-v"}} {
		text += string(said(ctx, words...))
	}
	return []byte(text)
}

// printed is what print writes, or why it could not.
func printed(print func(io.Writer) error) []byte {
	var text bytes.Buffer
	if err := print(&text); err != nil {
		text.Write(notGathered(err))
	}
	return text.Bytes()
}

func notGathered(err error) []byte { return fmt.Appendf(nil, "could not be gathered: %v\n", err) }

// said is what a command prints, whatever its end.
func said(ctx context.Context, words ...string) []byte {
	ctx, cancel := context.WithTimeout(ctx, bundleAsk)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		return notGathered(err)
	}
	return out
}

// Write writes a gzipped tar.
func (b *Bundle) Write(w io.Writer) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	for _, part := range b.Parts {
		header := &tar.Header{Name: "gca-bundle/" + part.Name, Mode: 0o600, Size: int64(len(part.Content)), ModTime: time.Now(), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(part.Content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zipped.Close())
}

// Save writes it to a new file, for its owner alone.
func (b *Bundle) Save(file string) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(b.Write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// BundleName is what a bundle of a server is called, by default.
func BundleName(server string, now time.Time) string {
	return "gca-bundle-" + server + "-" + now.UTC().Format("20060102T150405Z") + ".tar.gz"
}

// Print lists what is inside.
func (b *Bundle) Print(w io.Writer) error {
	p := &printer{w: w}
	for _, part := range b.Parts {
		p.write("%9d  %s\n", len(part.Content), part.Name)
	}
	masked := "no secret was found in it"
	if b.Masked > 0 {
		masked = count(b.Masked, "place") + " where a secret stood are masked"
	}
	p.write("searched for every key, token, password and webhook of this server: %s; nothing was sent anywhere\n", masked)
	return p.err
}
