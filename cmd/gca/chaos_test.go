package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// chaosSeed is the first seed of `make test`: from it on, eight deploys meet eight of the nine faults, each kind of deploy among them.
const chaosSeed = 850963

// chaosLanes is how many servers are at it at once: two processors are busy, while some wait for a link that stands still.
const chaosLanes = 3

// longestLife is how many deploys one server sees.
const longestLife = 8

// TestChaos disturbs deploys, each by one fault that its seed draws. After each SSH answers, what was there before serves or what is
// new does, and the same command again ends where an undisturbed deploy does. GCA_CHAOS says how many, GCA_CHAOS_SEED the first
// seed, so GCA_CHAOS_SEED=N GCA_CHAOS=1 repeats one; GCA_CHAOS_FAULTS=cut,stall draws from these alone.
//
// GCA_DEATHS=N takes a fresh deploy that dies after each record of its journal in turn instead, by a kill and by a power cut: N of them.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := &chaos{calm: newCalm(t)}
	lanes := make(chan struct{}, chaosLanes)
	t.Run("deploys", func(t *testing.T) {
		for _, life := range lives(drawAll(t, c.calm)) {
			t.Run(fmt.Sprintf("server of %d", life[0].seed), func(t *testing.T) {
				t.Parallel()
				lanes <- struct{}{}
				defer func() { <-lanes }()
				c.live(t, life)
			})
		}
	})
	t.Log("\n" + c.table())
}

// kind is what a disturbed deploy brings.
type kind string

const (
	kindFresh    kind = "fresh"    // an adapter, to a server that has none
	kindRelease  kind = "release"  // another release, with another site and other units
	kindSettings kind = "settings" // another setting
)

// draw is what a seed decides.
type draw struct {
	seed  uint64
	fault fault
	kind  kind
	at    float64 // how far the deploy has come when the fault strikes, of 1
	way   int     // which of the fault's variants; below ways
}

const ways = 24

func drawn(seed uint64, from []fault) draw {
	random := rand.New(rand.NewPCG(seed, 0))
	d := draw{
		seed:  seed,
		fault: from[random.IntN(len(from))],
		kind:  []kind{kindFresh, kindRelease, kindSettings}[random.IntN(3)],
		at:    random.Float64(),
		way:   random.IntN(ways),
	}
	if d.fault.name == "nginx" && d.kind == kindSettings { // which it has no part in
		d.kind = kindRelease
	}
	return d
}

func drawAll(t *testing.T, calm *calm) []draw {
	if n := fromEnv(t, "GCA_DEATHS", 0); n > 0 {
		return deaths(calm.runs[kindFresh].records, int(n))
	}
	from := faults()
	if names := os.Getenv("GCA_CHAOS_FAULTS"); names != "" {
		from = slices.DeleteFunc(from, func(f fault) bool { return !slices.Contains(strings.Split(names, ","), f.name) })
	}
	if len(from) == 0 {
		t.Fatal("GCA_CHAOS_FAULTS names no fault")
	}
	var all []draw
	for seed := fromEnv(t, "GCA_CHAOS_SEED", chaosSeed); len(all) < int(fromEnv(t, "GCA_CHAOS", 8)); seed++ {
		all = append(all, drawn(seed, from))
	}
	return all
}

// deaths are fresh deploys that die after each of so many records, n of them in no order. Their seeds are the records'.
func deaths(records, n int) []draw {
	var all []draw
	for record := range records {
		for _, f := range []fault{{"kill", killAgent}, {"power", cutPower}} {
			all = append(all, draw{seed: uint64(record), fault: f, kind: kindFresh, at: (float64(record) + 0.5) / float64(records)})
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}

// lives parts the draws by servers: a fresh deploy takes a new one, and what follows goes on with it.
func lives(all []draw) [][]draw {
	var lives [][]draw
	for _, d := range all {
		if last := len(lives) - 1; d.kind != kindFresh && last >= 0 && len(lives[last]) < longestLife {
			lives[last] = append(lives[last], d)
			continue
		}
		lives = append(lives, []draw{d})
	}
	return lives
}

func fromEnv(t *testing.T, name string, preset uint64) uint64 {
	t.Helper()
	given := os.Getenv(name)
	if given == "" {
		return preset
	}
	n, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// chaos is one run of the test.
type chaos struct {
	calm *calm
	mu   sync.Mutex
	seen []seen
}

// seen is what came of one draw.
type seen struct {
	fault   string
	struck  bool
	code    int
	serves  string // old, new or both, right after the fault
	seconds float64
}

// live is one server's life.
func (c *chaos) live(t *testing.T, life []draw) {
	r := newChaosRig(t, c.calm)
	if life[0].kind != kindFresh {
		r.undisturbed(served{})
	}
	for i, d := range life {
		good := t.Run(fmt.Sprintf("seed %d %s %s", d.seed, d.fault.name, d.kind), func(t *testing.T) { c.disturb(t, r.at(t), d) })
		r.now = r.next(d.kind)
		if !good {
			t.Logf("GCA_CHAOS_SEED=%d GCA_CHAOS=1 repeats it; the server had seen %d deploys before; %d more are left out", d.seed, i, len(life)-i-1)
			return
		}
	}
}

// disturb has one deploy meet its fault, and looks at what comes of it.
func (c *chaos) disturb(t *testing.T, r *chaosRig, draw draw) {
	d := &disturbance{chaosRig: r, draw: draw, from: r.now, to: r.next(draw.kind), calmly: c.calm.runs[draw.kind], lift: func() {}}
	if draw.kind == kindRelease { // which is to be sent, as if it had never been there
		d.on("rm -rf /opt/gemini-adapter/releases/" + c.calm.releases[d.to.release])
	}
	d.before = d.text(false)
	begun := time.Now()
	d.first = draw.fault.strike(d)
	serves := d.serving()
	d.lift()
	d.judge(serves)
	again := d.again()
	s := seen{draw.fault.name, d.struck, d.first.code, serves, time.Since(begun).Seconds()}
	beside := ""
	if d.second != nil {
		beside = fmt.Sprintf(" (beside it %d)", d.second.code)
	}
	t.Logf("seed %d: %s at %.2f, way %d, of a deploy of %s: struck %v, exit code %d%s, %s serves, then %d, %.1f s",
		draw.seed, draw.fault.name, draw.at, draw.way, draw.kind, s.struck, s.code, beside, serves, again.code, s.seconds)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, s)
}

// table is what came of all draws, a line a fault.
func (c *chaos) table() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %6s %6s  %-34s %5s %5s %5s  %s\n", "fault", "drawn", "struck", "exit codes", "old", "new", "both", "seconds, the longest")
	for _, f := range append(faults(), fault{name: "all"}) {
		var n, struck int
		var sum, longest float64
		codes, serves := map[int]int{}, map[string]int{}
		for _, s := range c.seen {
			if s.fault != f.name && f.name != "all" {
				continue
			}
			n++
			if s.struck {
				struck++
			}
			codes[s.code]++
			serves[s.serves]++
			sum, longest = sum+s.seconds, max(longest, s.seconds)
		}
		if n > 0 {
			fmt.Fprintf(&b, "%-8s %6d %6d  %-34s %5d %5d %5d  %.1f, %.1f\n", f.name, n, struck, countsOf(codes), serves["old"], serves["new"], serves["both"], sum/float64(n), longest)
		}
	}
	return b.String()
}

func countsOf(codes map[int]int) string {
	var words []string
	for code := range 256 {
		if codes[code] > 0 {
			words = append(words, fmt.Sprintf("%d×%d", codes[code], code))
		}
	}
	return strings.Join(words, " ")
}
