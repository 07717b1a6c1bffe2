package provision

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// agent is the server's side: a process, and the conversation with it.
type agent struct {
	*converge.Client
	process *remote.Process
}

// live gives signs of life until the function that it returns is called. Where they do not arrive, what is said next does
// not either, and tells.
func (a *agent) live(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(converge.AliveInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				_ = a.Alive()
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// part ends the agent's process after the last word.
func (a *agent) part() error {
	if err := a.process.Stdin.Close(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot end the talk with the agent: %w", err)
	}
	if err := a.process.Wait(); err != nil {
		return fmt.Errorf("the agent on the server ended badly: %w", err)
	}
	return nil
}

func (d *deploy) releaseDir() string { return converge.ReleaseDir(d.Version, d.payload.SHA256) }

func (d *deploy) agentPath() string { return d.releaseDir() + "/gca" }

// agents are those that the server may have, of the wanted release.
func (d *deploy) agents() []agentAt {
	var agents []agentAt
	for _, p := range d.Payloads {
		agents = append(agents, agentAt{p.Arch, converge.ReleaseDir(d.Version, p.SHA256) + "/gca"})
	}
	return agents
}

// agentLine starts an agent, which never bans the address that this connection comes from.
func agentLine(gca string) string {
	return "exec " + gca + ` agent --ssh-connection "$SSH_CONNECTION"`
}

// meet starts the agent of the wanted release, and sends the binary first where it is missing.
func (d *deploy) meet(ctx context.Context) (*agent, error) {
	a, found, err := d.look(ctx)
	if a != nil || err != nil {
		return a, err
	}
	if !found.release() {
		if err := d.send(ctx, found); err != nil {
			return nil, err
		}
	}
	return d.start(ctx)
}

// look is the first exec: it returns the agent or, where that is missing or root's password is needed, what the server is.
func (d *deploy) look(ctx context.Context) (*agent, *bare, error) {
	p, err := d.conn.Start(ctx, probeLine(d.agents()))
	if err != nil {
		return nil, nil, err
	}
	out := bufio.NewReaderSize(p.Stdout, 64<<10)
	line, arch, err := firstWord(out)
	if err != nil {
		return nil, nil, orLost(p, fmt.Errorf("the server said nothing that makes sense: %w\n%s", err, strings.TrimSpace(p.Stderr())))
	}
	if line != nil {
		d.payload, _ = d.Payloads.For(arch)
		return &agent{converge.NewClient(io.MultiReader(bytes.NewReader(line), out), p.Stdin), p}, nil, nil
	}
	found, err := readProbe(out)
	if err == nil {
		d.payload, _ = d.Payloads.For(found.arch())
	}
	ended := p.Wait()
	var lost *remote.Error
	if err == nil || errors.As(ended, &lost) {
		err = ended
	}
	return nil, found, err
}

func (d *deploy) start(ctx context.Context) (*agent, error) {
	p, err := d.conn.StartRoot(ctx, agentLine(d.agentPath()))
	if err != nil {
		return nil, err
	}
	return &agent{converge.NewClient(p.Stdout, p.Stdin), p}, nil
}

// send refuses and asks everything that can be known before the binary is sent, which costs most; then it sends it.
func (d *deploy) send(ctx context.Context, found *bare) error {
	if refused := found.refuse(d.Payloads); refused != nil {
		return refused
	}
	if d.Upgrade {
		if err := refusal(d.upgradable(found.adapter(), found.current())); err != nil {
			return err
		}
	}
	if err := d.ui.Changing(); err != nil {
		return err
	}
	if !found.adapter() && !d.Upgrade { // otherwise the agent knows better what keys there are
		if err := d.askKeys(0, true); err != nil {
			return err
		}
	}
	if sent, err := d.sendPatch(ctx, found); sent || err != nil {
		return err
	}
	return d.upload(ctx)
}

// firstWord returns the agent's first line and architecture, or nil when the probe speaks instead. A line is bounded by r's
// buffer.
func firstWord(r *bufio.Reader) (line []byte, arch string, err error) {
	for range remote.MaxNoise {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, "", err
		}
		switch text := strings.TrimSpace(string(line)); {
		case text == probeMark:
			return nil, "", nil
		case strings.HasPrefix(text, agentMark):
			arch = strings.TrimPrefix(text, agentMark)
		case strings.HasPrefix(text, "{"):
			return bytes.Clone(line), arch, nil
		}
	}
	return nil, "", errors.New("too many lines before the answer")
}

func (d *deploy) upload(ctx context.Context) error {
	r, err := d.payload.Open()
	if err != nil {
		return fmt.Errorf("cannot read the binary to send: %w", err)
	}
	defer func() { _ = r.Close() }()
	file := remote.File{Path: d.agentPath(), Mode: 0o755, Size: d.payload.Size, Progress: d.ui.Uploaded}
	sum, err := hex.DecodeString(d.payload.SHA256)
	if err != nil || copy(file.SHA256[:], sum) != len(file.SHA256) {
		return fmt.Errorf("BUG: %q is no SHA-256", d.payload.SHA256)
	}
	d.ui.Phase(PhaseUpload, "gca "+d.Version)
	d.uploaded = true
	return d.conn.Upload(ctx, r, file)
}

const sweepTime = 10 * time.Second

// sweep takes away the release that was sent for a plan alone; not the current one, nor one that a deploy is at work on, which
// holds the lock. What it cannot do does no harm: the next deploy uses it.
func (d *deploy) sweep(ctx context.Context) {
	if !d.DryRun || !d.uploaded {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()
	name := converge.ReleaseName(d.Version, d.payload.SHA256)
	dir := strings.TrimPrefix(d.releaseDir(), "/opt/")
	_ = d.conn.RunRoot(ctx, remote.Cmd{Line: `cd /opt && [ "$(readlink gemini-adapter/current)" != releases/` + name + " ] && " +
		"if [ -e " + converge.LockFile + " ]; then flock -n " + converge.LockFile + " rm -rf " + dir + "; else rm -rf " + dir + "; fi; " +
		"rmdir gemini-adapter/releases gemini-adapter 2>/dev/null; :"})
}
