package store

import (
	"fmt"
	"strings"
	"testing"
)

func TestAbsent(t *testing.T) {
	a := newAbsent()
	a.add("toolu_1", 1)
	a.add("call_2", 1)
	a.add(strings.Repeat("x", maxAbsentID+1), 1)
	has := func(id string, revision int64, want bool) {
		t.Helper()
		if got := a.has(id, revision); got != want {
			t.Errorf("has(%.20q, %d) = %v", id, revision, got)
		}
	}
	has("toolu_1", 1, true)
	has("toolu_3", 1, false)
	has("toolu_1", 2, false) // somebody else wrote
	has(strings.Repeat("x", maxAbsentID+1), 1, false)
	a.remove("toolu_1")
	has("toolu_1", 1, false)
	has("call_2", 1, true)
	a.add("toolu_1", 2)
	has("call_2", 2, false)
	for i := range maxAbsent {
		a.add(fmt.Sprint(i), 2)
	}
	if has("toolu_1", 2, false); len(a.ids) > maxAbsent {
		t.Errorf("%d ids are remembered", len(a.ids))
	}
}
