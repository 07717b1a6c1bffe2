// Command bench measures what an adapter costs: gca, and whatever else is named on its command line, beside a floor that only
// passes bytes on. docs/performance.md says how, and what came out. For this repository only; Linux, since it reads /proc.
//
//	bench [flags] [NAME=http://[:TOKEN@]127.0.0.1:PORT ...]
//	bench upstream ADDRESS            the fast fake of Gemini that all candidates ask
//	bench floor ADDRESS UPSTREAM      the floor
//	bench soak [-for 20m] [-gca PROGRAM]
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "upstream" {
		l, err := net.Listen("tcp", args[1])
		if err != nil {
			return err
		}
		return newUpstream(workloads()[0].reply).serve(l)
	}
	if len(args) == 3 && args[0] == "floor" {
		l, err := net.Listen("tcp", args[1])
		if err != nil {
			return err
		}
		return floor(l, args[2], benchKeys(64))
	}
	if len(args) > 0 && args[0] == "soak" {
		return soak(args[1:])
	}
	return measure(args)
}

// settings are what the command line says.
type settings struct {
	gca, before, site, only, shapes, without, json, markdown string
	rounds, keys                                             int
	others                                                   []string
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&s.gca, "gca", "bin/gca", "the adapter's `program`")
	flags.StringVar(&s.before, "before", "", "another build of it, to be put beside it, a `program`")
	flags.StringVar(&s.site, "site", "", "Nginx before it, too, with this site, a `file` as a deploy writes it")
	flags.StringVar(&s.only, "only", "", "these `workloads` alone, commas between: W1 W2 W3 W4 W4x5 L1 L2 L3 W5@500 W5@1000 W5@2000 S100 S1000 S5000 B10K B100K B1000K B10000K")
	flags.StringVar(&s.shapes, "shapes", "anthropic,openai", "the clients' `protocols`")
	flags.StringVar(&s.without, "without", "", "leave out these `candidates`, commas between: direct, floor, before, gca")
	flags.IntVar(&s.rounds, "rounds", 8, "runs of each candidate")
	flags.IntVar(&s.keys, "keys", 64, "how many keys gca has")
	flags.StringVar(&s.json, "json", "", "write every run to this `file`")
	flags.StringVar(&s.markdown, "markdown", "", "write the tables to this `file`, and not to standard output")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if s.rounds < 1 || s.keys < 1 {
		return s, errors.New("rounds and keys begin at 1")
	}
	s.others = flags.Args()
	return s, nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// bench is what the settings ask for; the candidates come later.
func (s settings) bench() (*bench, error) {
	b := &bench{rounds: s.rounds, say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }}
	all := workloads()
	if s.only != "" {
		all = append(all, scale()...)
	}
	for _, w := range all {
		if s.only == "" || slices.Contains(list(s.only), w.name) {
			b.workloads = append(b.workloads, w)
		}
	}
	for _, p := range []shape{anthropic, openai} {
		if slices.Contains(list(s.shapes), p.String()) {
			b.shapes = append(b.shapes, p)
		}
	}
	if len(b.workloads) == 0 || len(b.shapes) == 0 {
		return nil, fmt.Errorf("nothing to run: -only %q, -shapes %q\nhint: bench -h names what there is", s.only, s.shapes)
	}
	return b, nil
}

func measure(args []string) (err error) {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := s.bench()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gca-bench-")
	if err != nil {
		return err
	}
	f := &family{dir: dir}
	defer func() { err = errors.Join(err, f.end(), os.RemoveAll(dir)) }()
	upstream, all, err := f.household(s)
	if err != nil {
		return err
	}
	for _, text := range s.others {
		c, err := parseCandidate(text)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	b.upstream = upstream
	b.candidates = slices.DeleteFunc(all, func(c candidate) bool { return slices.Contains(list(s.without), c.name) })
	rows, err := b.run()
	if err != nil {
		return err
	}
	return s.write(newReport(rows, s.keys), b.workloads)
}

func (s settings) write(r report, ran []workload) error {
	if s.json != "" {
		if err := toFile(s.json, func(w *os.File) error { return r.writeJSON(w) }); err != nil {
			return err
		}
	}
	if s.markdown != "" {
		return toFile(s.markdown, func(w *os.File) error { return r.writeMarkdown(w, ran) })
	}
	return r.writeMarkdown(os.Stdout, ran)
}

func toFile(name string, write func(*os.File) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
