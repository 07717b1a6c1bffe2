package manage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// The state is an SQLite database that the service writes to while it is backed up. Opening it would have root read a file
// of the service's with SQLite, and leave files of root's beside it that the service cannot write. So it is copied as bytes:
// the write-ahead log first, then the database, once more if a checkpoint came in between; and what the log has of whole
// transactions is put into the copy, as SQLite itself does after a crash (SQLite's file format, section 4).

const (
	logSuffix     = "-wal"
	maxCopies     = 50
	betweenCopies = 100 * time.Millisecond
	settled       = 50 * time.Millisecond // from which age on a file's time tells it from one that was written later
	logHeader     = 32                    // bytes
	frameHeader   = 24                    // bytes
	logMagic      = 0x377f0682            // with 1 more the sums are over big-endian words
	minPage       = 512
	maxPage       = 65536
	logVersion    = 3007000
)

// companion reports whether a name is that of a file which SQLite keeps beside a database, or of one that was damaged. They
// mean nothing to another database, so no backup has them.
func companion(name string) bool {
	for _, suffix := range []string{logSuffix, "-shm", "-journal"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return strings.Contains(name, ".damaged-")
}

// errBusy is a database that was checkpointed while it was copied.
var errBusy = errors.New("it is being written to all the time")

// database takes a file of the service's folder, with what its write-ahead log has.
func (c *collector) database(ctx context.Context, dir *os.Root, name, as string) error {
	for range maxCopies {
		file, copied, err := c.copyDatabase(dir, name, as)
		if err == nil {
			err = c.spool.add(file, io.NewSectionReader(copied, 0, maxState+1))
		}
		if copied != nil {
			err = errors.Join(err, copied.Close())
		}
		if !errors.Is(err, errBusy) {
			return err
		}
		select {
		case <-time.After(betweenCopies):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("cannot back up /%s: %w\nhint: try again, or stop the adapter meanwhile: gemini-manage stop", as, errBusy)
}

// copyDatabase copies a database and its log into one nameless file.
func (c *collector) copyDatabase(dir *os.Root, name, as string) (file ManifestFile, copied *os.File, err error) {
	f, before, err := openPlain(dir, name)
	if err != nil {
		return file, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fresh := time.Since(before.ModTime()).Abs() < settled
	user, group := ownerNames(before)
	file = ManifestFile{Path: as, Mode: Mode(before.Mode().Perm()), User: user, Group: group}
	log, err := c.copyLog(dir, name)
	if err != nil {
		return file, nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if copied, err = nameless(c.dir); err != nil {
		return file, nil, err
	}
	if _, err := io.Copy(copied, io.LimitReader(f, maxState+1)); err != nil {
		return file, copied, fmt.Errorf("cannot back up /%s: %w", as, err)
	}
	after, err := f.Stat()
	if err != nil {
		return file, copied, err
	}
	same, err := sameLog(dir, name, log)
	if err != nil {
		return file, copied, err
	}
	if !same || !after.ModTime().Equal(before.ModTime()) || fresh {
		return file, copied, errBusy
	}
	if now, err := dir.Lstat(name); err != nil || !os.SameFile(now, after) {
		return file, copied, errors.Join(errBusy, err)
	}
	return file, copied, replay(copied, log)
}

// copyLog copies the write-ahead log of a database; where there is none the copy is empty.
func (c *collector) copyLog(dir *os.Root, name string) (*os.File, error) {
	copied, err := nameless(c.dir)
	if err != nil {
		return nil, err
	}
	f, _, err := openPlain(dir, name+logSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return copied, nil
	}
	if err == nil {
		var n int64
		n, err = io.Copy(copied, io.LimitReader(f, maxState+1))
		if err == nil && n > maxState {
			err = fmt.Errorf("the write-ahead log of %s is larger than %d bytes", name, int64(maxState))
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, errors.Join(err, copied.Close())
	}
	return copied, nil
}

// sameLog reports whether a log still begins as its copy does: SQLite begins it anew with other salts when all of it is in the
// database.
func sameLog(dir *os.Root, name string, copied *os.File) (bool, error) {
	was, err := readStart(copied)
	if err != nil {
		return false, err
	}
	f, _, err := openPlain(dir, name+logSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return len(was) == 0, nil
	}
	if err != nil {
		return false, err
	}
	now, err := readStart(f)
	return bytes.Equal(was, now), errors.Join(err, f.Close())
}

func readStart(f io.ReaderAt) ([]byte, error) {
	start := make([]byte, logHeader)
	n, err := f.ReadAt(start, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return start[:n], err
}

// nameless makes a file in dir that nothing is left of, however the process ends.
func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".spool-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeAheadLog reads a log as far as it is valid: the frames of one salt whose running sums are right.
type writeAheadLog struct {
	file  io.ReaderAt
	words binary.ByteOrder
	page  int64 // bytes
	salts []byte
	sum   [2]uint32
	at    int64
	frame []byte
}

// openLog reads a log's header; one that is not whole has no frames, and is nil.
func openLog(f io.ReaderAt) (*writeAheadLog, error) {
	h, err := readStart(f)
	if err != nil || len(h) < logHeader {
		return nil, err
	}
	l := &writeAheadLog{file: f, words: binary.LittleEndian, page: int64(binary.BigEndian.Uint32(h[8:])), salts: h[16:24], at: logHeader}
	magic := binary.BigEndian.Uint32(h)
	if magic == logMagic+1 {
		l.words = binary.BigEndian
	}
	l.add(h[:24])
	if magic&^1 != logMagic || binary.BigEndian.Uint32(h[4:]) != logVersion || l.page < minPage || l.page > maxPage || l.page&(l.page-1) != 0 || !l.agrees(h[24:]) {
		return nil, nil
	}
	l.frame = make([]byte, frameHeader+l.page)
	return l, nil
}

// add goes on with the running sum.
func (l *writeAheadLog) add(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		l.sum[0] += l.words.Uint32(b) + l.sum[1]
		l.sum[1] += l.words.Uint32(b[4:]) + l.sum[0]
	}
}

func (l *writeAheadLog) agrees(b []byte) bool {
	return binary.BigEndian.Uint32(b) == l.sum[0] && binary.BigEndian.Uint32(b[4:]) == l.sum[1]
}

// next reads a frame: the page's number and place in the log, and after the last one of a transaction the pages that the
// database then has. Not ok is the end of what is valid.
func (l *writeAheadLog) next() (page uint32, at int64, pages uint32, ok bool, err error) {
	n, err := l.file.ReadAt(l.frame, l.at)
	if n < len(l.frame) {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return 0, 0, 0, false, err
	}
	page, pages = binary.BigEndian.Uint32(l.frame), binary.BigEndian.Uint32(l.frame[4:])
	l.add(l.frame[:8])
	l.add(l.frame[frameHeader:])
	if page == 0 || !bytes.Equal(l.frame[8:16], l.salts) || !l.agrees(l.frame[16:]) {
		return 0, 0, 0, false, nil
	}
	at = l.at + frameHeader
	l.at += int64(len(l.frame))
	return page, at, pages, true, nil
}

// replay puts what a log has of whole transactions into a database.
func replay(db *os.File, log io.ReaderAt) error {
	l, err := openLog(log)
	if l == nil || err != nil {
		return err
	}
	begun, whole, pages := map[uint32]int64{}, map[uint32]int64{}, uint32(0)
	for {
		page, at, after, ok, err := l.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		begun[page] = at
		if after > 0 {
			for page, at := range begun {
				whole[page] = at
			}
			clear(begun)
			pages = after
		}
	}
	if pages == 0 {
		return nil
	}
	if size := int64(pages) * l.page; size > maxState {
		return fmt.Errorf("the database is larger than the %d bytes that a backup has room for", int64(maxState))
	}
	content := make([]byte, l.page)
	for page, at := range whole {
		if page > pages {
			continue
		}
		if _, err := log.ReadAt(content, at); err != nil {
			return err
		}
		if _, err := db.WriteAt(content, int64(page-1)*l.page); err != nil {
			return err
		}
	}
	return db.Truncate(int64(pages) * l.page)
}
