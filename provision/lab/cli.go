package lab

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// errUsage marks an error of the command line: exit code 2.
var errUsage = errors.New("usage")

const usage = `lab boots throwaway Debian servers on this machine, as root.

  lab up [--name N] [--suite S] [--packages a,b] [--mirror URL] [--disk-mb N] [--ipv6-only] [--json]   boot one; it stays until down
  lab down [NAME...]              end the named ones; without names all that up booted
  lab list [--json]               the servers, those of running tests too
  lab exec NAME [--] CMD [ARG...]   run a command as root in one; its exit code is passed on
  lab ssh NAME [USER]             a shell in one (root; or admin, sudoer)
  lab check                       say why this machine cannot boot one; silent when it can

stdout is data, stderr is progress. exit codes: 0 ok, 1 failed, 2 usage.
`

// cli is one run of the command.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// CLI runs the lab command and returns its exit code.
func CLI(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr}
	err := c.run(ctx, args)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stderr, usage)
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "lab: %v\nhint: lab help\n", err)
		return 2
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	fmt.Fprintf(stderr, "lab: %v\n", err)
	return 1
}

func (c *cli) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: a verb is missing", errUsage)
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "up":
		return c.up(ctx, args)
	case "down":
		return c.downVerb(ctx, args)
	case "list":
		return c.list(ctx, args)
	case "exec":
		return c.exec(ctx, args)
	case "ssh":
		return c.ssh(ctx, args)
	case "check":
		_, err := c.flags("check", args, 0, 0, nil)
		return errors.Join(err, Check())
	case "help", "-h", "-help", "--help":
		return flag.ErrHelp
	}
	return fmt.Errorf("%w: no verb %q", errUsage, verb)
}

// flags parses args and returns what is left, which must be from least to most words; most < 0 is without end.
func (c *cli) flags(verb string, args []string, least, most int, define func(*flag.FlagSet)) ([]string, error) {
	fs := flag.NewFlagSet("lab "+verb, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	if define != nil {
		define(fs)
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: lab %s: %w", errUsage, verb, err)
	}
	if n := fs.NArg(); n < least || most >= 0 && n > most {
		return nil, fmt.Errorf("%w: lab %s: %d words do not fit", errUsage, verb, n)
	}
	return fs.Args(), nil
}

func (c *cli) up(ctx context.Context, args []string) error {
	var opts Options
	var packages string
	var asJSON bool
	_, err := c.flags("up", args, 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&opts.Name, "name", "", "")
		fs.StringVar(&opts.Suite, "suite", os.Getenv("GCA_LAB_SUITE"), "")
		fs.StringVar(&opts.Mirror, "mirror", os.Getenv("GCA_LAB_MIRROR"), "")
		fs.StringVar(&packages, "packages", "", "")
		fs.BoolVar(&opts.IPv6Only, "ipv6-only", false, "")
		fs.IntVar(&opts.DiskMB, "disk-mb", 0, "")
		fs.BoolVar(&asJSON, "json", false, "")
	})
	if err != nil {
		return err
	}
	opts.Packages = strings.FieldsFunc(packages, func(r rune) bool { return r == ',' })
	if err := opts.validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	begun := time.Now()
	s, err := Keep(ctx, opts, c.stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%s is up after %.1f s; go run ./cmd/lab ssh %s\n", s.Name, time.Since(begun).Seconds(), s.Name)
	return c.print([]*Server{s}, asJSON)
}

func (c *cli) downVerb(ctx context.Context, args []string) error {
	names, err := c.flags("down", args, 0, -1, nil)
	if err != nil {
		return err
	}
	ended, err := Down(ctx, names...)
	for _, s := range ended {
		fmt.Fprintf(c.stderr, "%s is gone\n", s.Name)
	}
	return err
}

func (c *cli) list(ctx context.Context, args []string) error {
	var asJSON bool
	if _, err := c.flags("list", args, 0, 0, func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "") }); err != nil {
		return err
	}
	servers, err := List(ctx)
	if err != nil {
		return err
	}
	return c.print(servers, asJSON)
}

// print writes one server a line: JSON, or columns under a header.
func (c *cli) print(servers []*Server, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(c.stdout)
		for _, s := range servers {
			if err := enc.Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSUITE\tADDRESS\tGATEWAY\tSTATE\tKEY\tENDS WITH")
	for _, s := range servers {
		owner := "down"
		if s.Owner != 0 {
			owner = fmt.Sprintf("process %d", s.Owner)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.Suite, s.Addr, s.Gateway, s.State, s.KeyFile, owner)
	}
	return w.Flush()
}

func (c *cli) exec(ctx context.Context, args []string) error {
	words, err := c.flags("exec", args, 2, -1, nil)
	if err != nil {
		return err
	}
	name, command := words[0], words[1:]
	if command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return fmt.Errorf("%w: lab exec: a command is missing", errUsage)
	}
	s, err := Find(ctx, name)
	if err != nil {
		return err
	}
	return c.attach(s.Command(ctx, command...))
}

func (c *cli) ssh(ctx context.Context, args []string) error {
	words, err := c.flags("ssh", args, 1, 2, nil)
	if err != nil {
		return err
	}
	user := "root"
	if len(words) == 2 {
		user = words[1]
	}
	if !slices.Contains([]string{"root", "admin", "sudoer"}, user) {
		return fmt.Errorf("%w: lab ssh: user %q is not root, admin or sudoer", errUsage, user)
	}
	s, err := Find(ctx, words[0])
	if err != nil {
		return err
	}
	return c.attach(exec.CommandContext(ctx, "ssh", s.sshArgs(user)...))
}

func (c *cli) attach(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, c.stdout, c.stderr
	return cmd.Run()
}
