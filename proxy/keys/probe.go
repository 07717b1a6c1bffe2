package keys

import "time"

const (
	firstProbe = 30 * time.Second
	lastProbe  = 6 * time.Hour
)

// probe is when a look at a key is worth its while.
type probe struct {
	at    time.Time
	pause time.Duration
}

// begin plans the first look at a key that just went out; where it came back by a look alone, and never served since, the
// pauses go on growing: a look cannot see everything that Google refuses a key for.
func (p *probe) begin(now time.Time) { p.again(now) }

// again plans the next one, twice as far away as the last.
func (p *probe) again(now time.Time) {
	p.pause = min(max(2*p.pause, firstProbe), lastProbe)
	p.at = now.Add(p.pause)
}

// mends reports whether a key that is out for the reason may be in order again some day.
func (r Reason) mends() bool {
	return r == Invalid || r == Blocked || r == ServiceOff || r == Suspended || r == NoBilling
}

// Due lists the keys whose validity is worth a probe: those that Google disabled, and failing ones, with pauses that grow from
// half a minute to six hours. A key that a person disabled is never among them, nor one that is merely out of quota.
func (p *Pool) Due(now time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for _, k := range p.keys {
		failing := k.whole.reason == Failing && k.whole.live(now)
		if !k.hand && (k.disabled.mends() || k.disabled == NoReason && failing) && !now.Before(k.probe.at) {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// Probed tells what a probe of Due's found. A key that works is used again, as far as its quota allows; what it changes is kept
// when it returns.
func (p *Pool) Probed(id string, ok bool) {
	p.lock()
	before := p.recorded
	if k := p.ids[id]; k != nil && !ok {
		k.probe.again(p.moment.now)
	} else if k != nil {
		p.recover(k)
	}
	changed := p.recorded > before
	p.mu.Unlock()
	if changed {
		_ = p.keep() // it is logged, and tried again with the next change
	}
}

// recover ends what a working key disproves.
func (p *Pool) recover(k *key) {
	if k.disabled.mends() {
		k.disabled = NoReason
		p.record(stateRecord(k.id, recordState, NoReason))
	}
	if k.whole.reason == Failing {
		k.whole, k.faults = rest{}, 0
		p.record(restRecord(k.id, "", recordRest, rest{}))
	}
	p.countAble()
	p.serveAll()
}
