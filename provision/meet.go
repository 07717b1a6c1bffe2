package provision

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

func (d *deploy) agentPath() string { return converge.ReleaseDir(d.Version, d.Payload.SHA256) + "/gca" }

// meetAgent starts the agent of the wanted release, and sends the binary first where it is missing.
func (d *deploy) meetAgent(ctx context.Context) (*remote.Process, *converge.Client, error) {
	p, err := d.conn.Start(d.talk, probeLine(d.agentPath()))
	if err != nil {
		return nil, nil, err
	}
	out := bufio.NewReaderSize(p.Stdout, 64<<10)
	line, err := firstWord(out)
	if err != nil {
		return nil, nil, fmt.Errorf("the server said nothing that makes sense: %w", err)
	}
	if line != nil {
		return p, converge.NewClient(io.MultiReader(bytes.NewReader(line), out), p.Stdin), nil
	}
	found, err := readProbe(out)
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		return nil, nil, err
	}
	if err := d.prepare(ctx, found); err != nil {
		return nil, nil, err
	}
	if p, err = d.conn.Start(d.talk, "exec "+d.agentPath()+" agent"); err != nil {
		return nil, nil, err
	}
	return p, converge.NewClient(p.Stdout, p.Stdin), nil
}

// prepare gets the binary to the server, after everything that can be known or asked before that costly step.
func (d *deploy) prepare(ctx context.Context, found *bare) error {
	if refused := found.refuse(d.Payload); refused != nil {
		return refused
	}
	if err := d.ui.Changing(); err != nil {
		return err
	}
	if !found.adapter() { // else the agent knows better what keys there are
		if err := d.askKeys(0); err != nil {
			return err
		}
	}
	return d.upload(ctx)
}

// maxNoise is how many lines a login shell may print before the server's answer.
const maxNoise = 200

// firstWord returns the agent's first line, or nil when the probe speaks instead. A line is bounded by r's buffer.
func firstWord(r *bufio.Reader) ([]byte, error) {
	for range maxNoise {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		switch text := strings.TrimSpace(string(line)); {
		case text == probeMark:
			return nil, nil
		case strings.HasPrefix(text, "{"):
			return bytes.Clone(line), nil
		}
	}
	return nil, errors.New("too many lines before the answer")
}

const sweepTime = 5 * time.Second

// sweep removes the folders made for an upload that failed, as far as they are empty; the upload's own end may take a moment.
// What it cannot do does no harm: the next deploy uses the folders.
func (d *deploy) sweep(ctx context.Context, dir string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()
	dir = strings.TrimPrefix(dir, "/opt/")
	_ = d.conn.Run(ctx, remote.Cmd{Line: "cd /opt && for i in 1 2 3; do rmdir -p " + dir + " 2>/dev/null; [ -d " + dir + " ] || break; sleep 1; done"})
}

func (d *deploy) upload(ctx context.Context) (err error) {
	d.ui.Phase(PhaseUpload, fmt.Sprintf("gca %s, %.1f MB", d.Version, float64(d.Payload.Size)/1e6))
	dir := converge.ReleaseDir(d.Version, d.Payload.SHA256)
	if err := d.conn.Run(ctx, remote.Cmd{Line: "umask 022; mkdir -p " + dir}); err != nil {
		return fmt.Errorf("cannot make %s on the server: %w", dir, err)
	}
	defer func() {
		if err != nil {
			d.sweep(ctx, dir)
		}
	}()
	f, err := os.Open(d.Payload.Path)
	if err != nil {
		return fmt.Errorf("cannot read the binary to send: %w", err)
	}
	defer func() { _ = f.Close() }()
	file := remote.File{Path: d.agentPath(), Mode: 0o755, Size: d.Payload.Size, Progress: d.ui.Uploaded}
	sum, err := hex.DecodeString(d.Payload.SHA256)
	if err != nil || copy(file.SHA256[:], sum) != len(file.SHA256) {
		return fmt.Errorf("BUG: %q is no SHA-256", d.Payload.SHA256)
	}
	return d.conn.Upload(ctx, f, file)
}
