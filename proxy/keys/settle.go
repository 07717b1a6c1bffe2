package keys

import (
	"strings"
	"time"
)

// settle applies what a request taught about its key.
func (p *Pool) settle(l *Lease, o Outcome) {
	p.lock()
	before := p.recorded
	k := l.key
	k.inflight--
	p.busy--
	if o.kind != outcomeOK && o.kind != outcomeNone {
		k.failures++
	}
	if o.free {
		l.uncount()
	}
	if o.limits != (Limits{}) {
		p.learn(k.group, o.limited, o.limits)
	}
	retired := 0
	switch o.kind {
	case outcomeOK:
		p.served(l, o)
	case outcomeRest:
		p.rest(l, o)
	case outcomeDisable:
		retired = p.disable(k, o.reason)
	case outcomeFault:
		p.fault(k)
	case outcomeNone:
		if o.free {
			p.serveModel(l.model) // there is room for others again
		}
	}
	changed, log := p.recorded > before, p.options.Log
	p.mu.Unlock()
	if retired > 0 && log != nil {
		log.Warn("Google refused a key: it is out of use until it works again", "key", k.id, "keys", retired, "reason", o.reason.Code(), "error", bounded(o.words))
	}
	if changed {
		_ = p.keep() // it is logged, and tried again with the next change
	}
}

// served forgets what a success ends.
func (p *Pool) served(l *Lease, o Outcome) {
	k, g, now := l.key, l.key.group, p.moment.now
	k.faults, k.probe = 0, probe{}
	for _, model := range []string{o.model, ""} {
		if r := k.restOf(model); r.over(now) {
			k.endRest(model)
			p.noteRest(k, k.id, model, recordRest, rest{unkept: r.unkept})
		}
		if r := g.restOf(model); r.over(now) { // one that another request has brought about meanwhile goes on
			g.endRest(model)
			p.noteRest(k, g.name, model, recordQuota, rest{unkept: r.unkept})
		}
	}
	if ledger := g.ledgers[o.model]; ledger != nil {
		ledger.served = later(ledger.served, l.began)
	}
	if g.stranger(o.model, l.began, now) {
		p.part(g)
		p.serveModel(o.model)
	}
	p.correct(l, o)
}

// correct puts what a prompt really had in the place of its estimate. Where that was too high there is room for others.
func (p *Pool) correct(l *Lease, o Outcome) {
	ledger := l.group.ledgers[l.model]
	if o.tokens == 0 || o.tokens == l.tokens || ledger == nil || ledger.window == nil {
		return
	}
	windows := []*window{ledger.window}
	if mates := l.group.mates(p.moment.now); mates != nil && mates.ledger(l.model).window != nil {
		windows = append(windows, mates.ledger(l.model).window)
	}
	for _, w := range windows {
		w.move(p.moment.sec)
		w.correct(l.sec, 0, o.tokens-l.tokens)
	}
	if o.tokens < l.tokens && ledger.tokens.value > 0 {
		p.serveModel(l.model)
	}
}

// rest begins a time out, of the key or of its project.
func (p *Pool) rest(l *Lease, o Outcome) {
	m, k, g := &p.moment, l.key, l.key.group
	if !o.reason.project() {
		if r, longer := k.restOf(o.model).renewed(o, m.now, 0); longer {
			k.setRest(o.model, r)
			p.noteRest(k, k.id, o.model, recordRest, r)
		}
		p.serveModel(o.model)
		return
	}
	extra := time.Duration(0)
	if o.reason == DayQuota {
		extra = g.jitter
	}
	if r, longer := g.restOf(o.model).renewed(o, m.now, extra); longer {
		g.setRest(o.model, r, p.room())
		g.dried(m, o.model, r, o.limits, l.guessed)
		p.noteRest(k, g.name, o.model, recordQuota, r)
	}
	p.hint(g, o.model, o.limits)
	p.serveModel(o.model)
}

// learn notes the limits that Google named for a group.
func (p *Pool) learn(g *group, model string, stated Limits) {
	l := g.ledger(model, p.room())
	for _, r := range l.learn(&p.moment, stated) {
		r.Owner, r.Model = g.name, model
		if p.groups[g.name] == g {
			p.record(r)
		}
	}
}

// learn notes the limits that Google named, and returns what is to be kept of it.
func (l *ledger) learn(m *moment, stated Limits) (records []Record) {
	for _, s := range []struct {
		limit *limit
		value int64
		name  string
	}{
		{&l.requests, stated.Requests, recordRequests}, {&l.tokens, stated.Tokens, recordTokens}, {&l.day, stated.Day, recordDay},
	} {
		if s.value > 0 {
			*s.limit = limit{s.value, m.sec + int64(limitLife/time.Second)}
			records = append(records, Record{Name: s.name, Limit: s.value, At: m.now})
		}
	}
	return records
}

// bounded keeps what others say from filling the log.
func bounded(words string) string {
	const most = 500
	if len(words) <= most {
		return words
	}
	return strings.ToValidUTF8(words[:most], "") + "…"
}

// disable retires a key, and with it all that Google means. It returns how many of them were in use until now.
func (p *Pool) disable(k *key, reason Reason) (retired int) {
	meant := []*key{k}
	if reason.project() {
		meant = k.group.keys
	}
	for _, k := range meant {
		if k.disabled == reason {
			continue // a probe found it as it was
		}
		if k.disabled == NoReason {
			k.probe.begin(p.moment.now)
			retired++
		}
		k.disabled = reason
		p.note(k, stateRecord(k.id, recordState, reason))
	}
	p.countAble()
	p.serveAll()
	return retired
}

// Blame counts a Fault of a key whose lease is over: what was refused with it was served with another. An id that is not there
// any more is no key's.
func (p *Pool) Blame(id string) {
	p.lock()
	before := p.recorded
	if k := p.ids[id]; k != nil {
		p.fault(k)
	}
	changed := p.recorded > before
	p.mu.Unlock()
	if changed {
		_ = p.keep() // it is logged, and tried again with the next change
	}
}

// fault counts what nobody has a name for.
func (p *Pool) fault(k *key) {
	if k.faults++; k.faults < p.options.MaxFailures {
		return
	}
	now := p.moment.now
	k.faults = 0
	k.whole = rest{since: now, until: now.Add(p.options.CoolingPeriod), reason: Failing, steps: 1}
	k.probe.begin(now)
	p.note(k, restRecord(k.id, "", recordRest, k.whole))
	p.serveAll()
}

// noteRest keeps a rest, or its end where that has no reason, unless nobody is to know.
func (p *Pool) noteRest(k *key, owner, model, name string, r rest) {
	if !r.unkept {
		p.note(k, restRecord(owner, model, name, r))
	}
}

// note keeps a record of a key that is still there.
func (p *Pool) note(k *key, r Record) {
	if p.ids[k.id] == k {
		p.record(r)
	}
}
