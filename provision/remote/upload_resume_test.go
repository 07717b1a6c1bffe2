package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// overhead is what a connection and a keeper cost beside the file's bytes.
const overhead = 64 << 10

// A cut at any byte leaves what arrived, and the next upload sends only the rest.
func TestUpload_Cut(t *testing.T) {
	data := randomBytes(6 << 20)
	f := func(noSFTP bool, at int64) {
		t.Helper()
		s, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		dir := t.TempDir()
		file := fileOf(dir+"/file", data)
		total := int64(0)
		file.Progress = func(done, all int64) {
			if total = all; done >= at {
				s.cut()
			}
		}
		err := conn.Upload(context.Background(), bytes.NewReader(data), file)
		wantError(t, err, KindUnreachable, "lost the connection")
		s.idle()
		arrived := int64(0)
		if info, err := os.Stat(file.part()); err == nil {
			arrived = info.Size()
		} else if at > 4<<20 {
			t.Errorf("nothing is left of %d bytes: %v", at, err)
		}

		again, err := Dial(context.Background(), s.host(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		first := int64(-1)
		file.Progress = func(done, _ int64) {
			if first < 0 {
				first = done
			}
		}
		if err := again.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
			t.Fatal(err)
		}
		wantFile(t, file.Path, data)
		wantFiles(t, dir, "file")
		if sent := s.received(); sent > total-arrived+overhead {
			t.Errorf("cut at %d: sent %d bytes where %d of %d had arrived", at, sent, arrived, total)
		}
		if first < arrived {
			t.Errorf("progress began at %d, with %d there", first, arrived)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
	random := rand.New(rand.NewPCG(3, 3))
	for _, noSFTP := range []bool{false, true} {
		f(noSFTP, 0)
		for range 4 {
			f(noSFTP, random.Int64N(6<<20))
		}
		f(noSFTP, 6<<20)
	}
}

// Whoever interrupts has the rest to send later, too.
func TestUpload_Cancel(t *testing.T) {
	for _, noSFTP := range []bool{false, true} {
		s, conn := dialed(t, func(s *server) { s.noSFTP = noSFTP })
		dir := t.TempDir()
		data := randomBytes(12 << 20)
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(context.Background())
		file := fileOf(dir+"/file", data)
		total := int64(0)
		file.Progress = func(done, all int64) {
			if total = all; done > 10<<20 {
				cancel(stop)
			}
		}
		if err := conn.Upload(ctx, bytes.NewReader(data), file); !errors.Is(err, stop) {
			t.Errorf("got %v, want the cause", err)
		}
		s.idle()
		wantFiles(t, dir, filepath.Base(file.part()))
		arrived, before := int64(0), s.received()
		if info, err := os.Stat(file.part()); err != nil {
			t.Error(err)
		} else {
			arrived = info.Size()
		}
		file.Progress = nil
		if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
			t.Errorf("the second time: %v", err)
		}
		// By sftp the end of what has arrived may have holes, and goes again; and what was on its way when the first try
		// ended, at most a channel's window, may come only now. Whoever began anew would send all 12 MiB.
		most := total - arrived + 2*maxInFlight + overhead
		if sent := s.received() - before; arrived < 7<<20 || sent > most {
			t.Errorf("the second time %d bytes went over, at most %d were to: %d of %d had arrived", sent, most, arrived, total)
		}
		wantFile(t, file.Path, data)
		wantFiles(t, dir, "file")
	}
}

// What sftp leaves may have holes at its end: what is before them counts.
func TestUpload_Holes(t *testing.T) {
	data := randomBytes(6 << 20)
	s, conn := dialed(t, nil)
	file := fileOf(t.TempDir()+"/file", data)
	packed, err := pack(bytes.NewReader(data), &file)
	if err != nil {
		t.Fatal(err)
	}
	holes := bytes.Clone(packed[:5<<20])
	clear(holes[4<<20 : 4<<20+sftpPacket])
	if err := os.WriteFile(file.part(), holes, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
		t.Fatal(err)
	}
	wantFile(t, file.Path, data)
	if sent, need := s.received(), int64(len(packed)-(5<<20)+maxInFlight); sent > need+overhead {
		t.Errorf("sent %d bytes, where %d were needed", sent, need)
	}
}

// Whatever a part holds, the result is the file.
func FuzzUpload(f *testing.F) {
	const size = 200_000
	f.Add(uint32(0), uint32(0), []byte("foreign"))
	f.Add(uint32(size/2), uint32(0), []byte{})
	f.Add(uint32(size/2), uint32(size/4), []byte{})
	f.Add(uint32(size/2), uint32(0), []byte("tail"))
	f.Add(uint32(size), uint32(size-1), []byte{})
	f.Add(uint32(1<<30), uint32(0), []byte{})
	f.Add(uint32(1<<30), uint32(1), []byte("x"))
	f.Add(uint32(1<<30), uint32(0), bytes.Repeat([]byte("much"), size))
	data := randomBytes(size)
	f.Fuzz(func(t *testing.T, prefix, flip uint32, tail []byte) {
		s, conn := dialed(t, func(s *server) { s.noSFTP = prefix%2 == 0 })
		dir := t.TempDir()
		file := fileOf(dir+"/file", data)
		packed, err := pack(bytes.NewReader(data), &file)
		if err != nil {
			t.Fatal(err)
		}
		part := bytes.Clone(packed[:min(int(prefix), len(packed))])
		if flip > 0 && int(flip) < len(part) {
			part[flip] ^= 1
		}
		if err := os.WriteFile(file.part(), append(part, tail...), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := conn.Upload(context.Background(), bytes.NewReader(data), file); err != nil {
			t.Error(err)
		}
		s.idle()
		wantFile(t, file.Path, data)
		wantFiles(t, dir, "file")
	})
}

// Nor does it matter what else has the part's name, but for a folder, which is somebody's.
func TestUpload_StrangeParts(t *testing.T) {
	data := randomBytes(100_000)
	f := func(line string, fails bool) {
		t.Helper()
		_, conn := dialed(t, nil)
		dir := t.TempDir()
		file := fileOf(dir+"/file", data)
		ctx := context.Background()
		if err := conn.Run(ctx, Cmd{Line: "cd " + Quote(dir) + " && echo other >other && " + fmt.Sprintf(line, Quote(file.part()))}); err != nil {
			t.Fatal(err)
		}
		err := conn.Upload(ctx, bytes.NewReader(data), file)
		wantFile(t, dir+"/other", []byte("other\n"))
		if fails {
			wantError(t, err, KindRemote, "mv: cannot")
			wantFiles(t, dir, filepath.Base(file.part()), "other")
			return
		}
		if err != nil {
			t.Error(err)
		}
		wantFile(t, file.Path, data)
		wantFiles(t, dir, "file", "other")
	}
	f("ln -s other %s", false)
	f("ln -s nowhere %s", false)
	f("ln other %s", false)
	f("mkfifo %s", false)
	f("mkdir %s", true)
}

// Two laptops at once: each ends with the file, or says that it has not.
func TestUpload_Together(t *testing.T) {
	data := randomBytes(4 << 20)
	s, conn := dialed(t, func(s *server) { s.noSFTP = true })
	dir := t.TempDir()
	file := fileOf(dir+"/file", data)
	other := file
	errs := make(chan error, 1)
	file.Progress = func(done, _ int64) {
		if done > 0 && file.Progress != nil {
			file.Progress = nil
			go func() { errs <- conn.Upload(context.Background(), bytes.NewReader(data), other) }()
		}
	}
	first := conn.Upload(context.Background(), bytes.NewReader(data), file)
	if err := errors.Join(first, <-errs); err != nil {
		t.Error(err)
	}
	s.idle()
	wantFile(t, file.Path, data)
	wantFiles(t, dir, "file")
}
