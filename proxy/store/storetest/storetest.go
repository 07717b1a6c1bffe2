// Package storetest is the suite that every implementation of store.Store passes.
package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// Kind is an implementation.
type Kind struct {
	Open  func(testing.TB) store.Store              // an empty store, which ends with the test
	Again func(testing.TB, store.Store) store.Store // another one of the same file; nil where nobody else can read a store
}

// Run runs the suite.
func Run(t *testing.T, kind Kind) {
	f := func(name string, test func(*testing.T, store.Store)) {
		t.Run(name, func(t *testing.T) { test(t, kind.Open(t)) })
	}
	f("what was put is got", putGet)
	f("the last put counts", overwrite)
	f("usage adds up", usageAddsUp)
	f("usage has days", usageHasDays)
	f("nobody hears of its own keys", ownKeys)
	f("a closed store says so", closed)
	f("many at once", concurrent)
	if kind.Again == nil {
		return
	}
	g := func(name string, test func(*testing.T, Kind, store.Store)) {
		t.Run(name, func(t *testing.T) { test(t, kind, kind.Open(t)) })
	}
	g("everything outlives its writer", outlives)
	g("two hear of each other", together)
	g("two write at once", bothWrite)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Until waits until ok is true.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

func row(day, token, key, model string, n int64) store.Usage {
	return store.Usage{Day: day, Token: token, Key: key, Model: model, Requests: n, Errors: 1, Unpriced: 2, Prompt: 10 * n, Cached: 3, Output: 4, Thoughts: 5, CostMicro: 6 * n}
}

func wantUsage(t *testing.T, s store.Store, from, to string, want ...store.Usage) {
	t.Helper()
	got, err := s.Usage(from, to)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("usage from %s to %s is %+v, %v\nwant %+v", from, to, got, err, want)
	}
}

// day is today's date or that of n days ago: what is old is pruned.
func day(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) }

func usageAddsUp(t *testing.T, s store.Store) {
	a, b := row(day(0), "ann", "k1", "m", 1), row(day(0), "", "", "", 2)
	must(t, s.AddUsage([]store.Usage{a, b}))
	must(t, s.AddUsage([]store.Usage{a}))
	must(t, s.AddUsage(nil))
	twice := a
	twice.Add(&a)
	wantUsage(t, s, day(0), day(0), b, twice)
	other := row(day(0), "ann", "k1", "m2", 3)
	must(t, s.AddUsage([]store.Usage{a, other}))
	twice.Add(&a)
	wantUsage(t, s, day(0), day(0), b, twice, other)
}

func usageHasDays(t *testing.T, s store.Store) {
	ancient, old, yesterday, today := row(day(500), "x", "k", "m", 1), row(day(300), "x", "k", "m", 1), row(day(1), "x", "k", "m", 1), row(day(0), "x", "k", "m", 1)
	must(t, s.AddUsage([]store.Usage{today, yesterday, old, ancient}))
	wantUsage(t, s, day(1), day(0), yesterday, today)
	wantUsage(t, s, day(1), day(1), yesterday)
	wantUsage(t, s, day(310), day(290), old)
	wantUsage(t, s, day(0), day(1))
}

// keyRecord is a record whose every field is set.
func keyRecord(owner, model, name string, steps int) keys.Record {
	at := time.Date(2026, 11, 30, 8, 0, 0, 123456789, time.UTC)
	return keys.Record{Owner: owner, Model: model, Name: name, Reason: "quota", Until: at.Add(time.Hour), Steps: steps, Limit: 7, At: at, Gone: steps%2 == 1}
}

func ownKeys(t *testing.T, s store.Store) {
	must(t, s.KeepKeys([]keys.Record{keyRecord("k", "m", "state", 1)}))
	must(t, s.KeepKeys(nil))
	if records, next, err := s.KeysSince(0); len(records) != 0 || err != nil || next < 0 {
		t.Errorf("KeysSince gave %v, %d, %v", records, next, err)
	}
}

func closed(t *testing.T, s store.Store) {
	must(t, s.Close())
	must(t, s.Close())
	if err := s.KeepKeys([]keys.Record{keyRecord("k", "", "state", 1)}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("KeepKeys said %v", err)
	}
	if err := s.AddUsage([]store.Usage{row(day(0), "x", "k", "m", 1)}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("AddUsage said %v", err)
	}
}

func concurrent(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				r := record(g, i)
				put(t, s, r)
				check(t, s, r)
				if err := errors.Join(s.KeepKeys([]keys.Record{keyRecord("k", "m", "state", i)}), s.AddUsage([]store.Usage{row(day(0), "t", "k", "m", 1)})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := s.Usage(day(0), day(0))
	if err != nil || len(got) != 1 || got[0].Requests != 400 || got[0].CostMicro != 2400 {
		t.Errorf("400 rows of one request make %+v, %v", got, err)
	}
}
