package proxy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const adminToken = "tok-PLANTED-admin-token"

// asAdmin gives a rig's server an admin token.
func asAdmin(cfg *config.Config, _ *Server) {
	admin := config.Token{Name: "admin", Hash: config.HashToken(adminToken), Admin: true}
	if !slices.ContainsFunc(cfg.Tokens, func(t config.Token) bool { return t.Admin }) {
		cfg.Tokens = append(cfg.Tokens, admin)
	}
}

// series is one line of /metrics.
type series struct {
	name   string
	labels map[string]string
	value  float64
}

var sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)

var labelPair = regexp.MustCompile(`([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:, ?|$)`)

// parseMetrics reads Prometheus' text format as strictly as its own parser does.
func parseMetrics(t testing.TB, text string) []series {
	t.Helper()
	var all []series
	seen, typed := map[string]bool{}, map[string]bool{}
	family := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			if family, _, _ = strings.Cut(name, " "); typed[family] {
				t.Errorf("%s has its type twice", family)
			}
			typed[family] = true
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no sample: %q", line)
		}
		if !strings.HasPrefix(m[1], family) {
			t.Errorf("%q stands among %s", line, family)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		s := series{m[1], map[string]string{}, value}
		rest := m[2]
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			s.labels[pair[1]] = pair[2]
			rest = strings.Replace(rest, pair[0], "", 1)
		}
		if id := m[1] + "{" + m[2]; rest != "" || seen[id] {
			t.Fatalf("labels that cannot be read, or a series twice: %q", line)
		} else {
			seen[id] = true
		}
		all = append(all, s)
	}
	return all
}

// metric returns the one series of /metrics whose labels are those given, as name{a="b"} in any order; NaN is none.
func (r *rig) metric(want string) float64 {
	r.t.Helper()
	name, labels, _ := strings.Cut(strings.TrimSuffix(want, "}"), "{")
	wanted := map[string]string{}
	for _, pair := range labelPair.FindAllStringSubmatch(labels, -1) {
		wanted[pair[1]] = pair[2]
	}
	var text strings.Builder
	r.server.WriteMetrics(&text)
	for _, s := range parseMetrics(r.t, text.String()) {
		if s.name == name && maps.Equal(s.labels, wanted) {
			return s.value
		}
	}
	return -1
}

// scrape reads /metrics with the admin token.
func (r *rig) scrape() string {
	r.t.Helper()
	got := r.do("GET", "/metrics", "", "Authorization", "Bearer "+adminToken)
	if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		r.t.Fatalf("%d %v", got.status, got.header)
	}
	return got.body
}

// traffic has a rig's server see what there is to count: answers in every protocol, failures of every scope, a rest, a client
// that leaves, and keys that are out.
func traffic(t testing.TB) *rig {
	exit := startExit(t)
	r := start(t, "a b c d e", func(cfg *config.Config, s *Server) {
		asAdmin(cfg, s)
		behind(cfg, exit, "e")
		cfg.ModelFallback = []config.ModelRule{{Pattern: "gemini-3.6-flash", Target: "gemini-3.8-flash"}}
	})
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrInvalidKey()})
	r.fake.Key(keyNamed("b"), fg.KeyRule{Error: fg.ErrQuotaPerDay("gemini-3.8-flash")})
	r.fake.Key(keyNamed("c"), fg.KeyRule{Error: fg.ErrOverloaded(), Times: 1})
	for _, key := range []string{"c", "d", "e"} {
		r.fake.Key(keyNamed(key), fg.KeyRule{Error: fg.ErrQuotaPerDay("gemini-3.6-flash"), Model: "gemini-3.6-flash"})
	}
	for _, path := range []string{messages, completions, replies} {
		for _, stream := range []bool{false, true, false, true} {
			if got := r.do("POST", path, ask(path, stream)); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
	}
	r.do("POST", "/v1/embeddings", `{"model":"text-embedding-3-small","input":"PLANTED words"}`)
	r.do("POST", "/v1beta/models/gemini-3.8-flash:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "x-goog-api-key", testToken)
	if got := r.do("POST", messages, askModel(messages, false, "gemini-3.6-flash")); got.header.Get("x-gca-model") != "gemini-3.8-flash" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	r.server.probeDue(t.Context(), time.Now().Add(time.Hour))
	r.do("GET", "/v1/models", "")
	r.do("GET", "/health", "")
	r.do("POST", messages, "{")
	r.do("POST", messages, ask(messages, false), "x-api-key", "wrong")
	return r
}

func TestMetrics_traffic(t *testing.T) {
	r := traffic(t)
	text := r.scrape()
	parseMetrics(t, text)
	f := func(name string, want float64) {
		t.Helper()
		if got := r.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	f(`gemini_requests_total{method="POST",endpoint="/v1/messages"}`, 7)
	f(`gemini_requests_total{method="GET",endpoint="/metrics"}`, 1)
	f(`gemini_responses_total{endpoint="/v1/messages",protocol="anthropic",status="200"}`, 5)
	f(`gemini_fallbacks_total{from="gemini-3.6-flash",to="gemini-3.8-flash"}`, 1)
	f(`gemini_responses_total{endpoint="/v1/messages",protocol="anthropic",status="400"}`, 1)
	f(`gemini_responses_total{endpoint="/v1/messages",protocol="anthropic",status="401"}`, 1)
	f(`gemini_responses_total{endpoint="/v1beta",protocol="gemini",status="200"}`, 1)
	f(`gemini_request_duration_seconds_count{endpoint="/v1/chat/completions"}`, 4)
	f(`gemini_time_to_first_token_seconds_count{endpoint="/v1/responses"}`, 4)
	f(`gemini_upstream_failures_total{kind="key_invalid",status="400"}`, 1)
	f(`gemini_upstream_failures_total{kind="day_quota",status="429"}`, 5)
	f(`gemini_upstream_failures_total{kind="overloaded",status="503"}`, 1)
	f(`gemini_keys{state="disabled"}`, 1)
	f(`gemini_keys{state="limited"}`, 4)
	f(`gemini_keys_away{reason="invalid"}`, 1)
	f(`gemini_model_rests{model="gemini-3.8-flash",reason="day_quota"}`, 1)
	f(`gemini_key_rests_total{reason="day_quota"}`, 5)
	f(`gemini_key_rests_total{reason="invalid"}`, 1)
	f(`gemini_active_keys`, 4)
	f(`gemini_total_keys`, 5)
	f(`gemini_open_streams`, 0)
	f(`gemini_egress_up{egress="direct"}`, 1)
	f(`gemini_build_info{version="1.2.3"}`, 1)
	for _, name := range []string{`gemini_failures_saved_total`, `gemini_tokens_total{model="gemini-3.8-flash",type="input"}`, `gemini_answers_total{model="gemini-3.8-flash"}`, `gemini_key_requests_total{key="` + r.state("c").ID + `"}`} {
		if r.metric(name) < 1 {
			t.Errorf("%s is %v", name, r.metric(name))
		}
	}
	if cost := r.metric(`gemini_cost_dollars_total{model="gemini-3.8-flash"}`); cost <= 0 {
		t.Errorf("the cost is %v", cost)
	}
	has(t, text, "go_goroutines", "process_resident_memory_bytes", "# TYPE gemini_requests_total counter", "# TYPE gemini_request_duration_seconds histogram")
	hasNot(t, text, "PLANTED")
}

func TestMetrics_whoMaySee(t *testing.T) {
	r := start(t, "a", asAdmin)
	if got := r.do("GET", "/metrics", "", "x-api-key", adminToken); got.status != 200 {
		t.Errorf("an admin: %d", got.status)
	}
	if got := r.do("GET", "/metrics", ""); got.status != 403 {
		t.Errorf("a client: %d", got.status)
	}
	if got := r.do("GET", "/metrics", "", "x-api-key", "x-none"); got.status != 401 {
		t.Errorf("nobody: %d", got.status)
	}
}

func TestMetrics_aClientThatLeaves(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Say("one", "two").LockStep("g"))
	resp := r.open("POST", messages, ask(messages, true))
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if n := r.metric("gemini_open_streams"); n != 1 {
		t.Errorf("%v open streams", n)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); r.metric("gemini_client_gone_total") != 1; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatal("it was not noticed")
		}
	}
	if n := r.metric(`gemini_responses_total{endpoint="/v1/messages",protocol="anthropic",status="499"}`); n != 1 {
		t.Errorf("%v with status 499", n)
	}
}

func TestMetrics_aWait(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout = 10 * time.Second })
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: minute("1s"), Times: 1})
	if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if n, sum := r.metric("gemini_waits_total"), r.metric("gemini_wait_seconds_sum"); n != 1 || sum < 0.5 {
		t.Errorf("%v waits, %v s", n, sum)
	}
}

// What clients invent makes nothing grow.
func TestMetrics_areBounded(t *testing.T) {
	m := newMeters()
	grown := func() int { return len(m.set.ListMetricNames()) }
	for i := range 3 * maxMeteredModels {
		m.request(&access{path: fmt.Sprint("/invented/", i), method: fmt.Sprint("M", i), target: fmt.Sprint("gemini-", i), usage: gemini.Usage{Prompt: 1}}, 1000+i)
	}
	before := grown()
	for i := range 3 * maxMeteredModels {
		m.request(&access{path: fmt.Sprint("/more/", i), method: "X", target: "in\"vented\n", usage: gemini.Usage{Prompt: 1}}, -i)
	}
	if after := grown(); after != before || before > 5*(maxMeteredModels+10) {
		t.Errorf("%d names, then %d", before, after)
	}
	var text strings.Builder
	m.set.WritePrometheus(&text)
	parseMetrics(t, text.String())
}

func TestEndpointOf(t *testing.T) {
	f := func(path string, native bool, want string) {
		t.Helper()
		if got := endpointWords[endpointOf(path, native)].path; got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	f("/v1/messages", false, "/v1/messages")
	f("/v1/messages/count_tokens", false, "/v1/messages/count_tokens")
	f("/v1/models/gemini-3.8-flash", false, "/v1/models")
	f("/v1beta/models/x:generateContent", true, "/v1beta")
	f("/v1beta", false, "other")
	f("/admin/reset-key/ab", false, "/admin")
	f("/admin", false, "other")
	f("/api/hello", false, "/")
	f("/", false, "/")
	f("/wp-login.php", false, "other")
}

// Counting a request that went well allocates nothing.
func TestMetrics_allocateNothing(t *testing.T) {
	m := newMeters()
	a := &access{path: "/v1/messages", method: "POST", target: "gemini-3.8-flash", began: time.Now(), ttft: time.Second, usage: gemini.Usage{Prompt: 10, Candidates: 2}}
	count := func() {
		m.endWait(m.beginWait())
		m.attempt(nil)
		m.request(a, 200)
	}
	count()
	if n := testing.AllocsPerRun(1000, count); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkMeters(b *testing.B) {
	m := newMeters()
	a := &access{path: "/v1/messages", method: "POST", target: "gemini-3.8-flash", began: time.Now(), ttft: time.Second, usage: gemini.Usage{Prompt: 10, Candidates: 2}}
	b.ReportAllocs()
	for b.Loop() {
		m.endWait(m.beginWait())
		m.attempt(nil)
		m.request(a, 200)
	}
}
