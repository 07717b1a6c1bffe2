package manage

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Archive is a backup that was read to its end and found whole.
type Archive struct {
	Manifest Manifest
	Sealed   bool   // it was encrypted
	Size     int64  // bytes of the archive as it was read
	SHA256   string // of these bytes, 64 hexadecimal digits

	files map[string][]byte // all but the logs
}

// File returns what a file of the archive holds; ok is false for one that it has not, and for logs.
func (a *Archive) File(name string) (content []byte, ok bool) {
	content, ok = a.files[name]
	return content, ok
}

// ReadArchive reads an archive whole and checks everything: bounds, paths, kinds, hashes, and that nothing is missing, too
// much, or behind its end. version is that of the running program. key opens one that is sealed; nil is none. The error is an
// [*ArchiveError], or that of r.
func ReadArchive(r io.Reader, version string, key *BackupKey) (*Archive, error) {
	raw := &rawReader{r: r, sum: sha256.New()}
	a, err := readAny(raw, version, key)
	if raw.err != nil {
		return nil, raw.err
	}
	if err != nil {
		return nil, asDamage(err)
	}
	a.Size, a.SHA256 = raw.size, hex.EncodeToString(raw.sum.Sum(nil))
	return a, nil
}

func readAny(r io.Reader, version string, key *BackupKey) (*Archive, error) {
	plain, sealed, err := Unsealed(r, key)
	if err != nil {
		return nil, err
	}
	a, err := readPacked(bufio.NewReaderSize(plain, 64<<10), version)
	if err == nil {
		a.Sealed = sealed
	}
	return a, err
}

// rawReader hashes and bounds the compressed bytes, and keeps the source's own error apart from those of its content.
type rawReader struct {
	r    io.Reader
	sum  hash.Hash
	size int64
	err  error
}

func (r *rawReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.sum.Write(p[:n])
	if r.size += int64(n); r.size > maxTotal {
		return 0, bad("it is larger than %d bytes", int64(maxTotal))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// asDamage puts the words of the decoders into those of a person.
func asDamage(err error) error {
	var known *ArchiveError
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return bad("it is cut off")
	case errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt):
		return bad("it is damaged")
	}
	return bad("%s", printable(err.Error()))
}

func readPacked(r *bufio.Reader, version string) (*Archive, error) {
	if err := checkMagic(r); err != nil {
		return nil, err
	}
	packed, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	packed.Multistream(false)
	a, err := readTar(packed, version)
	if err != nil {
		return nil, err
	}
	// The checksum is compared at the end of the stream, which a tar's own end comes before.
	if n, err := io.ReadFull(packed, make([]byte, 1)); n > 0 {
		return nil, bad("there is something behind its end")
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := r.ReadByte(); err == nil {
		return nil, bad("there is something behind its end")
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return a, nil
}

// checkMagic names what people take for a backup.
func checkMagic(r *bufio.Reader) error {
	start, err := r.Peek(262)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(start) == 0:
		return bad("it is empty")
	case bytes.HasPrefix(start, []byte("\x1f\x8b")):
		return nil
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return bad("it is a zip file, and no backup of gca")
	case len(start) == 262 && string(start[257:]) == "ustar":
		return bad("it is a bare tar file, and no backup of gca")
	}
	return bad("it is no backup of gca")
}

func readTar(r io.Reader, version string) (*Archive, error) {
	t := tar.NewReader(r)
	m, err := readManifest(t, version)
	if err != nil {
		return nil, err
	}
	a := &Archive{Manifest: m, files: make(map[string][]byte)}
	seen := map[string]bool{manifestName: true}
	for i := range m.Files {
		want := &m.Files[i]
		head, err := next(t)
		if errors.Is(err, io.EOF) {
			return nil, bad("%s is missing", want.Path)
		}
		if err != nil {
			return nil, err
		}
		if err := want.matches(head, seen); err != nil {
			return nil, err
		}
		seen[want.Path] = true
		if err := a.readFile(t, want); err != nil {
			return nil, err
		}
	}
	head, err := next(t)
	if err == nil {
		return nil, tooMuch(head.Name, seen)
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return a, nil
}

// next returns the next header; whatever is not a plain file is refused.
func next(t *tar.Reader) (*tar.Header, error) {
	head, err := t.Next()
	if err != nil {
		return nil, err
	}
	kind := map[byte]string{
		tar.TypeLink: "a hard link", tar.TypeSymlink: "a link", tar.TypeChar: "a device", tar.TypeBlock: "a device",
		tar.TypeDir: "a folder", tar.TypeFifo: "a pipe",
	}[head.Typeflag]
	switch {
	case kind != "":
		return nil, bad("%s is %s", printable(head.Name), kind)
	case head.Typeflag != tar.TypeReg || head.Format != tar.FormatUSTAR || head.Linkname != "":
		return nil, bad("%s is not stored as a plain file", printable(head.Name))
	case head.Name == manifestName:
		return head, nil
	}
	return head, checkName(head.Name)
}

func tooMuch(name string, seen map[string]bool) error {
	if seen[name] {
		return bad("it holds %s twice", name)
	}
	return bad("it holds %s, which its manifest does not name", name)
}

// matches compares the header with what the manifest promises.
func (f *ManifestFile) matches(head *tar.Header, seen map[string]bool) error {
	switch {
	case head.Name != f.Path && seen[head.Name]:
		return tooMuch(head.Name, seen)
	case head.Name != f.Path:
		return bad("where %s should be it holds %s", f.Path, head.Name)
	case head.Size != f.Size:
		return bad("%s has %d bytes, and %d by its manifest", f.Path, head.Size, f.Size)
	case head.Mode != int64(f.Mode) || head.Uname != f.User || head.Gname != f.Group:
		return bad("%s has another owner or mode than its manifest says", f.Path)
	}
	return nil
}

func (a *Archive) readFile(r io.Reader, f *ManifestFile) error {
	sum := sha256.New()
	var content bytes.Buffer
	to := io.Writer(sum)
	if f.kept() {
		to = io.MultiWriter(sum, &content)
	}
	if _, err := io.Copy(to, r); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return bad("%s is not what it was when the archive was made", f.Path)
	}
	if f.kept() {
		a.files[f.Path] = content.Bytes()
	}
	return nil
}

func readManifest(t *tar.Reader, version string) (Manifest, error) {
	head, err := next(t)
	if errors.Is(err, io.EOF) {
		return Manifest{}, bad("it is empty")
	}
	var strange *ArchiveError
	switch {
	case errors.As(err, &strange):
		return Manifest{}, bad("it is no backup of gca: %s", strings.TrimPrefix(strange.Message, unusable))
	case errors.Is(err, tar.ErrHeader):
		return Manifest{}, bad("it is no backup of gca: there is no tar file in it")
	case err != nil:
		return Manifest{}, err
	case head.Name != manifestName:
		return Manifest{}, bad("it is no backup of gca: it does not begin with %s", manifestName)
	}
	if head.Size > maxManifest {
		return Manifest{}, bad("%s has %d bytes, at most %d", manifestName, head.Size, maxManifest)
	}
	text, err := io.ReadAll(t)
	if err != nil {
		return Manifest{}, err
	}
	m, err := parseManifest(text)
	if err == nil {
		err = m.validate(version)
	}
	return m, err
}

// parseManifest looks at the schema first: a newer one may have other fields.
func parseManifest(text []byte) (Manifest, error) {
	var head struct {
		Schema int    `json:"schema"`
		GCA    string `json:"gca"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Schema < 1 {
		return Manifest{}, bad("its manifest cannot be read")
	}
	if head.Schema > archiveSchema {
		return Manifest{}, &ArchiveError{Message: fmt.Sprintf("this archive has format %d, and this gca reads formats up to %d", head.Schema, archiveSchema),
			Hint: strings.TrimSpace("use gca " + printable(head.GCA) + " or a later one"), Needs: printable(head.GCA)}
	}
	var m Manifest
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&m); err != nil {
		return Manifest{}, bad("its manifest cannot be read: %s", printable(err.Error()))
	}
	return m, nil
}
