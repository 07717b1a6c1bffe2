// Package export writes what runs the adapter elsewhere than on a server that gca deploys to: the files of a container.
package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
)

// Container is what a container's image is made from.
type Container struct {
	Templates map[string]string // text by file name: those of a deploy, and DockerfileTemplate and ComposeTemplate
	Binaries  payload.Set
	Port      int    // that the adapter listens on
	MaxBody   int64  // bytes, of a request
	Drain     int    // seconds that open answers may take when it stops
	Keys      string // for GEMINI_API_KEYS, commas between; may be empty
	Compose   bool   // with Nginx before it
}

// The templates' file names.
const (
	DockerfileTemplate = "Dockerfile.tmpl"
	ComposeTemplate    = "compose.yaml.tmpl"
)

// User is the number of the user and the group that the adapter is in its container. Nobody has it on any system.
const User = 65532

// The network of compose's two containers. Its addresses are fixed: Nginx asks for a name's address once, when it starts, and
// would miss an adapter that comes back at another one.
const (
	composeSubnet  = "10.213.94.0/29"
	composeAdapter = "10.213.94.2"
	composeNginx   = "10.213.94.3"
)

// SettingsFile holds settings, keys and tokens. It is written once, and left alone after that.
const SettingsFile = "adapter.env"

// Written says what became of a folder.
type Written struct {
	Files    []string // names in the folder that were written
	Kept     bool     // SettingsFile was there already
	Binaries []string // the architectures
}

// Write puts the files of a container's build into dir, which it makes if it must. Files of earlier exports are replaced but
// for SettingsFile.
func (c Container) Write(dir string) (Written, error) {
	var w Written
	if len(c.Binaries) == 0 {
		return w, errors.New("this gca carries no Linux binary for a container\nhint: " + payload.BuildCommand("amd64") + ", then gca export docker --binary gca-linux-amd64")
	}
	texts, err := c.texts()
	if err != nil {
		return w, err
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.MkdirAll(filepath.Join(dir, "state"), 0o700)); err != nil {
		return w, fmt.Errorf("cannot make the folder: %w", err)
	}
	for _, b := range c.Binaries {
		name := "gca-linux-" + b.Arch
		if err := writeBinary(filepath.Join(dir, name), b); err != nil {
			return w, err
		}
		w.Files, w.Binaries = append(w.Files, name), append(w.Binaries, b.Arch)
	}
	for _, t := range texts {
		if err := replace(filepath.Join(dir, t.name), strings.NewReader(t.text), 0o644); err != nil {
			return w, err
		}
		w.Files = append(w.Files, t.name)
	}
	w.Kept, err = c.writeSettings(filepath.Join(dir, SettingsFile))
	if err == nil && !w.Kept {
		w.Files = append(w.Files, SettingsFile)
	}
	return w, err
}

type namedText struct{ name, text string }

// texts are the files that are rendered.
func (c Container) texts() ([]namedText, error) {
	dockerfile, err := c.render(DockerfileTemplate)
	texts := []namedText{{"Dockerfile", dockerfile}, {".dockerignore", "# Keys and tokens never become a part of the image.\n*\n!gca-linux-*\n!state\n"}}
	if err != nil || !c.Compose {
		return texts, err
	}
	compose, err := c.render(ComposeTemplate)
	site, siteErr := converge.ContainerSite(c.Templates, net.JoinHostPort(composeAdapter, strconv.Itoa(c.Port)), c.MaxBody)
	return append(texts, namedText{"compose.yaml", compose}, namedText{"nginx.conf", site}), errors.Join(err, siteErr)
}

// render fills one of this package's own templates in.
func (c Container) render(name string) (string, error) {
	t, err := template.New(name).Parse(c.Templates[name])
	if err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	var out strings.Builder
	err = t.Execute(&out, struct {
		User, Port, StopSeconds int
		Subnet, Adapter, Nginx  string
	}{User, c.Port, c.Drain + 10, composeSubnet, composeAdapter, composeNginx})
	return out.String(), err
}

// writeSettings makes the settings with tokens of their own, unless they are there.
func (c Container) writeSettings(file string) (kept bool, err error) {
	text := fmt.Sprintf(`# Settings of the adapter in its container, read by docker and compose: NAME=value, without quotes.
# Gemini API keys, commas between them; they come from https://aistudio.google.com/apikey
GEMINI_API_KEYS=%s
# What clients show, and who may do everything. Both were made for this folder.
CLIENT_TOKENS=%s
ADMIN_TOKEN=%s
`, c.Keys, converge.NewToken().Reveal(), converge.NewToken().Reveal())
	switch _, err := os.Lstat(file); {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("cannot write the settings: %w", err)
	}
	return false, replace(file, strings.NewReader(text), 0o600)
}

// writeBinary writes a binary that is whole, or none.
func writeBinary(file string, b payload.Payload) error {
	in, err := b.Open()
	if err != nil {
		return err
	}
	return errors.Join(replace(file, in, 0o755), in.Close())
}

// replace writes a file beside its place, and puts it there when it is whole.
func replace(file string, from io.Reader, mode fs.FileMode) error {
	part, err := os.CreateTemp(filepath.Dir(file), ".gca-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", file, err)
	}
	_, err = io.Copy(part, from)
	if err = errors.Join(err, part.Chmod(mode), part.Close()); err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", file, errors.Join(err, os.Remove(part.Name())))
	}
	return nil
}
