package manage

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// What leaves a server is encrypted to recipients (age, X25519), whose other half is the backup key of a person's machine. It
// never goes to a server: who breaks into one cannot read the backups of before, wherever they are kept.

// maxKeyFile bounds a file of keys in bytes.
const maxKeyFile = 64 << 10

// BackupKey opens sealed archives.
type BackupKey struct {
	File       string
	identities []age.Identity
	recipients []string
}

// Recipients are what archives are to be sealed to, so that this key opens them: age1….
func (k *BackupKey) Recipients() []string { return k.recipients }

// LoadBackupKey reads a file of age identities. The error is fs.ErrNotExist where there is no file; it never shows what is in it.
func LoadBackupKey(file string) (*BackupKey, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	identities, err := age.ParseIdentities(io.LimitReader(f, maxKeyFile))
	if closed := f.Close(); err != nil || closed != nil {
		return nil, errors.Join(fmt.Errorf("%s holds no backup key: expected a line that begins with AGE-SECRET-KEY-1, as on the recovery sheet", file), closed)
	}
	k := &BackupKey{File: file, identities: identities}
	for _, one := range identities {
		switch one := one.(type) {
		case *age.X25519Identity:
			k.recipients = append(k.recipients, one.Recipient().String())
		case *age.HybridIdentity:
			k.recipients = append(k.recipients, one.Recipient().String())
		}
	}
	return k, nil
}

// MakeBackupKey makes a key in a file that is not there yet, of mode 0600, and the recovery sheet that goes with it: the only text
// that shows the key. version is that of the running program.
func MakeBackupKey(file, version string, now time.Time) (k *BackupKey, sheet string, err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, "", err
	}
	recipient := identity.Recipient().String()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, "", fmt.Errorf("cannot keep a backup key: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("cannot keep a backup key: %w", err)
	}
	_, err = fmt.Fprintf(f, "# backup key of gca, made %s\n# public key: %s\n%s\n", now.UTC().Format(time.DateOnly), recipient, identity)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, "", errors.Join(fmt.Errorf("cannot keep a backup key: %w", err), os.Remove(file))
	}
	k = &BackupKey{File: file, identities: []age.Identity{identity}, recipients: []string{recipient}}
	return k, recoverySheet(identity.String(), recipient, file, version, now), nil
}

// recoverySheet is what to print and put away.
func recoverySheet(secret, recipient, file, version string, now time.Time) string {
	return fmt.Sprintf(`RECOVERY SHEET of gca, made %s

Print this, or keep it in a password manager; not only on this computer.
It is shown this once.

What it is for
  The backups that gca fetches from your servers are encrypted. The key below
  opens them: without it nobody can, not even you; whoever has it and a
  backup has your Gemini keys and settings.

The key, one line
  %s

Its public half, which need not be kept secret
  %s

It is kept on this computer in
  %s

How to restore on another computer
  1. Get gca %s or a later one.
  2. Put the key into a file:
       (umask 077; cat >key.txt)    paste the line, Enter, Ctrl-D
  3. Look whether it opens the backup:
       gca backup verify --backup-key key.txt gca-HOST-DATE.tar.gz.age
  4. Make a server the adapter of the backup, also one that is brand-new:
       gca restore --backup-key key.txt root@SERVER gca-HOST-DATE.tar.gz.age

Without gca, with the program age (age-encryption.org)
       age -d -i key.txt gca-HOST-DATE.tar.gz.age | tar -tvz
`, now.UTC().Format(time.DateOnly), secret, recipient, file, version)
}

// Recipients are whom an archive is sealed to.
type Recipients struct{ all []age.Recipient }

// ParseRecipients reads public halves of backup keys: age1….
func ParseRecipients(texts []string) (Recipients, error) {
	var r Recipients
	for _, text := range texts {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(parsed) != 1 || strings.ContainsAny(text, "\r\n") {
			if strings.Contains(strings.ToUpper(text), "SECRET") {
				text = "***" // the other half
			}
			return Recipients{}, fmt.Errorf("recipient %q: expected the public half of a backup key, such as age1…\nhint: gca backup key   # on the computer that is to open the backups", text)
		}
		r.all = append(r.all, parsed[0])
	}
	return r, nil
}

// None tells that there are no recipients.
func (r Recipients) None() bool { return len(r.all) == 0 }

// Seal encrypts what write writes. It is whole only if no error is returned.
func (r Recipients) Seal(w io.Writer, write func(io.Writer) error) error {
	sealed, err := age.Encrypt(w, r.all...)
	if err != nil {
		return fmt.Errorf("cannot encrypt the backup: %w", err)
	}
	if err := write(sealed); err != nil {
		return err
	}
	return sealed.Close()
}

// sealMagic begins every sealed archive.
const sealMagic = "age-encryption.org/v1\n"

// maxSealHeader bounds in bytes what is read of a sealed archive before it is known that the key fits.
const maxSealHeader = 64 << 10

// Unsealed returns the archive that r has, in the clear, and whether it was sealed. key is nil where there is none. Errors are as
// [ReadArchive] tells them.
func Unsealed(r io.Reader, key *BackupKey) (plain io.Reader, sealed bool, err error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	start, err := buffered.Peek(len(sealMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if string(start) != sealMagic {
		return buffered, false, nil
	}
	plain, err = key.unseal(buffered)
	return plain, true, err
}

// SealedSuffix follows the name of an archive that is sealed.
const SealedSuffix = ".age"

// MeasureSealed reads a sealed archive to its end without opening it: the size and hash are all that is known of it then.
func MeasureSealed(r io.Reader) (*Archive, error) {
	raw := &rawReader{r: r, sum: sha256.New()}
	start := make([]byte, len(sealMagic))
	switch _, err := io.ReadFull(raw, start); {
	case raw.err != nil:
		return nil, raw.err
	case err != nil || string(start) != sealMagic:
		return nil, bad("it is not encrypted")
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return nil, err
	}
	return &Archive{Sealed: true, Size: raw.size, SHA256: hex.EncodeToString(raw.sum.Sum(nil))}, nil
}

// unseal returns what a sealed archive holds. Its errors, and those of the reader, are as [ReadArchive] tells them.
func (k *BackupKey) unseal(r io.Reader) (io.Reader, error) {
	if k == nil {
		return nil, &ArchiveError{Message: unusable + "it is encrypted, and there is no backup key on this machine", Hint: "give the key of the recovery sheet: --backup-key FILE"}
	}
	head := &sealHeader{r: r, left: maxSealHeader}
	plain, err := age.Decrypt(head, k.identities...)
	var stranger *age.NoIdentityMatchError
	switch {
	case errors.As(err, &stranger):
		return nil, &ArchiveError{Message: unusable + "it is encrypted, and not to the backup key in " + k.File, Hint: "give the key that it was made for: --backup-key FILE"}
	case err != nil:
		return nil, sealDamage(err)
	}
	head.left = maxTotal
	return unsealed{plain}, nil
}

// sealHeader bounds what can be read.
type sealHeader struct {
	r    io.Reader
	left int64
}

func (h *sealHeader) Read(p []byte) (int, error) {
	if h.left <= 0 {
		return 0, bad("it is damaged: its header has no end")
	}
	n, err := h.r.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

// unsealed puts the decryption's errors into the words of archives.
type unsealed struct{ r io.Reader }

func (u unsealed) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, sealDamage(err)
}

func sealDamage(err error) error {
	var known *ArchiveError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return bad("it is cut off")
	}
	// What is behind the end and what was changed look alike to the decryption, but for a whole last piece.
	return bad("it is damaged, or cut off, or there is something behind its end")
}
