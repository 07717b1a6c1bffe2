package proxy

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// metrics answers in Prometheus' text format.
func (s *Server) metrics(in *inbound) {
	var text bytes.Buffer
	s.WriteMetrics(&text)
	in.SetContentType("text/plain; version=0.0.4; charset=utf-8")
	in.SetBody(text.Bytes())
}

// WriteMetrics writes everything that is counted (meters.go), what is read off the keys at the moment, and what the process and
// the Go runtime tell of themselves, in Prometheus' text format. Nothing of a key is in it but its id.
func (s *Server) WriteMetrics(w io.Writer) {
	s.meters.set.WritePrometheus(w)
	p := &sheet{families: map[string][]byte{}}
	p.gauge("gemini_open_streams", float64(s.streams.Load()))
	p.gauge("gemini_waiting_requests", float64(s.meters.waiting.Load()))
	running, queue := s.bounds.places.counts()
	p.gauge("gemini_admission_running", float64(running))
	p.gauge("gemini_admission_queue", float64(queue))
	p.gauge("gemini_start_time_seconds", float64(s.started.Unix()))
	p.gauge(`gemini_build_info{version="`+label(s.deps.Version)+`"}`, 1)
	s.writeKeys(p)
	s.writeEgresses(p)
	p.write(w)
	metrics.WriteProcessMetrics(w)
	metrics.WriteFDMetrics(w)
}

// sheet is metrics that are read as they are shown. The format wants all series of a name together.
type sheet struct {
	names    []string
	families map[string][]byte
}

func (p *sheet) gauge(name string, value float64) { p.add("gauge", name, value) }

func (p *sheet) counter(name string, value int64) { p.add("counter", name, float64(value)) }

func (p *sheet) add(kind, name string, value float64) {
	family, _, _ := strings.Cut(name, "{")
	text, known := p.families[family]
	if !known {
		p.names = append(p.names, family)
		text = append(text, "# HELP "+family+"\n# TYPE "+family+" "+kind+"\n"...)
	}
	text = append(text, name+" "...)
	p.families[family] = append(strconv.AppendFloat(text, value, 'f', -1, 64), '\n')
}

func (p *sheet) write(w io.Writer) {
	for _, name := range p.names {
		_, _ = w.Write(p.families[name]) // the writer is whoever asks, who may have gone
	}
}

// label makes a text fit between the quotes of a label.
func label(s string) string {
	quoted := fmt.Sprintf("%q", s)
	return quoted[1 : len(quoted)-1]
}

// Bounds of the series of what rests and of quotas: a model that Google turned down has a name that a client gave.
const (
	maxRestLabels  = 300
	maxQuotaLabels = 3000
)

// writeKeys shows how the keys stand. Series of each key are as many as there are keys.
func (s *Server) writeKeys(p *sheet) {
	census := s.census()
	p.gauge("gemini_active_keys", float64(census.active))
	p.gauge("gemini_total_keys", float64(len(census.keys)))
	for _, state := range []keys.State{keys.Healthy, keys.Limited, keys.Resting, keys.Disabled} {
		p.gauge(`gemini_keys{state="`+string(state)+`"}`, float64(census.states[state]))
	}
	for reason, n := range census.reasons {
		p.gauge(`gemini_keys_away{reason="`+reason.Code()+`"}`, float64(n))
	}
	type rest struct {
		model  string
		reason keys.Reason
	}
	rests := map[rest]int{}
	for _, k := range census.keys {
		for _, r := range k.Rests {
			if at := (rest{bounded(r.Model, 120), r.Reason}); r.Reason != keys.NoModel && (rests[at] > 0 || len(rests) < maxRestLabels) {
				rests[at]++
			}
		}
	}
	for at, n := range rests {
		p.gauge(`gemini_model_rests{model="`+label(at.model)+`",reason="`+at.reason.Code()+`"}`, float64(n))
	}
	s.writeQuotas(p, census.keys)
	for _, k := range census.keys {
		name := `{key="` + label(k.ID) + `"}`
		p.counter("gemini_key_requests_total"+name, k.Requests)
		p.counter("gemini_key_failures_total"+name, k.Failures)
		p.gauge("gemini_key_inflight"+name, float64(k.Inflight))
		p.gauge("gemini_key_up"+name, truth(k.active))
	}
}

// writeQuotas shows the quotas that Google named, and what was used of them. Keys of one project have the same, so it is a
// key's view, not a sum.
func (s *Server) writeQuotas(p *sheet, all []keyStanding) {
	n := 0
	for _, k := range all {
		for _, l := range k.Limits {
			for _, q := range quotasOf(&l) {
				if n++; n > maxQuotaLabels {
					return
				}
				labels := `{key="` + label(k.ID) + `",model="` + label(bounded(l.Model, 120)) + `",quota="` + q.name + `"}`
				p.gauge("gemini_quota_limit"+labels, float64(q.limit))
				p.gauge("gemini_quota_used"+labels, float64(q.used))
			}
		}
	}
}

type quota struct {
	name        string
	limit, used int64
}

// quotasOf are the quotas of a model that Google named.
func quotasOf(l *keys.ModelLimit) []quota {
	all := []quota{
		{"requests_per_minute", l.Limit.Requests, l.Used.Requests},
		{"input_tokens_per_minute", l.Limit.Tokens, l.Used.Tokens},
		{"requests_per_day", l.Limit.Day, l.Used.Day},
	}
	return slices.DeleteFunc(all, func(q quota) bool { return q.limit == 0 })
}

// writeEgresses shows which ways out to Gemini work.
func (s *Server) writeEgresses(p *sheet) {
	for _, e := range s.upstream.Egresses() {
		p.gauge(`gemini_egress_up{egress="`+label(e.Name)+`"}`, truth(e.Refused.IsZero() && e.Down.IsZero()))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
