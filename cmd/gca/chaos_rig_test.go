package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// served is what an adapter is to be: one of two releases, with one of two settings.
type served struct{ release, base int }

// calm is what undisturbed deploys come to.
type calm struct {
	gcas     [2]string // the binaries of the releases
	releases [2]string // what they are named on servers
	sick     func() string
	texts    map[served]string
	fresh    string // the first one's text, its journal included
	runs     map[kind]calmRun
}

// calmRun is what an undisturbed deploy of a kind takes.
type calmRun struct {
	bytes   [2]int64 // by direction
	steps   int
	records int // of its journal
}

// newCalm deploys each kind, to each end.
func newCalm(t *testing.T) *calm {
	t.Helper()
	c := &calm{gcas: [2]string{buildOnce(t), nextGCA(t)}, texts: map[served]string{}, runs: map[kind]calmRun{}}
	c.sick = sync.OnceValue(func() string { return sickGCA(t) })
	for i, file := range c.gcas {
		c.releases[i] = releaseOf(t, file)
	}
	t.Run("undisturbed", func(t *testing.T) { c.walk(t) })
	return c
}

func (c *calm) walk(t *testing.T) {
	r := newChaosRig(t, c)
	for _, next := range []struct {
		kind kind
		to   served
	}{{kindFresh, served{0, 0}}, {kindSettings, served{0, 1}}, {kindRelease, served{1, 1}}, {kindSettings, served{1, 0}}} {
		c.runs[next.kind] = r.undisturbed(next.to)
		c.texts[next.to] = r.text(false)
		if next.kind == kindFresh {
			c.fresh = r.text(true)
		}
	}
}

// releaseOf is what the release of a binary is named.
func releaseOf(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%s-%x", version, sum[:6])
}

// nextGCA is a release with another site and other units: the texts that the binary carries are changed in it.
func nextGCA(t *testing.T) string {
	t.Helper()
	binary, err := os.ReadFile(buildOnce(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"The path without its query", "Stopping the socket stops the service"} {
		if !bytes.Contains(binary, []byte(words)) {
			t.Fatalf("no template says %q", words)
		}
		binary = bytes.ReplaceAll(binary, []byte(words), []byte(strings.Replace(words, " ", "_", 1)))
	}
	file := filepath.Join(t.TempDir(), "gca")
	if err := os.WriteFile(file, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// chaosRig is a rig at the other end of a link. Its server reaches two fakes of Gemini.
type chaosRig struct {
	*rig
	link  *lab.Link
	calm  *calm
	fakes [2]*fakegemini.Server
	bases [2]string
	born  []string // lines of the server's text that no other server has
	now   *served  // nil until something is deployed
}

func newChaosRig(t *testing.T, c *calm) *chaosRig {
	t.Helper()
	near := newRigOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: ready(), DiskMB: chaosDisk})
	other := fakegemini.New(fakegemini.Options{Keys: goodKeys})
	base, err := other.Listen(net.JoinHostPort(near.server.Gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &chaosRig{calm: c, fakes: [2]*fakegemini.Server{near.fake, other}, bases: [2]string{near.base, base}}
	host := func(base string) string { return strings.TrimPrefix(base, "http://") }
	near.on(fmt.Sprintf(sum, host(r.bases[0]), host(r.bases[1]), near.server.Gateway, near.server.Addr))
	r.rig, r.link = near.over(lab.LinkOptions{})
	r.born = strings.SplitAfter(r.on("/root/sum /etc/machine-id /etc/host* /etc/ssh/ssh_host_*"), "\n")
	return r
}

// chaosDisk is room for three releases and apt's lists, in MiB, and soon filled.
const chaosDisk = 512

// at is the rig in the hands of a subtest.
func (r *chaosRig) at(t *testing.T) *chaosRig {
	part := *r
	part.rig = r.in(t)
	return &part
}

// next is what a deploy of the kind brings.
func (r *chaosRig) next(k kind) *served {
	switch k {
	case kindFresh:
		return &served{}
	case kindRelease:
		return &served{1 - r.now.release, r.now.base}
	}
	return &served{r.now.release, 1 - r.now.base}
}

// wanting is the rig with the gca that deploys s, and its arguments.
func (r *chaosRig) wanting(s served) (*rig, []string) {
	far := *r.rig
	far.gca, far.base = r.calm.gcas[s.release], r.bases[s.base]
	return &far, far.deployArgs()
}

// undisturbed deploys, and tells what that took.
func (r *chaosRig) undisturbed(to served) calmRun {
	r.t.Helper()
	run := calmRun{}
	before := [2]int64{r.link.Bytes(lab.ToServer), r.link.Bytes(lab.FromServer)}
	far, args := r.wanting(to)
	got := far.watched(func(line string, _ *os.Process) {
		if strings.Contains(line, stepDone) {
			run.steps++
		}
	}, withKeys(), args...)
	if got.code != exitOK {
		r.t.Fatalf("exit code %d of an undisturbed deploy\n%s%s", got.code, got.out, got.err)
	}
	for i, n := range before {
		run.bytes[i] = r.link.Bytes(lab.Direction(i)) - n
	}
	records, err := strconv.Atoi(strings.TrimSpace(r.on("wc -l <$(ls -d /var/lib/gca/journal/*_*/journal | tail -n 1)")))
	if err != nil || run.steps < 3 || records < 6 {
		r.t.Fatalf("a deploy of %d steps has %d records, %v", run.steps, records, err)
	}
	run.records, r.now = records, &to
	return run
}

// stepDone is in the line of a step that was done.
const stepDone = "✓ "

// sum makes the program that prints the hashes of files as they would be on any server.
const sum = `cat >/root/sum <<'EOF'
#!/usr/bin/python3
import hashlib, re, sys
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        text = f.read()
    for n, own in enumerate((b"%s", b"%s", b"%s", b"%s")):
        text = text.replace(own, b"OWN%%d" %% n)
    if name == "/etc/shadow":  # the day on which the user was made
        text = re.sub(rb"(?m)^([^:]*:[^:]*:)[0-9]+", rb"\1DAY", text)
    print(hashlib.sha256(text).hexdigest(), "", name)
EOF
chmod 755 /root/sum`

// text is everything that deploys look after, without what differs by nature: what the server was born with, the tokens' hashes,
// times, and the release that is kept beside the one in force. Journals of deploys that ended well are in it on demand.
func (r *chaosRig) text(journals bool) string {
	r.t.Helper()
	sealed, inForce := regexp.MustCompile(`/journal/[0-9TZ.]+_`), regexp.MustCompile(`(?m)^/opt/gemini-adapter/current .*/?releases/(\S+)$`)
	all := r.on(strings.ReplaceAll(everything, "sha256sum", "/root/sum"))
	kept := ""
	if current := inForce.FindStringSubmatch(all); current != nil {
		kept = "/opt/gemini-adapter/releases/" + r.calm.releases[1-max(0, slices.Index(r.calm.releases[:], current[1]))]
	}
	var lines []string
	for line := range strings.Lines(all) {
		switch {
		case slices.Contains(r.born, line):
			_, name, _ := strings.Cut(line, "  ")
			lines = append(lines, "as it was born: "+name)
		case strings.HasSuffix(line, " /etc/gemini-adapter/tokens\n"):
		case sealed.MatchString(line) && !journals:
		case kept != "" && (strings.HasPrefix(line, kept+" ") || strings.HasPrefix(line, kept+"/gca ")):
		default:
			lines = append(lines, sealed.ReplaceAllString(line, "/journal/TIME_"))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
