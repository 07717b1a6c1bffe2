package manage

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// writeArchive writes an archive of the files that m names; open returns what the i-th holds, exactly as long as m says.
func writeArchive(w io.Writer, m Manifest, open func(i int) io.Reader) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if text = append(text, '\n'); len(text) > maxManifest {
		return fmt.Errorf("there are too many files to back up: the list of them has %d bytes, at most %d", len(text), maxManifest)
	}
	packed := gzip.NewWriter(w)
	t := tar.NewWriter(packed)
	head := tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: m.Created, Format: tar.FormatUSTAR}
	if err := t.WriteHeader(&head); err != nil {
		return err
	}
	if _, err := t.Write(text); err != nil {
		return err
	}
	for i, f := range m.Files {
		head := tar.Header{Name: f.Path, Mode: int64(f.Mode), Size: f.Size, Uname: f.User, Gname: f.Group, ModTime: m.Created, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(&head); err != nil {
			return err
		}
		if _, err := io.Copy(t, open(i)); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return packed.Close()
}
