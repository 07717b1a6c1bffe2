package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const (
	maxAgain  = 2 // further attempts after an empty, cut or malformed answer
	maxUnsure = 1 // further keys tried for a model that one key does not see, unless Google lists it
	maxPause  = 8 * time.Second
)

// How long a request may go on: it waits for a resting key no longer than QUEUE_TIMEOUT from its beginning; from then on it
// still moves on from keys that Google turns down, as many times as there are keys, so that with QUEUE_TIMEOUT=0 each of them
// gets its chance; and it begins no further attempt once QUEUE_TIMEOUT and REQUEST_TIMEOUT together have passed.

// tries is a request's way through keys and attempts, whatever it asks of Gemini.
type tries struct {
	s            *Server
	cfg          *config.Config  // as it was when the request came
	ctx          context.Context // ends when the client is gone, or with the server
	access       *access
	began        time.Time // when the request had arrived whole, less what it waited for its place
	model        string    // as the client named it
	target       string    // as Gemini does
	verb         string    // what is done with the model, where that has quotas of its own; "" is an answer
	conversation string
	refers       bool       // to a file, a cache or the like, which only some project may use
	only         string     // the id of the one key that can serve it, "" is any
	tokens       int        // of the prompt, estimated; 0 is unknown
	count        func() int // the length of the prompt in tokens; nil where nobody needs it
	ladder       ladder     // the models that may serve it instead
	again        int        // how many more empty answers are tried again

	faults   int      // of the service
	empty    int      // answers that were none
	moved    int      // keys that were turned down
	unsure   int      // keys that do not see the model
	harmless int      // refusals that left the key as it was
	above    int      // the largest quota of tokens a minute that Google said is too small
	keys     []string // ids of those that it failed with
	denied   []string // likewise, of those that Google did not let do it
	lost     []string // ways out by which Gemini could not be reached, as Lease.Egress has them
}

// run makes attempts until one succeeds or there is nothing left to try; final says of a failed one that it was the last. An
// attempt gives its lease back, sooner or later.
func (t *tries) run(attempt func(*keys.Lease) (failed *upstream.Error, final bool)) *front.Error {
	for {
		lease, err := t.lease()
		if err != nil && t.dried(err) {
			continue
		}
		if err != nil {
			return t.noKey(err)
		}
		t.access.key, t.access.leased = lease.KeyID(), time.Now()
		failed, final := attempt(lease)
		if failed != nil && failed.Kind == upstream.Denied && t.refers {
			failed.Kind = upstream.Forbidden
		}
		t.s.meters.attempt(failed)
		if failed == nil {
			t.blame()
			return nil
		}
		t.access.kind = failed.Kind.String()
		t.access.refused++
		t.keys = append(t.keys, t.access.key)
		if failed.Kind == upstream.Unreachable {
			t.lost = append(t.lost, lease.Egress())
		}
		switch {
		case !final && t.mayGoOn(failed) && t.pause(failed):
		case !final && t.moveOn(failed):
		default:
			return t.tell(failed, final)
		}
	}
}

// blame counts it as a fault of the keys that Google did not let do what another one could. Where all of them are refused the
// same it is the request's, and no client takes keys away from others by it.
func (t *tries) blame() {
	for _, id := range t.denied {
		t.s.pool.Blame(id)
	}
}

// lease gets a key, after a wait where all of them rest. A proxy that does not work, as this request found out itself, is no way
// for it as long as a key elsewhere comes back.
func (t *tries) lease() (*keys.Lease, error) {
	want := keys.Want{
		Model: t.quota(), Tokens: t.tokens, Conversation: t.conversation, Only: t.only, Avoid: t.keys, Above: t.above,
	}
	refused, down := t.s.upstream.Shunned()
	want.NotVia, want.AvoidVia = refused, down
	began := t.s.meters.beginWait()
	defer t.s.meters.endWait(began)
	if dead := slices.DeleteFunc(slices.Clone(t.lost), func(way string) bool { return !slices.Contains(down, way) }); len(dead) > 0 {
		want.NotVia = slices.Concat(refused, dead)
		lease, err := t.s.pool.Acquire(t.ctx, want, t.patience())
		var none *keys.NoneError
		if !errors.As(err, &none) || len(none.Resting) > 0 {
			return lease, err
		}
		want.NotVia = refused
	}
	return t.s.pool.Acquire(t.ctx, want, t.patience())
}

// quota names what a key has a quota for, and rests for.
func (t *tries) quota() string {
	if t.verb == "" {
		return t.target
	}
	return t.target + ":" + t.verb
}

// until is when the request stops waiting for resting keys.
func (t *tries) until() time.Time { return t.began.Add(t.cfg.QueueTimeout) }

// limit is when the request begins no further attempt.
func (t *tries) limit() time.Time { return t.until().Add(t.cfg.RequestTimeout) }

// mayGoOn decides whether a failed attempt is followed by another, and counts it.
func (t *tries) mayGoOn(failed *upstream.Error) bool {
	switch failed.Kind.Action() {
	case upstream.Backoff:
		t.faults++
		return t.faults <= t.cfg.MaxRetries
	case upstream.Again:
		t.empty++
		return t.empty <= t.again
	case upstream.NextKey:
		switch failed.Kind {
		case upstream.NoModel:
			t.unsure++
			return t.unsure <= maxUnsure || t.s.models.lists(t.target) && t.unsure < len(t.cfg.Keys)
		case upstream.Denied:
			t.harmless++
			t.denied = append(t.denied, t.access.key)
			return t.harmless < len(t.cfg.Keys)
		case upstream.SizeQuota:
			t.harmless++
			t.above = max(t.above, failed.Limit)
			return t.harmless < len(t.cfg.Keys)
		}
		t.moved++ // the key is out of the way, but may be back before the others have been asked
		return t.moved <= len(t.cfg.Keys) || time.Now().Before(t.until())
	}
	return false
}

// pause waits before the next attempt after a fault of the service, and reports whether there is time for that attempt.
func (t *tries) pause(failed *upstream.Error) bool {
	var d time.Duration
	if failed.Kind.Action() == upstream.Backoff {
		d = pauseBefore(t.s.pace.backoff, t.faults)
	}
	if time.Now().Add(d).After(t.limit()) {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done(): // Acquire says why
	}
	return true
}

// pauseBefore is the pause before the n-th retry: longer each time up to maxPause, and not the same for all clients.
func pauseBefore(first time.Duration, n int) time.Duration {
	d := first
	for i := 1; i < n && d < maxPause; i++ {
		d *= 2
	}
	return min(d/2+rand.N(d), maxPause)
}
