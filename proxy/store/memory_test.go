package store_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/store"
	"github.com/gemini-claude-adapter/gca/proxy/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, storetest.Kind{Open: func(testing.TB) store.Store { return store.NewMemory(store.DefaultLimits()) }})
}

func put(t *testing.T, s store.Signatures, id, signature string) {
	t.Helper()
	if err := s.Put(front.Record{ClientID: id, Signature: signature}); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, s store.Signatures, want bool, id string) {
	t.Helper()
	if _, ok, err := s.Get(id); err != nil || ok != want {
		t.Errorf("Get(%s) = %v, %v; want %v", id, ok, err, want)
	}
}

func TestMemoryForgetsTheLeastUsed(t *testing.T) {
	s := store.NewMemory(store.Limits{Entries: 3, Bytes: 1 << 20, Age: time.Hour})
	for _, id := range []string{"a", "b", "c"} {
		put(t, s, id, "sig")
	}
	has(t, s, true, "a")
	put(t, s, "d", "sig")
	has(t, s, false, "b")
	has(t, s, true, "a")
	has(t, s, true, "c")
	has(t, s, true, "d")
}

func TestMemoryIsBoundedInBytes(t *testing.T) {
	s := store.NewMemory(store.Limits{Entries: 100, Bytes: 1000, Age: time.Hour})
	put(t, s, "a", strings.Repeat("x", 600))
	put(t, s, "a", strings.Repeat("y", 600))
	has(t, s, true, "a")
	put(t, s, "b", strings.Repeat("x", 600))
	has(t, s, false, "a")
	has(t, s, true, "b")
	put(t, s, "huge", strings.Repeat("x", 2000))
	has(t, s, false, "huge")
}

func TestMemoryForgetsTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory(store.DefaultLimits())
		put(t, s, "a", "sig")
		time.Sleep(7*24*time.Hour - time.Second)
		has(t, s, true, "a")
		time.Sleep(time.Second)
		has(t, s, false, "a")
	})
}
