package manage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

const testVersion = "0.3.1"

// content is what the good archive's files hold.
func content() map[string]string {
	return map[string]string{
		envPath:                     "PORT=8000\n",
		keysPath:                    "good-key-one-1111\n",
		statePrefix + "state.db":    "some state",
		statePrefix + "usage-2.log": "",
		nginxLogPath + "error.log":  "2026/11/23 02:14:00 [error] 1#1: *1 upstream timed out\n",
	}
}

func goodManifest() Manifest {
	m := Manifest{Schema: archiveSchema, GCA: "0.3.0", Release: "0.3.0-abcdef012345", Host: "tokyo", Created: time.Date(2026, 11, 23, 2, 14, 0, 0, time.UTC)}
	for name, text := range content() {
		sum := sha256.Sum256([]byte(text))
		m.Files = append(m.Files, ManifestFile{Path: name, Mode: 0o640, User: "root", Group: "gemini", Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(m.Files, func(a, b ManifestFile) int { return strings.Compare(a.Path, b.Path) })
	return m
}

func goodArchive(tb testing.TB) []byte {
	tb.Helper()
	m := goodManifest()
	var b bytes.Buffer
	if err := writeArchive(&b, m, func(i int) io.Reader { return strings.NewReader(content()[m.Files[i].Path]) }); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestArchive(t *testing.T) {
	packed := goodArchive(t)
	a, err := ReadArchive(bytes.NewReader(packed), testVersion, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(packed)
	if a.SHA256 != hex.EncodeToString(sum[:]) || a.Size != int64(len(packed)) {
		t.Errorf("size %d and SHA-256 %s of an archive of %d bytes", a.Size, a.SHA256, len(packed))
	}
	if got, want := a.Manifest, goodManifest(); !slices.Equal(got.Files, want.Files) || got.Host != want.Host || !got.Created.Equal(want.Created) {
		t.Errorf("the manifest came back as %+v", got)
	}
	for name, text := range content() {
		got, ok := a.File(name)
		if log := placeOf(name) == placeLog; ok == log || !log && string(got) != text {
			t.Errorf("%s came back as %q, %v", name, got, ok)
		}
	}
}

// entry is a file of a forged archive.
type entry struct {
	head tar.Header
	text string
}

// entries are those of the good archive, its manifest first.
func entries(t *testing.T, m Manifest) []entry {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := []entry{{tar.Header{Name: manifestName, Mode: 0o600}, string(text)}}
	for _, f := range m.Files {
		out = append(out, entry{tar.Header{Name: f.Path, Mode: int64(f.Mode), Uname: f.User, Gname: f.Group}, content()[f.Path]})
	}
	return out
}

func forge(t *testing.T, all []entry, behind string) []byte {
	t.Helper()
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	w := tar.NewWriter(packed)
	for _, e := range all {
		if e.head.Size == 0 {
			e.head.Size = int64(len(e.text))
		}
		if e.head.Format == tar.FormatUnknown {
			e.head.Format = tar.FormatUSTAR
		}
		if err := w.WriteHeader(&e.head); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(packed, behind); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func refused(t *testing.T, packed []byte, want string) {
	t.Helper()
	a, err := ReadArchive(bytes.NewReader(packed), testVersion, nil)
	var known *ArchiveError
	if !errors.As(err, &known) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, %v; want %q", a, err, want)
	}
}

func TestArchive_foreign(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		refused(t, []byte(text), want)
	}
	f("", "it is empty")
	f("PK\x03\x04 and so on", "it is a zip file")
	f("hello", "it is no backup of gca")
	f("\x28\xb5\x2f\xfd of zstd", "it is no backup of gca")
	f(strings.Repeat("\x00", 257)+"ustar\x0000", "it is a bare tar file")
	f("\x1f\x8b", "it is cut off")
	f("\x1f\x8b and nothing of gzip behind it", "it is damaged")
}

func TestArchive_damaged(t *testing.T) {
	good := goodArchive(t)
	for n := range good {
		if _, err := ReadArchive(bytes.NewReader(good[:n]), testVersion, nil); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", n, len(good))
		}
	}
	refused(t, good[:len(good)-1], "it is cut off")
	refused(t, good[:len(good)/2], "it is cut off")
	refused(t, append(slices.Clone(good), 'x'), "there is something behind its end")
	refused(t, append(slices.Clone(good), good...), "there is something behind its end")
	// Each flipped bit must be found, but where it means nothing: in gzip's own header, and between two of its blocks.
	for n := range good {
		flipped := slices.Clone(good)
		flipped[n] ^= 0x10
		a, err := ReadArchive(bytes.NewReader(flipped), testVersion, nil)
		if err == nil && (!slices.Equal(a.Manifest.Files, goodManifest().Files) || string(a.files[envPath]) != content()[envPath]) {
			t.Fatalf("a flipped bit in byte %d of %d is accepted", n, len(good))
		}
	}
	broken := errors.New("the link broke")
	if _, err := ReadArchive(io.MultiReader(bytes.NewReader(good[:50]), brokenReader{broken}), testVersion, nil); !errors.Is(err, broken) {
		t.Errorf("a broken source gives %v", err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestArchive_forgedEntries(t *testing.T) {
	f := func(change func([]entry) []entry, want string) {
		t.Helper()
		refused(t, forge(t, change(entries(t, goodManifest())), ""), want)
	}
	at := func(i int, change func(*entry)) func([]entry) []entry {
		return func(all []entry) []entry { change(&all[i]); return all }
	}
	plus := func(e entry) func([]entry) []entry {
		return func(all []entry) []entry { return append(all, e) }
	}
	f(func(all []entry) []entry { return all[1:] }, "it is no backup of gca: it does not begin with manifest.json")
	f(func([]entry) []entry {
		return []entry{{head: tar.Header{Name: "etc/", Typeflag: tar.TypeDir}}}
	}, "it is no backup of gca: etc/ is a folder")
	f(func([]entry) []entry { return nil }, "it is empty")
	f(func(all []entry) []entry { return all[:len(all)-1] }, "is missing")
	f(func(all []entry) []entry { return append(all[:2:2], all[1:]...) }, "twice")
	f(func(all []entry) []entry { return append(all, all[2]) }, "twice")
	f(func(all []entry) []entry { return append(all, all[0]) }, "it holds manifest.json twice")
	f(func(all []entry) []entry { all[1], all[2] = all[2], all[1]; return all }, "should be it holds")
	f(plus(entry{head: tar.Header{Name: tokensPath, Mode: 0o640}}), "which its manifest does not name")
	f(plus(entry{head: tar.Header{Name: "/etc/passwd", Mode: 0o640}}), "/etc/passwd is an absolute path")
	f(plus(entry{head: tar.Header{Name: statePrefix + "../../x", Mode: 0o640}}), "leads out of its folder")
	f(plus(entry{head: tar.Header{Name: "etc/passwd", Mode: 0o640}}), "etc/passwd is nothing that a backup holds")
	f(plus(entry{head: tar.Header{Name: statePrefix + "a\x1bb", Mode: 0o640}}), `a\x1bb is not a path of a backup`)
	f(plus(entry{head: tar.Header{Name: statePrefix + "a//b", Mode: 0o640}}), "is not a path of a backup")
	f(plus(entry{head: tar.Header{Name: statePrefix + "a/b", Mode: 0o640}}), "is nothing that a backup holds")
	f(plus(entry{head: tar.Header{Name: statePrefix + strings.Repeat("d/", 40) + "x", Mode: 0o640}}), "at most 100")
	f(plus(entry{head: tar.Header{Name: statePrefix + "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}}), "is a link")
	f(plus(entry{head: tar.Header{Name: statePrefix + "l", Typeflag: tar.TypeLink, Linkname: envPath}}), "is a hard link")
	f(plus(entry{head: tar.Header{Name: statePrefix + "d/", Typeflag: tar.TypeDir}}), "is a folder")
	f(plus(entry{head: tar.Header{Name: statePrefix + "p", Typeflag: tar.TypeFifo}}), "is a pipe")
	f(plus(entry{head: tar.Header{Name: statePrefix + "n", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}), "is a device")
	f(plus(entry{head: tar.Header{Name: statePrefix + "n", Typeflag: tar.TypeBlock}}), "is a device")
	f(plus(entry{head: tar.Header{Name: statePrefix + "p", Format: tar.FormatPAX, PAXRecords: map[string]string{"GCA.x": "y"}}}), "is not stored as a plain file")
	f(plus(entry{head: tar.Header{Name: statePrefix + "g", Format: tar.FormatGNU}}), "is not stored as a plain file")
	f(at(1, func(e *entry) { e.text = "PORT=9000\n" }), "is not what it was when the archive was made")
	f(at(1, func(e *entry) { e.text += "#" }), "and 10 by its manifest")
	f(at(1, func(e *entry) { e.head.Mode = 0o4755 }), "another owner or mode")
	f(at(1, func(e *entry) { e.head.Uname = "nobody" }), "another owner or mode")
	f(at(0, func(e *entry) { e.text += "{}" }), "its manifest cannot be read")
	f(at(0, func(e *entry) { e.text = "[]" }), "its manifest cannot be read")
	f(at(0, func(e *entry) { e.text = `{"schema":1,"surprise":true}` }), "its manifest cannot be read")
	f(at(0, func(e *entry) { e.text = `{"schema":2,"gca":"9.9.9","surprise":true}` }), "has format 2, and this gca reads formats up to 1\nhint: use gca 9.9.9")
	f(at(0, func(e *entry) { e.text = strings.Repeat(" ", maxManifest+1) }), "manifest.json has 2097153 bytes")
	refused(t, forge(t, entries(t, goodManifest()), "more"), "there is something behind its end")
}

func TestArchive_forgedManifest(t *testing.T) {
	f := func(change func(*Manifest), want string) {
		t.Helper()
		m := goodManifest()
		change(&m)
		refused(t, forge(t, entries(t, m), ""), want)
	}
	f(func(m *Manifest) { m.Schema = 0 }, "its manifest cannot be read")
	f(func(m *Manifest) { m.GCA = "0.3.2" }, "made by gca 0.3.2, and this is gca 0.3.1\nhint: use gca 0.3.2 or a later one")
	f(func(m *Manifest) { m.GCA = "0.10.0" }, "made by gca 0.10.0")
	f(func(m *Manifest) { m.GCA = "" }, "names no version")
	f(func(m *Manifest) { m.GCA = "0.3.0\x1b[2J" }, "names no version")
	f(func(m *Manifest) { m.Files = m.Files[1:] }, "it has no etc/gemini-adapter/adapter.env")
	f(func(m *Manifest) { m.Files[1] = m.Files[0] }, "its manifest names etc/gemini-adapter/adapter.env twice")
	f(func(m *Manifest) { m.Files[0].Path = "/etc/passwd" }, "/etc/passwd is an absolute path")
	f(func(m *Manifest) { m.Files[0].Path = "../x" }, "leads out of its folder")
	f(func(m *Manifest) { m.Files[0].Path = "etc/gemini-adapter/.." }, "leads out of its folder")
	f(func(m *Manifest) { m.Files[0].Path = statePrefix }, "is not a path of a backup")
	f(func(m *Manifest) { m.Files[0].Path = "" }, "is not a path of a backup")
	f(func(m *Manifest) { m.Files[0].Size = -1 }, "-1 bytes")
	f(func(m *Manifest) { m.Files[0].Size = maxSetting + 1 }, "at most 4194304")
	f(func(m *Manifest) { m.Files[0].SHA256 = "x" }, "no SHA-256")
	f(func(m *Manifest) { m.Files[0].SHA256 = strings.Repeat("A", 64) }, "no SHA-256")
	f(func(m *Manifest) { m.Files[0].User = "a b" }, "no owner")
	f(func(m *Manifest) { m.Files[0].Group = "" }, "no owner")
	f(func(m *Manifest) { m.Files[0].Mode = 0o4755 }, "its manifest cannot be read")
	f(func(m *Manifest) {
		for range maxFiles {
			m.Files = append(m.Files, m.Files[0])
		}
	}, "4101 files, at most 4096")
	f(func(m *Manifest) {
		i := slices.IndexFunc(m.Files, func(f ManifestFile) bool { return strings.HasPrefix(f.Path, statePrefix) })
		m.Files[i].Size, m.Files[i+1].Size = maxState, maxState
	}, "are to be put back")
}

// A megabyte that unpacks to a gigabyte must cost neither.
func TestArchive_bomb(t *testing.T) {
	all := entries(t, goodManifest())
	all[0].text = strings.Repeat("\x00", maxManifest)
	refused(t, forge(t, all, strings.Repeat("\x00", 64<<20)), "its manifest cannot be read")
}

// FuzzReadArchive: whatever comes in, packed or not, no panic; and what is accepted keeps every promise.
func FuzzReadArchive(f *testing.F) {
	good := goodArchive(f)
	f.Add(good)
	f.Add(unpack(f, good))
	key := testKey(f)
	f.Add(sealed(f, good, key))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := ReadArchive(bytes.NewReader(text), testVersion, key)
		if err != nil { // packing is slow, so most inputs are what would have been packed
			a, err = readTar(bytes.NewReader(text), testVersion)
		}
		if err == nil {
			checkAccepted(t, a)
		}
	})
}

func checkAccepted(t *testing.T, a *Archive) {
	if err := a.Manifest.validate(testVersion); err != nil {
		t.Error(err)
	}
	for _, file := range a.Manifest.Files {
		text, kept := a.File(file.Path)
		sum := sha256.Sum256(text)
		if kept && (hex.EncodeToString(sum[:]) != file.SHA256 || int64(len(text)) != file.Size) {
			t.Errorf("%s was accepted with another content", file.Path)
		}
		if checkName(file.Path) != nil || kept != (placeOf(file.Path) != placeLog) {
			t.Errorf("%s was accepted", file.Path)
		}
	}
	if len(a.files) > len(a.Manifest.Files) {
		t.Errorf("%d files of %d came out", len(a.files), len(a.Manifest.Files))
	}
}

func unpack(f *testing.F, packed []byte) []byte {
	f.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	return plain
}
