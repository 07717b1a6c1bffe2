package lab

import (
	"path/filepath"
	"testing"
)

func TestSeat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seat")
	first, err := trySeat(file)
	if err != nil || first == nil {
		t.Fatalf("a free seat: %v, %v", first, err)
	}
	if second, err := trySeat(file); err != nil || second != nil {
		t.Errorf("a taken seat: %v, %v", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := trySeat(file)
	if err != nil || third == nil {
		t.Fatalf("a seat that was given back: %v, %v", third, err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
	if n, err := countSeats(); err != nil || n < fewestSeats {
		t.Errorf("%d seats, %v", n, err)
	}
}
