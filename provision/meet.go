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
	if err := d.prepare(found); err != nil {
		return nil, nil, err
	}
	err = d.upload(ctx)
	if err == nil {
		p, err = d.conn.Start(d.talk, "exec "+d.agentPath()+" agent")
	}
	if err != nil {
		d.sweep(ctx)
		return nil, nil, err
	}
	return p, converge.NewClient(p.Stdout, p.Stdin), nil
}

// prepare does everything that can be known or asked before the binary is sent, which costs most.
func (d *deploy) prepare(found *bare) error {
	if refused := found.refuse(d.Payload); refused != nil {
		return refused
	}
	if err := d.ui.Changing(); err != nil {
		return err
	}
	if found.adapter() { // the agent knows better what keys there are
		return nil
	}
	return d.askKeys(0)
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

// sweep removes what an upload made that no agent came to own: not the current release, nor one that another deploy is at work
// on, which holds the lock. It looks more than once, since what was interrupted may still be running on the server. What it
// cannot do does no harm: the next deploy uses it.
func (d *deploy) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()
	name := converge.ReleaseName(d.Version, d.Payload.SHA256)
	dir := strings.TrimPrefix(converge.ReleaseDir(d.Version, d.Payload.SHA256), "/opt/")
	_ = d.conn.Run(ctx, remote.Cmd{Line: `cd /opt && [ "$(readlink gemini-adapter/current)" != releases/` + name + " ] && " +
		"for i in 1 2 3 4; do flock -n " + converge.LockFile + " rm -f " + dir + "/gca; rmdir -p " + dir + "; sleep 0.5; done"})
}

func (d *deploy) upload(ctx context.Context) error {
	d.ui.Phase(PhaseUpload, fmt.Sprintf("gca %s, %.1f MB", d.Version, float64(d.Payload.Size)/1e6))
	dir := converge.ReleaseDir(d.Version, d.Payload.SHA256)
	if err := d.conn.Run(ctx, remote.Cmd{Line: "umask 022; mkdir -p " + dir}); err != nil {
		return fmt.Errorf("cannot make %s on the server: %w", dir, err)
	}
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
