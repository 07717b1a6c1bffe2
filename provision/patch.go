package provision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// sendPatch sends what is new in the release, compared with one that is there and that this machine has kept. Where that
// cannot be, or is of no use, nothing was sent, and the whole binary is to be.
func (d *deploy) sendPatch(ctx context.Context, found *bare) (sent bool, err error) {
	release, base := d.base(found)
	if release == "" {
		return false, nil
	}
	patch, err := payload.MakePatch(base, d.payload)
	if err != nil {
		d.ui.Warn("the whole binary is sent, for the kept copy of " + release + " is of no use: " + err.Error())
		return false, d.Kept.Drop(base)
	}
	if int64(len(patch)) > d.payload.Size/4 { // compressed, a binary has less than half of its bytes
		return false, nil
	}
	d.ui.Phase(PhaseUpload, "gca "+d.Version+", what is new since "+release)
	d.uploaded = true
	file := remote.File{Path: d.releaseDir() + "/" + payload.PatchFile, Mode: 0o600, Size: int64(len(patch)), SHA256: sha256.Sum256(patch), Progress: d.ui.Uploaded}
	if err := d.conn.Upload(ctx, bytes.NewReader(patch), file); err != nil {
		return false, err
	}
	err = d.conn.RunRoot(ctx, remote.Cmd{Line: "exec " + converge.ReleasesDir + "/" + release + "/gca agent --patch " + d.releaseDir()})
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		d.ui.Warn(fmt.Sprintf("the whole binary is sent, for what is new could not be put together on the server: %s", firstLine(strings.TrimSpace(exit.Stderr))))
		return false, nil
	}
	return err == nil, err
}

// base is a release on the server of which this machine has a copy, the current one if possible.
func (d *deploy) base(found *bare) (release string, kept payload.Payload) {
	for _, release := range found.releases() {
		version := versionOf(release)
		sum := strings.TrimPrefix(release, version+"-")
		if kept, ok := d.Kept.Find(sum); ok && kept.Arch == d.payload.Arch && converge.ReleaseName(version, kept.SHA256) == release {
			return release, kept
		}
	}
	return "", payload.Payload{}
}
