package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// A deploy whose link is cut at any byte, and then run again, ends where an undisturbed one does. GCA_CUTS says how many,
// and the seed of a run that failed brings its cuts back: GCA_CUT_SEED=N.
func TestCuts(t *testing.T) {
	t.Parallel()
	seed := fromEnv(t, "GCA_CUT_SEED", uint64(time.Now().UnixNano()))
	t.Logf("GCA_CUT_SEED=%d", seed)
	calm := newCutRig(t)
	wantDone(t, calm.rig, calm.deploy())
	want := calm.changed()
	total := [2]int64{calm.link.Bytes(lab.ToServer), calm.link.Bytes(lab.FromServer)}
	random := rand.New(rand.NewPCG(seed, 0))
	gate := make(chan struct{}, 2) // so many at once
	t.Run("records", func(t *testing.T) { testDeaths(t, random, gate, calm, want) })
	for i := range fromEnv(t, "GCA_CUTS", 6) {
		direction := lab.Direction(random.IntN(2))
		at := random.Int64N(total[direction])
		fault, how := lab.Reset, "a reset"
		if i%3 == 2 {
			fault, how = lab.Drop, "silence"
		}
		name := fmt.Sprintf("%s at byte %d of %d %v", how, at, total[direction], direction)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate <- struct{}{}
			defer func() { <-gate }()
			testCut(t, direction, at, fault, want)
		})
	}
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

// cutDeploy is a deploy that was cut. No two say the same number of bytes: where one ends before it comes to the cut, the
// next one, on another server, is cut earlier.
func cutDeploy(t *testing.T, direction lab.Direction, at int64, fault lab.Fault) (*cutRig, result) {
	t.Helper()
	for ; at >= 0; at -= at/8 + 1 {
		r := newCutRig(t)
		struck := r.link.BreakAfter(direction, at, fault)
		first := r.run(withKeys(), r.deployArgs()...)
		select {
		case <-struck:
			return r, first
		default:
			r.link.Heal() // calls the cut off
			wantDone(t, r.rig, first)
			t.Logf("it has ended before byte %d", at)
		}
	}
	t.Fatal("no cut struck")
	return nil, result{}
}

func testCut(t *testing.T, direction lab.Direction, at int64, fault lab.Fault, want string) {
	r, first := cutDeploy(t, direction, at, fault)
	if first.code != exitOK {
		wantText(t, first.err, "hint: ")
	}
	r.link.Heal()
	second := r.run(withKeys(), r.deployArgs()...)
	if second.code != exitOK {
		t.Fatalf("exit code %d\n%s%s\nafter exit code %d\n%s", second.code, second.out, second.err, first.code, first.err)
	}
	if got := r.changed(); got != want {
		t.Errorf("it ends elsewhere than an undisturbed deploy:\n%s\n%s%s\nafter exit code %d\n%s", differ(want, got), second.out, second.err, first.code, first.err)
	}
	if got := r.run(nil, "test"); got.code != exitOK {
		t.Errorf("gca test: %s%s\nafter\n%s%s\nafter\n%s%s", got.out, got.err, second.out, second.err, first.out, first.err)
	}
}

// cutRig is a rig at the other end of a link, which knows what its server was like before.
type cutRig struct {
	*rig
	link   *lab.Link
	before string
}

func newCutRig(t *testing.T) *cutRig {
	t.Helper()
	near := newRig(t, ready()...)
	near.on(fmt.Sprintf(sum, strings.TrimPrefix(near.base, "http://"), near.server.Gateway, near.server.Addr))
	r := &cutRig{}
	r.rig, r.link = near.over(lab.LinkOptions{})
	r.before = r.on(summed())
	return r
}

// sum makes the program that prints the hashes of files as they would be on any server.
const sum = `cat >/root/sum <<'EOF'
#!/usr/bin/python3
import hashlib, re, sys
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        text = f.read()
    for own in (b"%s", b"%s", b"%s"):
        text = text.replace(own, b"OWN")
    if name == "/etc/shadow":  # the day on which the user was made
        text = re.sub(rb"(?m)^([^:]*:[^:]*:)[0-9]+", rb"\1DAY", text)
    print(hashlib.sha256(text).hexdigest(), name)
EOF
chmod 755 /root/sum`

func summed() string { return strings.ReplaceAll(everything, "sha256sum", "/root/sum") }

// changed is what the deploy changed, without what differs by nature: the token's hash and the time.
func (r *cutRig) changed() string {
	r.t.Helper()
	var b strings.Builder
	journal := regexp.MustCompile(`/journal/[0-9TZ.]+_`)
	known := make(map[string]bool)
	for line := range strings.Lines(r.before) {
		known[line] = true
	}
	for line := range strings.Lines(r.on(summed())) {
		if !known[line] && !strings.HasSuffix(line, " /etc/gemini-adapter/tokens\n") {
			b.WriteString(journal.ReplaceAllString(line, "/journal/TIME_"))
		}
	}
	return b.String()
}

// Before anything is begun a cut is told as what it is, too.
func TestCut_beforeThePlan(t *testing.T) {
	t.Parallel()
	r := newCutRig(t)
	got := r.watched(func(line string, _ *os.Process) {
		if strings.Contains(line, "Debian GNU/Linux") { // the agent's first word: it compares now
			r.link.Break(lab.Reset)
		}
	}, withKeys(), r.deployArgs()...)
	wantEnd(t, "a cut", got, exitUnreachable, "lost the connection", "hint: ")
	r.link.Heal()
	wantDone(t, r.rig, r.deploy())
}

// A link that stands still costs time only.
func TestCut_stall(t *testing.T) {
	t.Parallel()
	r := newCutRig(t)
	stalled, told := false, false
	got := r.watched(func(line string, _ *os.Process) {
		switch {
		case !stalled && strings.Contains(line, "✓ "):
			stalled = true
			r.link.Break(lab.Stall)
		case stalled && !told && !strings.Contains(line, "✓ "):
			told = true
			r.link.Heal()
		}
	}, withKeys(), r.deployArgs()...)
	if !told {
		t.Error("it was not told that nothing is heard")
	}
	wantDone(t, r.rig, got)
}
