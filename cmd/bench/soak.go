package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// The soak: everything that an adapter lives through, for as long as asked. Its time is cut into rounds, each of them load with
// faults and a reload of settings, then silence in which everything must go back to where it was. In the first rounds
// one process hands over to the next, on the same socket, under load; the last one stays, and is the one that must stay flat.
const (
	soakRounds    = 16
	soakHandovers = 4 // rounds that end with another process
	soakWarm      = 2 // rounds of the last process before it is looked at
	soakClients   = 24
	soakFaults    = 8 // of a hundred calls
	soakQuiet     = 3 * time.Second
	soakAdmin     = "gca-bench-admin-token"
)

// What may be more at the end than at the beginning, beside the noise of a machine.
const (
	slackMemory  = 12 << 20 // bytes, and a seventh
	slackThings  = 24       // goroutines, descriptors
	slackLatency = 2.0      // times what the upstream alone takes, and once as much again
)

type soaking struct {
	f        *family
	gca      string
	addr     string
	upstream string
	serving  *process
	n        int // processes so far
	states   []state
	mu       sync.Mutex
	lost     []string // answers that were none
	asked    int
}

// process is one adapter.
type process struct {
	pid     int
	control control.Client
}

// state is how the adapter was in the silence of a round, and how fast it was before: how many times as long a small answer took
// as the upstream alone took for one meanwhile, since a machine may have other things to do.
type state struct {
	pid                                      int
	memory, goroutines, descriptors, latency float64
}

func soak(args []string) (err error) {
	flags := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	length := flags.Duration("for", 20*time.Minute, "how `long`, at least 2m")
	gca := flags.String("gca", "bin/gca", "the adapter's `program`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *length < 2*time.Minute {
		return fmt.Errorf("%s is too short to tell growth from warming up\nhint: -for 2m, or longer", *length)
	}
	dir, err := os.MkdirTemp("", "gca-soak-")
	if err != nil {
		return err
	}
	s := &soaking{f: &family{dir: dir}, gca: *gca}
	defer func() { err = errors.Join(err, s.f.end(), os.RemoveAll(dir)) }()
	if err := s.begin(); err != nil {
		return err
	}
	for i := range soakRounds {
		if err := s.round(i, *length/soakRounds-soakQuiet); err != nil {
			return err
		}
	}
	return s.judge()
}

// begin starts the upstream and the first adapter, on a socket that is ours.
func (s *soaking) begin() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	up, err := s.f.member("upstream", self, func(addr string) ([]string, []string) { return nil, []string{"upstream", addr} })
	if err != nil {
		return err
	}
	s.upstream = "http://" + up.addr
	if err := tell(s.upstream, behaviour{Stream: true, Chunks: 5, Bytes: 60, Faults: soakFaults}); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("%s is no TCP address", s.addr)
	}
	if s.f.socket, err = tcp.File(); err != nil {
		return err
	}
	if err := l.Close(); err != nil { // the file has it open
		return err
	}
	s.serving, err = s.start(up.addr)
	return err
}

// start starts an adapter on the socket, as systemd would, and waits until it serves.
func (s *soaking) start(upstream string) (*process, error) {
	s.n++
	name := fmt.Sprintf("gca%d", s.n)
	run := filepath.Join(s.f.dir, name)
	if err := os.Mkdir(run, 0o700); err != nil {
		return nil, err
	}
	keys, err := s.f.keys(name, 16)
	if err != nil {
		return nil, err
	}
	env := append(s.f.settings("soak", s.addr, upstream, keys), "LISTEN_FDS=1", "RUNTIME_DIRECTORY="+run, "ADMIN_TOKEN="+soakAdmin, "DRAIN_TIMEOUT=30")
	pid, err := s.f.start(name, s.addr, env, "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" serve`, s.gca)
	if err != nil {
		return nil, err
	}
	p := &process{pid, control.Client{Path: filepath.Join(run, filepath.Base(control.Socket))}}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := p.control.Status(context.Background())
		if err == nil {
			return p, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s does not serve: %w", name, err)
		}
	}
}

// round is one: load, in its midst a reload and perhaps a handover; then silence and a look.
func (s *soaking) round(i int, load time.Duration) error {
	ends := time.Now().Add(load)
	var small, alone []time.Duration
	var clients sync.WaitGroup
	for c := range soakClients {
		clients.Go(func() {
			through, direct := s.client(c, ends)
			s.mu.Lock()
			defer s.mu.Unlock()
			small, alone = append(small, through...), append(alone, direct...)
		})
	}
	time.Sleep(load / 3)
	err := s.change(i)
	clients.Wait()
	if err != nil {
		return err
	}
	time.Sleep(soakQuiet)
	now, err := s.look()
	if err != nil {
		return err
	}
	p50 := percentile(small, 50)
	now.latency = p50 / max(percentile(alone, 50), 0.001)
	s.states = append(s.states, now)
	fmt.Fprintf(os.Stderr, "round %2d of %d: process %d, %3.0f MB, %3.0f goroutines, %3.0f descriptors, p50 %.1f ms (%.1f x direct); %d requests so far, %d lost\n",
		i+1, soakRounds, now.pid, now.memory/(1<<20), now.goroutines, now.descriptors, p50, now.latency, s.asked, len(s.lost))
	return nil
}

// change reloads the settings with other keys than before, and in the first rounds hands over.
func (s *soaking) change(i int) error {
	keys := strings.Join(benchKeys(16+4*(1+i%2)), "\n")
	if _, err := s.serving.control.Reload(context.Background(), config.Texts{Keys: keys}); err != nil {
		return fmt.Errorf("cannot reload: %w", err)
	}
	if i >= soakHandovers {
		return nil
	}
	next, err := s.start(strings.TrimPrefix(s.upstream, "http://"))
	if err != nil {
		return err
	}
	old := s.serving
	s.serving = next
	return s.f.endOf(old.pid)
}

// client asks one thing after the other until the time is over, and returns how long small answers took, and those of the upstream
// alone.
func (s *soaking) client(n int, ends time.Time) (small, alone []time.Duration) {
	reply := behaviour{Stream: true, Chunks: 5, Bytes: 60}
	c := candidate{name: ours, addr: s.addr, token: benchToken}
	kinds := []*client{
		newClient(c, anthropic, workload{reply: reply}, 4), newClient(c, anthropic, workload{reply: reply, stream: true, large: true}, 4),
		newClient(c, openai, workload{reply: reply, stream: true}, 4), newClient(c, openai, workload{reply: reply, large: true}, 4),
	}
	up := c
	up.addr = strings.TrimPrefix(s.upstream, "http://")
	yardstick := newClient(up, anthropic, workload{reply: reply, stream: true}, 4)
	defer yardstick.close()
	for _, k := range kinds {
		defer k.close()
		k.again = true
	}
	for i := n; time.Now().Before(ends); i++ {
		if i%16 == 15 {
			kinds[1].abandon()
			continue
		}
		kind := i % len(kinds)
		a := kinds[kind].ask(time.Now(), nil)
		if kind == 0 && a.err == nil {
			small = append(small, a.total)
			if direct := yardstick.ask(time.Now(), nil); direct.err == nil {
				alone = append(alone, direct.total)
			}
		}
		s.mu.Lock()
		if s.asked++; a.err != nil {
			s.lost = append(s.lost, a.err.Error())
		}
		s.mu.Unlock()
	}
	return small, alone
}

// look asks the adapter how it is, by its metrics.
func (s *soaking) look() (state, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI("http://" + s.addr + "/metrics")
	req.Header.Set("Authorization", "Bearer "+soakAdmin)
	req.SetConnectionClose()
	if err := fasthttp.Do(req, resp); err != nil {
		return state{}, fmt.Errorf("cannot read the metrics: %w", err)
	}
	out := state{pid: s.serving.pid}
	for line := range strings.Lines(string(resp.Body())) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "go_goroutines":
			out.goroutines = n
		case "process_resident_memory_bytes":
			out.memory = n
		case "process_open_fds":
			out.descriptors = n
		}
	}
	if out.goroutines == 0 || out.memory == 0 || out.descriptors == 0 {
		return out, fmt.Errorf("the metrics lack how the process is: status %d", resp.StatusCode())
	}
	return out, nil
}

// judge compares the last process's first rounds with its last ones, and says what grew.
func (s *soaking) judge() error {
	kept := s.states[soakHandovers+soakWarm:]
	third := len(kept) / 3
	first, last := kept[:third], kept[len(kept)-third:]
	var errs []error
	compare := func(what string, of func(state) float64, unit string, scale, factor, slack float64) {
		before, after := middle(first, of), middle(last, of)
		word := "flat"
		if after > before*factor+slack {
			word = "GROWS"
			errs = append(errs, fmt.Errorf("%s grow: %.1f%s at first, %.1f%s in the end", what, before/scale, unit, after/scale, unit))
		}
		fmt.Printf("%-12s %-5s %.1f%s at first, %.1f%s in the end\n", what, word, before/scale, unit, after/scale, unit)
	}
	compare("memory", func(s state) float64 { return s.memory }, " MB", 1<<20, 8.0/7, slackMemory)
	compare("goroutines", func(s state) float64 { return s.goroutines }, "", 1, 1, slackThings)
	compare("descriptors", func(s state) float64 { return s.descriptors }, "", 1, 1, slackThings)
	compare("latency", func(s state) float64 { return s.latency }, " x direct", 1, 2, slackLatency)
	fmt.Printf("%d requests, %d handovers, %d reloads, %d lost\n", s.asked, soakHandovers, soakRounds, len(s.lost))
	if len(s.lost) > 0 {
		errs = append(errs, fmt.Errorf("%d of %d requests were lost, the first: %s", len(s.lost), s.asked, s.lost[0]))
	}
	return errors.Join(errs...)
}

func middle(states []state, of func(state) float64) float64 {
	numbers := make([]float64, len(states))
	for i, s := range states {
		numbers[i] = of(s)
	}
	m, _, _ := median(numbers)
	return m
}
