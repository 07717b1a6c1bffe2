package keys

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// poolOf makes a pool of keys such as "a" and "bg", which is key bg of group g.
func poolOf(names string) *Pool {
	var configured []config.Key
	for _, name := range strings.Fields(names) {
		k := config.Key{Secret: config.NewSecret(name)}
		if len(name) > 1 {
			k.Group = name[1:]
		}
		configured = append(configured, k)
	}
	return New(configured, Options{MaxFailures: 3, CoolingPeriod: 5 * time.Minute})
}

// hold leases a key for a conversation until the test is over.
func hold(t *testing.T, p *Pool, conversation string) string {
	t.Helper()
	l, err := p.Acquire(t.Context(), Want{Model: model, Conversation: conversation}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l.key.secret.Reveal()
}

func TestAConversationStaysInItsProject(t *testing.T) {
	p := poolOf("ag bg cg dh eh fh i")
	for i := range 50 {
		want := Want{Model: model, Conversation: fmt.Sprint(i)}
		first := pick(t, p, want, OK(model))
		if again := pick(t, p, want, Disable(Invalid)); again != first {
			t.Errorf("key %s, then %s", first, again)
		}
		next := pick(t, p, want, OK(model))
		if first[1:] != "" && next[1:] != first[1:] || next == first {
			t.Errorf("key %s was disabled, and then came %s", first, next)
		}
		if err := p.Enable(ID(config.NewSecret(first))); err != nil {
			t.Fatal(err)
		}
		stays := first
		if first[1:] == "" {
			stays = next // in another project, where its prefix is cached by now
		}
		if after := pick(t, p, want, OK(model)); after != stays {
			t.Errorf("key %s, after it is in order again %s", first, after)
		}
	}
}

// A burst in one conversation spills over, and the conversation stays where it is.
func TestAConversationSpillsOverToAnotherKey(t *testing.T) {
	p := poolOf("a b c d e f g h")
	own := hold(t, p, "x")
	for i := range 3 {
		if got := hold(t, p, "x"); got != own {
			t.Errorf("request %d went to %s, not to %s", i, got, own)
		}
	}
	second := hold(t, p, "x")
	if second == own {
		t.Errorf("a fifth request went to %s", own)
	}
	for range 3 {
		if got := hold(t, p, "x"); got != second {
			t.Errorf("spilled to %s, and to %s", second, got)
		}
	}
	q := poolOf("a b c d e f g h")
	own = pick(t, q, Want{Model: model, Conversation: "x"}, OK(model))
	var leases []*Lease
	for range 6 {
		l, err := q.Acquire(t.Context(), Want{Model: model, Conversation: "x"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, l)
	}
	for _, l := range leases {
		l.Done(OK(model))
	}
	if got := pick(t, q, Want{Model: model, Conversation: "x"}, OK(model)); got != own {
		t.Errorf("after the burst it is with %s, not with %s", got, own)
	}
}

func TestManyInFlightAreSpread(t *testing.T) {
	p := poolOf("a b c d")
	for i := range 400 {
		hold(t, p, fmt.Sprint("conversation ", i%7))
	}
	for _, k := range p.keys {
		if k.inflight > 126 { // 1.25 times the average
			t.Errorf("key %s has %d of 400 requests", k.id, k.inflight)
		}
	}
}

// When every key has more than its share, somebody serves all the same.
func TestCrowdedKeysServe(t *testing.T) {
	p := poolOf("a b")
	for range 20 {
		hold(t, p, "x")
	}
	if n := p.keys[0].inflight; n < 7 || n > 13 {
		t.Errorf("%d of 20", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var m memory
	k := &key{}
	for i := range uint64(5 * maxMoved) {
		m.put(i, k)
		if i > 0 && m.get(0) != k {
			t.Fatalf("what is asked for all the time was forgotten after %d", i)
		}
	}
	if len(m.recent)+len(m.old) > 2*maxMoved {
		t.Errorf("%d are kept", len(m.recent)+len(m.old))
	}
	m.drop(0)
	if m.get(0) != nil || m.get(1) != nil {
		t.Error("what was dropped or is long past is still there")
	}
}

// 4,096 keys, most of them in order: whoever is asked for is found, and nobody else's place matters.
func TestManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bigPool(4096)
		for i := range 2000 {
			if l, _ := tryTake(p, Want{Model: model}); i%2 == 0 {
				l.Done(Rest(model, DayQuota, time.Hour))
			} else {
				l.Done(Disable(Invalid))
			}
		}
		seen := map[string]bool{}
		for range 2096 {
			l, e := tryTake(p, Want{Model: model})
			if e != nil {
				t.Fatal(e)
			}
			seen[l.KeyID()] = true
		}
		if len(seen) < 2000 {
			t.Errorf("%d keys share 2096 requests", len(seen))
		}
	})
}

func bigPool(n int) *Pool {
	var configured []config.Key
	for i := range n {
		configured = append(configured, config.Key{Secret: config.NewSecret(fmt.Sprint("key ", i))})
	}
	return New(configured, Options{MaxFailures: 3, CoolingPeriod: 5 * time.Minute})
}

func BenchmarkAcquireDone(b *testing.B) {
	for _, n := range []int{1, 64, 4096} {
		for _, sticky := range []bool{false, true} {
			p := bigPool(n)
			wants := make([]Want, 1024)
			for i := range wants {
				wants[i].Model = model
				if sticky {
					wants[i].Conversation = fmt.Sprint("conversation ", i)
				}
			}
			step := func(b *testing.B, i int) {
				l, err := p.Acquire(b.Context(), wants[i%len(wants)], time.Time{})
				if err != nil {
					b.Fatal(err)
				}
				l.Done(OK(model))
			}
			b.Run(fmt.Sprintf("keys=%d/sticky=%v", n, sticky), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					step(b, i)
				}
			})
			b.Run(fmt.Sprintf("keys=%d/sticky=%v/parallel", n, sticky), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						step(b, i)
					}
				})
			})
		}
	}
}
