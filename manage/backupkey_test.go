package manage

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testKey(tb testing.TB) *BackupKey {
	tb.Helper()
	key, _, err := MakeBackupKey(filepath.Join(tb.TempDir(), "key.txt"), testVersion, time.Unix(0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// sealed is an archive as it leaves a server.
func sealed(tb testing.TB, packed []byte, keys ...*BackupKey) []byte {
	tb.Helper()
	var names []string
	for _, key := range keys {
		names = append(names, key.Recipients()...)
	}
	to, err := ParseRecipients(names)
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	err = to.Seal(&out, func(w io.Writer) error {
		_, err := w.Write(packed)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestBackupKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "key.txt")
	if _, err := LoadBackupKey(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no key gives %v", err)
	}
	made, sheet, err := MakeBackupKey(file, testVersion, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the key's file is %v, %v", info, err)
	}
	if _, _, err := MakeBackupKey(file, testVersion, time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key that is there is made anew: %v", err)
	}
	loaded, err := LoadBackupKey(file)
	if err != nil || len(loaded.Recipients()) != 1 || loaded.Recipients()[0] != made.Recipients()[0] {
		t.Fatalf("it came back as %v, %v", loaded, err)
	}
	// What is on the sheet, typed off into a file, is the key.
	typed := filepath.Join(t.TempDir(), "typed.txt")
	for line := range strings.Lines(sheet) {
		if strings.Contains(line, "AGE-SECRET-KEY-1") {
			if err := os.WriteFile(typed, []byte(strings.TrimSpace(line)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if len(line) > 79 {
			t.Errorf("too long to print: %q", line)
		}
	}
	again, err := LoadBackupKey(typed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadArchive(bytes.NewReader(sealed(t, goodArchive(t), made)), testVersion, again); err != nil {
		t.Errorf("the sheet's key: %v", err)
	}
	for _, want := range []string{"made 2026-11-30", file, made.Recipients()[0], "gca restore --backup-key", "gca backup verify --backup-key", testVersion} {
		if !strings.Contains(sheet, want) {
			t.Errorf("the sheet lacks %q:\n%s", want, sheet)
		}
	}
	if err := os.WriteFile(typed, []byte("AGE-SECRET-KEY-1MISTYPED\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadBackupKey(typed); err == nil || strings.Contains(err.Error(), "MISTYPED") || !strings.Contains(err.Error(), "holds no backup key") {
		t.Errorf("a mistyped key gives %v", err)
	}
}

func TestParseRecipients(t *testing.T) {
	good := testKey(t).Recipients()[0]
	for _, text := range []string{"", "age1", good[:len(good)-1], good + "\n" + good, "# " + good, "ssh-ed25519 AAAA", "age-secret-key-1qq"} {
		if _, err := ParseRecipients([]string{good, text}); err == nil || !strings.Contains(err.Error(), "hint: gca backup key") || strings.Contains(err.Error(), "1qq") {
			t.Errorf("%q gives %v", text, err)
		}
	}
	if none, err := ParseRecipients(nil); err != nil || !none.None() {
		t.Errorf("nobody is %v, %v", none, err)
	}
}

func TestReadArchive_sealed(t *testing.T) {
	mine, other := testKey(t), testKey(t)
	good := goodArchive(t)
	packed := sealed(t, good, other, mine)
	a, err := ReadArchive(bytes.NewReader(packed), testVersion, mine)
	if err != nil || !a.Sealed || a.Size != int64(len(packed)) || string(a.files[envPath]) != content()[envPath] {
		t.Fatalf("got %+v, %v", a, err)
	}
	if plain, err := ReadArchive(bytes.NewReader(good), testVersion, mine); err != nil || plain.Sealed {
		t.Errorf("one in the clear: %+v, %v", plain, err)
	}
	f := func(text []byte, key *BackupKey, want string) {
		t.Helper()
		var known *ArchiveError
		if a, err := ReadArchive(bytes.NewReader(text), testVersion, key); !errors.As(err, &known) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want %q", a, err, want)
		}
	}
	f(packed, nil, "it is encrypted, and there is no backup key on this machine\nhint: give the key")
	f(packed, testKey(t), "it is encrypted, and not to the backup key in ")
	f(packed[:len(packed)/2], mine, "cut off")
	f(append(bytes.Clone(packed), 'x'), mine, "behind its end")
	f(sealed(t, []byte("hello"), mine), mine, "it is no backup of gca")
	f(sealed(t, packed, mine), mine, "it is no backup of gca") // sealed twice
	f(sealed(t, append(bytes.Clone(good), 'x'), mine), mine, "there is something behind its end")
	f(sealed(t, good[:len(good)-3], mine), mine, "it is cut off")
	f(append([]byte(sealMagic), bytes.Repeat([]byte("-> X25519 x\n"), 1<<20)...), mine, "this archive cannot be used")
	broken := errors.New("the link broke")
	if _, err := ReadArchive(io.MultiReader(bytes.NewReader(packed[:500]), brokenReader{broken}), testVersion, mine); !errors.Is(err, broken) {
		t.Errorf("a broken source gives %v", err)
	}
}

// No cut and no flipped bit gets through the encryption, unlike those of gzip's own header.
func TestReadArchive_sealedDamage(t *testing.T) {
	key := testKey(t)
	packed := sealed(t, goodArchive(t), key)
	for n := range packed {
		flipped := bytes.Clone(packed)
		flipped[n] ^= 1 << (n % 8)
		for what, text := range map[string][]byte{"a flipped bit at": flipped, "a cut after": packed[:n]} {
			var known *ArchiveError
			if _, err := ReadArchive(bytes.NewReader(text), testVersion, key); !errors.As(err, &known) {
				t.Fatalf("%s byte %d of %d gives %v", what, n, len(packed), err)
			}
		}
	}
}
