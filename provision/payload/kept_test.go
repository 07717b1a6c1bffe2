package payload

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestKept(t *testing.T) {
	k := Kept{filepath.Join(t.TempDir(), "sent")}
	var all []Payload
	for i := range mostKept + 2 {
		p := filed(t, code(t, 1<<10, uint64(i)))
		if _, ok := k.Find(p.SHA256[:12]); ok {
			t.Errorf("%d was kept before it was sent", i)
		}
		if err := k.Keep(p); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Duration(mostKept+2-i) * time.Hour)
		if err := os.Chtimes(filepath.Join(k.dir, carriedFile(p)), long, long); err != nil {
			t.Fatal(err)
		}
		if i == mostKept-1 { // the first one is in use again
			if err := k.Keep(all[0]); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, p)
	}
	for i, p := range all {
		found, ok := k.Find(p.SHA256[:12])
		if ok != (i != 1 && i != 2) {
			t.Errorf("%d is kept: %v", i, ok)
			continue
		}
		if !ok {
			continue
		}
		want, err := whole(p)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := whole(found); err != nil || !bytes.Equal(text, want) || found.SHA256 != p.SHA256 {
			t.Errorf("%d came back as %d bytes, %v", i, len(text), err)
		}
	}
	last := all[len(all)-1]
	if err := k.Drop(last); err != nil {
		t.Error(err)
	}
	for _, prefix := range []string{last.SHA256[:12], "", "*", "?????????????", last.SHA256[:4]} {
		if p, ok := k.Find(prefix); ok {
			t.Errorf("%q finds %s", prefix, p.Name)
		}
	}
}
