package keys

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Record is one thing that is known of a key, or of what the keys of a group share, in the form in which it outlives the
// process. Owner, Model and Name together are its identity: a later record takes the place of an earlier one.
type Record struct {
	Owner  string    `json:"-"`                // a key's id, or "group=" and the group's name
	Model  string    `json:"-"`                // "" is all models
	Name   string    `json:"-"`                // what it tells: state, hand, rest, quota, limit.…, mates
	Reason string    `json:"reason,omitempty"` // in the words of Reason.Code
	Until  time.Time `json:"until,omitzero"`   // the end of a rest
	Steps  int       `json:"steps,omitempty"`  // of a growing rest
	Limit  int64     `json:"limit,omitempty"`  // of a quota that was learned
	At     time.Time `json:"at,omitzero"`      // when it was learned
	Gone   bool      `json:"gone,omitempty"`   // it holds no more
}

// The names of records.
const (
	recordState    = "state"          // why Google disabled a key
	recordHand     = "hand"           // a person disabled it
	recordRest     = "rest"           // a rest of the key alone
	recordQuota    = "quota"          // a rest of its project
	recordRequests = "limit.requests" // a minute
	recordTokens   = "limit.tokens"   // a minute
	recordDay      = "limit.day"      // requests a day
	recordMates    = "mates"          // the learned project that a group is in, by its name
)

// Keeper keeps records. It is called outside the pool's lock, from any goroutine, one call at a time, and before the call that
// brought the change about returns; when it returns nil the records outlive a power cut.
type Keeper interface {
	KeepKeys(changed []Record) error
}

// Away is why the record takes a key, or all of a project's, out of use for a while or for good, NoReason for one that does not.
func (r Record) Away() Reason {
	switch r.Name {
	case recordState, recordHand, recordRest, recordQuota:
		if !r.Gone {
			return reasonOf(r.Reason)
		}
	}
	return NoReason
}

type recordID struct{ owner, model, name string }

func (r Record) id() recordID { return recordID{r.Owner, r.Model, r.Name} }

// gone is the record that takes the place of one that holds no more.
func (r Record) gone() Record {
	return Record{Owner: r.Owner, Model: r.Model, Name: r.Name, Gone: true}
}

func stateRecord(id, name string, reason Reason) Record {
	return Record{Owner: id, Name: name, Reason: reason.Code(), Gone: reason == NoReason}
}

func restRecord(owner, model, name string, r rest) Record {
	return Record{Owner: owner, Model: model, Name: name, Reason: r.reason.Code(), Until: r.until, Steps: r.steps, Gone: r.reason == NoReason}
}

// kept reports whether there is a record of the rest.
func (r rest) kept() bool { return r.reason != NoReason && !r.unkept }

// mateRecord says which learned project the group is in.
func (g *group) mateRecord() Record {
	return Record{Owner: g.name, Name: recordMates, Reason: g.learned.name, Until: g.learned.until}
}

// records are all that is known of the key itself.
func (k *key) records() (all []Record) {
	if k.disabled != NoReason {
		all = append(all, stateRecord(k.id, recordState, k.disabled))
	}
	if k.hand {
		all = append(all, stateRecord(k.id, recordHand, ByHand))
	}
	if k.whole.kept() {
		all = append(all, restRecord(k.id, "", recordRest, k.whole))
	}
	for model, r := range k.rests {
		if r.kept() {
			all = append(all, restRecord(k.id, model, recordRest, r))
		}
	}
	return all
}

// records are all that is known of the group.
func (g *group) records() (all []Record) {
	if g.whole.kept() {
		all = append(all, restRecord(g.name, "", recordQuota, g.whole))
	}
	for model, l := range g.ledgers {
		if l.rest.kept() {
			all = append(all, restRecord(g.name, model, recordQuota, l.rest))
		}
		for name, limit := range map[string]limit{recordRequests: l.requests, recordTokens: l.tokens, recordDay: l.day} {
			if limit.value > 0 {
				all = append(all, Record{Owner: g.name, Model: model, Name: name, Limit: limit.value})
			}
		}
	}
	return all
}

// record puts a change where keep finds it.
func (p *Pool) record(r Record) {
	if p.options.Keeper == nil {
		return
	}
	p.pending[r.id()] = r
	p.recorded++
}

// keep hands all changes so far to the Keeper. When it returns, those made before the call are kept, by this call or another
// one that was under way, or the error says why not; what failed is tried again with the next change.
func (p *Pool) keep() error {
	p.keeping.Lock()
	defer p.keeping.Unlock()
	p.mu.Lock()
	options, batch := p.options, p.pending
	p.pending = map[recordID]Record{}
	p.mu.Unlock()
	if len(batch) == 0 || options.Keeper == nil {
		return nil
	}
	err := options.Keeper.KeepKeys(slices.SortedFunc(maps.Values(batch), func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Name, b.Name))
	}))
	before := p.failing
	if p.failing = err != nil; !p.failing {
		return nil
	}
	if options.Log != nil && !before {
		options.Log.Error("cannot keep the state of keys", "error", err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, r := range batch {
		if _, newer := p.pending[id]; !newer {
			p.pending[id] = r
		}
	}
	return err
}
