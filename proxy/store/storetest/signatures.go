package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

func named(id string) front.Record {
	return front.Record{ClientID: id, Name: "Read", UpstreamID: "up-" + id, Signature: "sig-" + id, Model: "gemini-3.8-flash", Before: "[1]", After: "[2]"}
}

func record(g, i int) front.Record { return named(fmt.Sprintf("toolu_%d_%d", g, i)) }

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

// oddRecords are those that a file could get wrong.
func oddRecords() []front.Record {
	long := named("toolu_long")
	long.Signature = strings.Repeat("EpAD/+", 20_000)
	return []front.Record{
		named("toolu_1"), named("toolu_2"), long, {ClientID: "bare"},
		{ClientID: "call_\"'; DROP TABLE x;--\x00é世界\xff", Signature: "s\x00t", Model: "\xfe", Name: "é\x00"},
	}
}

func putGet(t *testing.T, s store.Store) {
	for _, r := range oddRecords() {
		put(t, s, r)
	}
	for _, r := range oddRecords() {
		check(t, s, r)
	}
	for _, id := range []string{"", "toolu_3", "TOOLU_1", "toolu_%", "toolu"} {
		if r, ok, err := s.Get(id); ok || err != nil || r != (front.Record{}) {
			t.Errorf("Get(%q) = %v, %v, %v", id, r, ok, err)
		}
	}
}

func overwrite(t *testing.T, s store.Store) {
	first, second := named("toolu_1"), named("toolu_1")
	second.Signature = "another"
	put(t, s, first)
	put(t, s, first)
	put(t, s, second)
	check(t, s, second)
}
