package proxy

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what the lint reads of docs/grafana-dashboard.json.
type dashboard struct {
	Title      string
	UID        string `json:"uid"`
	Templating struct {
		List []struct{ Name, Type string }
	}
	Panels []panel
}

type panel struct {
	ID         int
	Type       string
	Title      string
	Datasource struct{ UID string }
	GridPos    struct{ H, W, X, Y int }
	Targets    []struct{ RefID, Expr, LegendFormat string }
}

// live is the labels of every series of a server that has seen all there is to count, by name.
func live(t *testing.T) map[string]map[string]bool {
	t.Helper()
	r := traffic(t)
	shown := map[string]map[string]bool{}
	for _, s := range parseMetrics(t, r.scrape()) {
		if shown[s.name] == nil {
			shown[s.name] = map[string]bool{}
		}
		for label := range s.labels {
			shown[s.name][label] = true
		}
	}
	return shown
}

var (
	metricName = regexp.MustCompile(`\b(?:gemini|go|process)_[a-z0-9_]+`)
	selector   = regexp.MustCompile(`\b((?:gemini|go|process)_[a-z0-9_]+)(?:\{((?:[^}"]|"[^"]*")*)\})?`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	grouping   = regexp.MustCompile(`\bby \(([^)]*)\)`)
	legend     = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*\}\}`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// lintQuery checks that a query names only what there is: the metrics, and labels that they have. Prometheus itself adds job and
// instance.
func lintQuery(t *testing.T, where, expr, legendFormat string, shown map[string]map[string]bool) {
	t.Helper()
	has := func(metric, label string) bool { return label == "job" || label == "instance" || shown[metric][label] }
	var names []string
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		name := m[1]
		if shown[name] == nil {
			t.Errorf("%s: no metric is called %s", where, name)
			continue
		}
		names = append(names, name)
		for _, label := range matcher.FindAllStringSubmatch(quoted.ReplaceAllString(m[2], `""`), -1) {
			if !has(name, label[1]) {
				t.Errorf("%s: %s has no label %s", where, name, label[1])
			}
		}
	}
	if len(names) == 0 {
		t.Errorf("%s: the query names no metric: %s", where, expr)
	}
	var kept []string
	for _, by := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			kept = append(kept, strings.TrimSpace(label))
		}
	}
	shownLabels := legend.FindAllStringSubmatch(legendFormat, -1)
	for _, label := range shownLabels {
		if len(kept) > 0 && !slices.Contains(kept, label[1]) {
			t.Errorf("%s: the legend shows %s, which the query drops", where, label[1])
		}
		kept = append(kept, label[1])
	}
	for _, label := range kept {
		if !slices.ContainsFunc(names, func(name string) bool { return has(name, label) || label == "le" && strings.HasSuffix(name, "_bucket") }) {
			t.Errorf("%s: no metric of the query has the label %s", where, label)
		}
	}
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || len(d.Panels) < 20 {
		t.Errorf("title %q, uid %q, %d panels", d.Title, d.UID, len(d.Panels))
	}
	if !slices.ContainsFunc(d.Templating.List, func(v struct{ Name, Type string }) bool { return v.Name == "datasource" && v.Type == "datasource" }) {
		t.Error("no variable chooses the data source")
	}
	shown := live(t)
	ids, titles, used := map[int]bool{}, map[string]bool{}, map[string]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] || titles[p.Title] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d %q is there twice, or has no name", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		if g := p.GridPos; g.X+g.W > 24 || g.W == 0 || g.H == 0 || i > 0 && g.Y < d.Panels[i-1].GridPos.Y {
			t.Errorf("%s stands at %+v", p.Title, g)
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s asks %q, %d queries", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for _, q := range p.Targets {
			lintQuery(t, p.Title, q.Expr, q.LegendFormat, shown)
			for _, name := range metricName.FindAllString(q.Expr, -1) {
				used[name] = true
			}
		}
	}
	for name := range shown {
		family := name
		for _, suffix := range []string{"_sum", "_count"} {
			family = strings.TrimSuffix(family, suffix)
		}
		if strings.HasPrefix(name, "gemini_") && !used[name] && !used[family+"_bucket"] && !slices.Contains(unplotted, name) {
			t.Errorf("%s is in no panel", name)
		}
	}
}

// unplotted are metrics that say nothing in a curve, or that another one says too.
var unplotted = []string{"gemini_start_time_seconds", "gemini_total_keys", "gemini_key_inflight", "gemini_key_up"}

// What docs/monitoring.md says of metrics holds: each of them is there, each that is there is explained, and the alerts' queries
// name what exists.
func TestMonitoringPage(t *testing.T) {
	text, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := live(t)
	explained := map[string]bool{}
	for _, name := range metricName.FindAllString(string(text), -1) {
		explained[name] = true
		if shown[name] == nil && shown[name+"_count"] == nil && !strings.HasSuffix(name, "_") {
			t.Errorf("no metric is called %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		family := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "gemini_") && !explained[name] && !explained[family] {
			t.Errorf("%s is not explained", name)
		}
	}
	alerts := regexp.MustCompile(`(?m)^\s+expr: (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(alerts) < 5 {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		lintQuery(t, alert[1], alert[1], "", shown)
	}
}
