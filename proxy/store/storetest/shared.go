package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// wantKeys wants exactly these records since seq, in any order, and returns what comes next.
func wantKeys(t *testing.T, s store.Store, seq int64, want ...keys.Record) int64 {
	t.Helper()
	got, next, err := s.KeysSince(seq)
	slices.SortFunc(got, func(a, b keys.Record) int {
		return slices.Compare([]string{a.Owner, a.Model, a.Name}, []string{b.Owner, b.Model, b.Name})
	})
	if err != nil || !slices.EqualFunc(got, want, same) || next < seq {
		t.Errorf("keys since %d are %+v, next %d, %v\nwant %+v", seq, got, next, err, want)
	}
	return next
}

func same(a, b keys.Record) bool {
	times := a.Until.Equal(b.Until) && a.At.Equal(b.At)
	a.Until, a.At = b.Until, b.At
	return times && a == b
}

func outlives(t *testing.T, kind Kind, s store.Store) {
	for _, r := range oddRecords() {
		put(t, s, r)
	}
	state, gone, bare := keyRecord("k1", "m\x00odd", "state", 2), keyRecord("k2", "m", "state", 3), keys.Record{Owner: "group=g", Name: "limit"}
	must(t, s.KeepKeys([]keys.Record{keyRecord("k1", "m\x00odd", "state", 1), gone, bare}))
	must(t, s.KeepKeys([]keys.Record{state}))
	must(t, s.AddUsage([]store.Usage{row(day(0), "ann", "k", "m", 1), row(day(500), "ann", "k", "m", 1)}))
	must(t, s.Close())

	again := kind.Again(t, s)
	for _, r := range oddRecords() {
		check(t, again, r)
	}
	next := wantKeys(t, again, 0, bare, state, gone)
	wantKeys(t, again, next)
	must(t, again.AddUsage([]store.Usage{row(day(0), "ann", "k", "m", 2)}))
	sum := row(day(0), "ann", "k", "m", 1)
	more := row(day(0), "ann", "k", "m", 2)
	sum.Add(&more)
	wantUsage(t, again, day(500), day(0), sum)
}

// together is a handover: what one writes the other gets to know, within the second that Revision promises.
func together(t *testing.T, kind Kind, a store.Store) {
	b := kind.Again(t, a)
	before := b.Revision()
	kept := keyRecord("k1", "m", "state", 2)
	must(t, a.KeepKeys([]keys.Record{kept}))
	next := wantKeys(t, b, 0, kept)
	Until(t, "a revision", func() bool { return b.Revision() > before })
	if r, ok, err := b.Get("toolu_1"); ok || err != nil { // b may remember that, but not for long
		t.Errorf("Get of what nobody put = %v, %v", r, err)
	}
	put(t, a, named("toolu_1"))
	Until(t, "a signature", func() bool { _, ok, err := b.Get("toolu_1"); return ok && err == nil })
	must(t, a.AddUsage([]store.Usage{row(day(0), "ann", "k", "m", 1)}))
	Until(t, "a row", func() bool { rows, err := b.Usage(day(0), day(0)); return len(rows) == 1 && err == nil })

	answer := keyRecord("k1", "m", "state", 4)
	must(t, b.KeepKeys([]keys.Record{answer}))
	wantKeys(t, b, next)
	wantKeys(t, a, 0, answer)
	must(t, b.AddUsage([]store.Usage{row(day(0), "ann", "k", "m", 2)}))
	both := row(day(0), "ann", "k", "m", 1)
	more := row(day(0), "ann", "k", "m", 2)
	both.Add(&more)
	wantUsage(t, b, day(0), day(0), both)
	must(t, b.Close())
	wantUsage(t, a, day(0), day(0), both)
}

func bothWrite(t *testing.T, kind Kind, a store.Store) {
	b := kind.Again(t, a)
	var wg sync.WaitGroup
	for w, s := range []store.Store{a, b} {
		for g := range 4 {
			wg.Go(func() {
				for i := range 25 {
					put(t, s, record(4*w+g, i))
					if err := s.KeepKeys([]keys.Record{keyRecord(fmt.Sprint(w, g), fmt.Sprint(i), "state", i)}); err != nil {
						t.Error(err)
					}
					if err := s.AddUsage([]store.Usage{row(day(0), "t", "k", "m", 1)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	must(t, a.Close())
	must(t, b.Close())
	c := kind.Again(t, a)
	records, _, err := c.KeysSince(0)
	rows, err2 := c.Usage(day(0), day(0))
	if err != nil || err2 != nil || len(records) != 200 || len(rows) != 1 || rows[0].Requests != 200 {
		t.Errorf("200 of each make %d keys, %v, and %+v, %v", len(records), err, rows, err2)
	}
	for g := range 8 {
		for i := range 25 {
			check(t, c, record(g, i))
		}
	}
}
