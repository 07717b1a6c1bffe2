package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// saving is an archive on its way into a file.
type saving struct {
	recipients []string          // it is encrypted to these; none is in the clear
	key        *manage.BackupKey // of this machine; may be nil
	archive    *manage.Archive   // what check read; of one that no key here opens its size and hash alone
}

// opens tells whether what was saved can be read here.
func (s *saving) opens() bool {
	return len(s.recipients) == 0 || s.key != nil && slices.ContainsFunc(s.recipients, func(to string) bool { return slices.Contains(s.key.Recipients(), to) })
}

// check reads the archive back, as far as that can be done here.
func (s *saving) check(r io.Reader) (err error) {
	if s.opens() {
		s.archive, err = manage.ReadArchive(r, version, s.key)
	} else {
		s.archive, err = manage.MeasureSealed(r)
	}
	if err == nil && len(s.recipients) > 0 && !s.archive.Sealed {
		err = errors.New("it is not encrypted")
	}
	return err
}

// backupResult is what `backup --json` and `backup verify --json` print.
type backupResult struct {
	Schema     int              `json:"schema"`
	File       string           `json:"file"`
	Size       int64            `json:"size"`
	SHA256     string           `json:"sha256"`
	Sealed     bool             `json:"encrypted"`
	Recipients []string         `json:"recipients,omitempty"`
	Manifest   *manage.Manifest `json:"manifest,omitempty"` // absent where no key here opens the archive
}

func (s *saving) tell(streams *streams, file string, asJSON bool) error {
	a := s.archive
	if asJSON {
		result := backupResult{Schema: 1, File: file, Size: a.Size, SHA256: a.SHA256, Sealed: a.Sealed, Recipients: s.recipients}
		if s.opens() {
			result.Manifest = &a.Manifest
		}
		return json.NewEncoder(streams.out).Encode(result)
	}
	how := "saved and read back; " + holdsSecrets
	switch {
	case !s.opens():
		how = fmt.Sprintf("saved %d bytes, SHA-256 %s, encrypted to %s; no key on this machine opens it, so it was not read back", a.Size, a.SHA256, strings.Join(s.recipients, " and "))
	case a.Sealed:
		how = "saved and read back; it is encrypted, and the key in " + s.key.File + " opens it"
	}
	if s.opens() {
		if err := tellArchive(streams.err, streams, a); err != nil {
			return err
		}
	}
	_, told := fmt.Fprintln(streams.err, how)
	_, err := fmt.Fprintln(streams.out, file)
	return errors.Join(told, err)
}

// fromAfar fetches a server's backup, which the server encrypts.
func (f *backupFlags) fromAfar(ctx context.Context, target string) error {
	if _, _, err := f.ssh.parse(ctx, target, f.io); err != nil {
		return err
	}
	s, err := f.sealed()
	if err != nil {
		return err
	}
	if f.out == "-" {
		return s.pass(f.io.out, f.fetch(ctx, target, s))
	}
	file, err := f.save(ctx, target, s)
	if err != nil {
		return err
	}
	return s.tell(f.io, file, f.json)
}

// save fetches a backup into its file.
func (f *backupFlags) save(ctx context.Context, target string, s *saving) (file string, err error) {
	file = f.out
	if file == "" {
		host, err := remote.ParseHost(target)
		if err != nil {
			return "", &usageError{err.Error()}
		}
		file = manage.ArchiveName(host.Name(), time.Now()) + manage.SealedSuffix
	}
	return file, manage.SaveArchive(file, f.fetch(ctx, target, s), s.check)
}

// fetch has the server write the archive.
func (f *backupFlags) fetch(ctx context.Context, target string, s *saving) func(io.Writer) error {
	words := []string{"backup", "-o", "-"}
	for _, to := range s.recipients {
		words = append(words, "--recipient", to)
	}
	if f.logs {
		words = append(words, "--with-logs")
	}
	return func(w io.Writer) error {
		p := &byteCount{to: w, io: f.io, live: isTerminal(f.io.err)}
		former := &formerRelease{to: f.io.err, mark: "unknown flag: --recipient"}
		e := manageErrand(target, rootAlways, words...)
		e.stdout, e.stderr = p, former
		err := f.ssh.runThere(ctx, f.io, target, e)
		if former.seen {
			err = former.refusal(target, "encrypted backups")
		}
		return errors.Join(err, p.end())
	}
}

// sealed says whom the archive is for: who is named, or this machine.
func (f *backupFlags) sealed() (*saving, error) {
	if len(f.recipients) > 0 {
		key, err := findKey("")
		return &saving{recipients: f.recipients, key: key}, err
	}
	key, err := ownKey(f.io)
	if err != nil {
		return nil, err
	}
	return &saving{recipients: key.Recipients()[:1], key: key}, nil
}

// pass reads an archive while it passes on to w.
func (s *saving) pass(w io.Writer, fetch func(io.Writer) error) error {
	r, to := io.Pipe()
	checked := make(chan error, 1)
	go func() {
		err := s.check(r)
		r.CloseWithError(err) // a nil error lets nothing more in, and there is nothing more
		checked <- err
	}()
	err := fetch(io.MultiWriter(w, to))
	closed, wrong := to.CloseWithError(err), <-checked
	if err != nil { // what was read ends early then, which is no news
		return err
	}
	return errors.Join(closed, wrong)
}

// byteCount shows on a terminal how much has passed.
type byteCount struct {
	to    io.Writer
	io    *streams
	live  bool
	n     int64
	shown time.Time
}

func (b *byteCount) Write(p []byte) (int, error) {
	n, err := b.to.Write(p)
	b.n += int64(n)
	if b.live && err == nil && time.Since(b.shown) > 100*time.Millisecond {
		b.shown = time.Now()
		_, err = fmt.Fprintf(b.io.err, "\r\x1b[K  %.1f MB", float64(b.n)/1e6)
	}
	return n, err
}

// end leaves a clean line.
func (b *byteCount) end() error {
	if b.shown.IsZero() {
		return nil
	}
	_, err := fmt.Fprint(b.io.err, "\r\x1b[K")
	return err
}
