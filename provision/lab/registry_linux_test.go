package lab

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFreeNetworkGoesRound(t *testing.T) {
	registry, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	seen := make(map[int]bool)
	for range 20 {
		n, err := freeNetwork(registry)
		if err != nil {
			t.Fatal(err)
		}
		if n < 1 || n > lastNetwork || seen[n] {
			t.Errorf("network %d, after %v", n, seen)
		}
		seen[n] = true
	}
	if _, err := registry.WriteAt([]byte("254"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := freeNetwork(registry); err != nil || n >= 254 {
		t.Errorf("after the last network: got %d, %v", n, err)
	}
}
