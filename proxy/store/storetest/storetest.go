// Package storetest is the suite that every implementation of store.Signatures passes.
package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// Run runs the suite; open makes an empty store that ends with the test.
func Run(t *testing.T, open func(*testing.T) store.Signatures) {
	t.Run("what was put is got", func(t *testing.T) { putGet(t, open(t)) })
	t.Run("the last put counts", func(t *testing.T) { overwrite(t, open(t)) })
	t.Run("many at once", func(t *testing.T) { concurrent(t, open(t)) })
}

func record(id string) front.Record {
	return front.Record{ClientID: id, Name: "Read", UpstreamID: "up-" + id, Signature: "sig-" + id, Model: "gemini-3.8-flash"}
}

func check(t *testing.T, s store.Signatures, want front.Record) {
	t.Helper()
	got, ok, err := s.Get(want.ClientID)
	if err != nil || !ok || got != want {
		t.Errorf("Get(%.40q) = %.200v, %v, %v", want.ClientID, got, ok, err)
	}
}

func put(t *testing.T, s store.Signatures, r front.Record) {
	t.Helper()
	if err := s.Put(r); err != nil {
		t.Errorf("Put(%.200v): %v", r, err)
	}
}

func putGet(t *testing.T, s store.Signatures) {
	long := record("toolu_long")
	long.Signature = strings.Repeat("EpAD/+", 20_000)
	odd := front.Record{ClientID: "call_\"'; DROP TABLE x;--\x00é世界", Signature: "s", Model: "m"}
	records := []front.Record{record("toolu_1"), record("toolu_2"), long, odd, {ClientID: "bare"}}
	for _, r := range records {
		put(t, s, r)
	}
	for _, r := range records {
		check(t, s, r)
	}
	for _, id := range []string{"", "toolu_3", "TOOLU_1", "toolu_%", "toolu"} {
		if r, ok, err := s.Get(id); ok || err != nil || r != (front.Record{}) {
			t.Errorf("Get(%q) = %v, %v, %v", id, r, ok, err)
		}
	}
}

func overwrite(t *testing.T, s store.Signatures) {
	first, second := record("toolu_1"), record("toolu_1")
	second.Signature = "another"
	put(t, s, first)
	put(t, s, first)
	put(t, s, second)
	check(t, s, second)
}

func concurrent(t *testing.T, s store.Signatures) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				r := record(fmt.Sprintf("toolu_%d_%d", g, i))
				put(t, s, r)
				check(t, s, r)
			}
		})
	}
	wg.Wait()
}
