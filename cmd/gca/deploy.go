package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/provision/remote"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

const keysVariable = "GEMINI_API_KEYS"

type deployFlags struct {
	ssh      sshFlags
	logins   loginFlags
	keysFile string
	baseURL  string
	binary   string
	tls      tlsFlags
	yes      bool
	dryRun   bool
	upgrade  bool // an adapter that is there, and nothing else
	abort    bool
	json     bool
}

func newDeploy(io *streams) *cobra.Command {
	f := &deployFlags{}
	cmd := &cobra.Command{
		Use:   "deploy [user@]host[:port]",
		Short: "Set a Debian or Ubuntu server up as an adapter, or bring it up to date",
		Long: `deploy sets a server up: a hardened service behind Nginx, and a firewall that lets SSH and the web in. It shows what it
would do, asks, does it, and ends when the adapter answers from here; if it cannot, everything is put back. Run again, it
changes only what differs.

The login is root's, or one that may become root by sudo. Once its steps have begun the server needs no connection: after a
cut or Ctrl-C the same command shows what happened meanwhile and finishes. Without that the server puts everything back after
15 minutes; --abort does it at once. Where another laptop is at work, --yes does not take its place.

Clients reach it by HTTPS: with --domain under a name whose DNS records lead to the server, otherwise under the server's
public IP address; the certificate comes from Let's Encrypt, whose terms of service you agree to by that, and is renewed by
itself. What no certificate can be had for is refused before anything is changed, or put back; --no-tls is for plain HTTP. A
server without a public address gets plain HTTP, which the plan says. Later runs keep what was chosen.

Gemini API keys come from --keys-file FILE (- is standard input; one key a line), the environment variable
` + keysVariable + ` (commas between), or a prompt without echo. Later runs keep the server's keys unless new ones are given.`,
		Example: "  gca deploy root@203.0.113.9\n  gca deploy --domain adapter.example.com root@203.0.113.9\n  gca deploy --keys-file keys.txt --yes ubuntu@tokyo.example.com:2222",
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			switch {
			case f.abort && f.dryRun:
				return &usageError{"--abort and --dry-run exclude each other\nhint: gca plan " + given[0] + " shows what a deploy would change"}
			case f.abort:
				return f.runAbort(cmd, io, given[0])
			}
			return f.run(cmd, io, given[0])
		},
	}
	f.addShared(cmd)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done, as gca plan does")
	cmd.Flags().BoolVar(&f.abort, "abort", false, "put an unfinished deploy back, and do nothing else")
	return cmd
}

// addShared adds the flags that deploy and plan have in common.
func (f *deployFlags) addShared(cmd *cobra.Command) {
	f.ssh.add(cmd)
	f.logins.add(cmd)
	cmd.Flags().StringVar(&f.keysFile, "keys-file", "", "read Gemini API keys from `FILE`, one a line (- is standard input)")
	cmd.Flags().StringVar(&f.baseURL, "gemini-base-url", "", "let the adapter talk to `URL` instead of Google")
	f.tls.add(cmd)
	cmd.Flags().StringVar(&f.binary, "binary", "", "send this gca `FILE`, built for the server's platform, instead of the running one")
	cmd.Flags().BoolVar(&f.json, "json", false, "print progress and result as JSON lines, schema 1")
}

func (f *deployFlags) run(cmd *cobra.Command, io *streams, target string) error {
	ctx := cmd.Context()
	opts, err := f.options(cmd, io, target)
	if err != nil {
		return err
	}
	keys, err := f.givenKeys(io)
	if err != nil {
		return err
	}
	screen := newScreen(io, f.json)
	opts.SSH.Prompts.Waiting = screen.warn
	result, err := provision.Deploy(ctx, opts, f.ui(io, screen, opts.Host.String(), keys))
	if err != nil && f.json {
		screen.emit(line{Type: "error", Code: exitCode(err), Text: complaint(err)}, "")
	}
	broken := screen.end(err == nil || partial(err)) // all but the first real answer went well
	if err != nil && result.ClientToken+result.AdminToken == "" && !partial(err) {
		return errors.Join(err, broken)
	}
	if f.dryRun {
		return errors.Join(f.finishPlan(io, screen, result), broken)
	}
	return errors.Join(err, f.finish(io, screen, target, result), broken)
}

// partial reports whether the adapter stands all the same.
func partial(err error) bool {
	var short *provision.Error
	return errors.As(err, &short) && short.Kind == provision.KindPartial
}

// ui is the screen, with what only this person can say.
func (f *deployFlags) ui(io *streams, screen *screen, host string, keys []config.Key) provision.UI {
	asker := newPrompt(io, f.ssh.noInput)
	ui := screen.ui()
	ui.Changing = func() error {
		if !f.yes && !f.dryRun && asker == nil {
			return errNobodyToAsk
		}
		return nil
	}
	ui.Keys = func(have int) (string, error) {
		if f.keysFile == "" && len(keys) > 0 && have > 0 {
			ui.Warn(fmt.Sprintf("the keys of %s (%d) take the place of those in the server's file keys, if they differ", keysVariable, len(keys)))
		}
		if f.dryRun {
			return config.FormatKeys(keys), nil
		}
		return chooseKeys(asker, keys, have)
	}
	ui.Running = func(running converge.Running) (bool, error) {
		nobodyAsked := f.yes || asker == nil
		screen.running(running, running.Attached && nobodyAsked)
		if !running.Attached || nobodyAsked {
			return false, nil
		}
		question := "Another laptop, or another terminal, is at this deploy. Go on with it from here instead?"
		if f.abort {
			question = "Another laptop, or another terminal, is at this deploy. Put it back all the same?"
		}
		yes, err := asker.confirm(question, false)
		if err == nil && !yes {
			err = provision.Occupied(running)
		}
		return yes, err
	}
	ui.Plan = func(plan provision.Plan) (bool, error) {
		defer screen.rest(time.Now())
		return screen.plan(plan, f.confirm(asker, host))
	}
	if f.dryRun {
		ui.Plan = screen.showPlan
	}
	ui.Try = func(ctx context.Context, dial provision.Dialer, result provision.Result) error {
		// Whether the way is safe was the deploy's question.
		c := client.NewVia(client.Profile{URL: result.URL, Token: result.ClientToken, Roots: result.Roots, PlainHTTP: true}, dial)
		defer c.Close()
		_, err := c.Ask(ctx, client.Simple(defaultModel, "Answer with one word: ready?"), func(string) {})
		return err
	}
	return ui
}

// runAbort puts an unfinished deploy back.
func (f *deployFlags) runAbort(cmd *cobra.Command, io *streams, target string) error {
	opts, err := f.options(cmd, io, target)
	if err != nil {
		return err
	}
	screen := newScreen(io, f.json)
	err = provision.Abort(cmd.Context(), opts, f.ui(io, screen, opts.Host.String(), nil))
	said := "the unfinished deploy was put back: the server is as it was before"
	if errors.Is(err, provision.ErrNothingToAbort) {
		said, err = err.Error(), nil
	}
	if err == nil {
		screen.emit(line{Type: "aborted", Text: said}, io.lang.Text(said))
	} else if f.json {
		screen.emit(line{Type: "error", Code: exitCode(err), Text: complaint(err)}, "")
	}
	return errors.Join(err, screen.end(err == nil))
}

var errNobodyToAsk = &usageError{"nobody can be asked whether to go on\nhint: the same command with --yes"}

// options reads everything that can be wrong on this side before the server is touched.
func (f *deployFlags) options(cmd *cobra.Command, io *streams, target string) (provision.Options, error) {
	host, ssh, err := f.ssh.parse(cmd.Context(), target, io)
	if err != nil {
		return provision.Options{}, err
	}
	if f.baseURL != "" {
		if _, err := config.ParseEnv("GEMINI_BASE_URL=" + f.baseURL); err != nil {
			return provision.Options{}, &usageError{fmt.Sprintf("--gemini-base-url %s is not a URL\nhint: give it as https://host or http://host:port", f.baseURL)}
		}
	}
	tls, err := f.tls.options()
	if err != nil {
		return provision.Options{}, err
	}
	payloads, err := payload.All(f.binary)
	if err != nil {
		return provision.Options{}, &usageError{err.Error()}
	}
	templates, err := templateTexts()
	if err != nil {
		return provision.Options{}, err
	}
	again, abort := sameCommand(cmd, target)
	if f.upgrade {
		again = strings.Replace(again, "gca deploy", "gca upgrade", 1)
	}
	opts := provision.Options{Host: host, SSH: ssh, Named: f.ssh.named(target), Payloads: payloads, Kept: payload.KeptHere(), Version: version, Templates: templates, BaseURL: f.baseURL, TLS: tls,
		Upgrade: f.upgrade, DryRun: f.dryRun, Command: again, AbortCommand: abort}
	return opts, f.logins.set(&opts)
}

// sameCommand is what to type to go on with a deploy from here, and to put it back: with the flags that were given, but for
// those that say what to do.
func sameCommand(cmd *cobra.Command, target string) (again, abort string) {
	words := []string{"gca", "deploy"}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		switch {
		case flag.Name == "abort" || flag.Name == "dry-run":
		case flag.Value.Type() == "bool":
			words = append(words, "--"+flag.Name)
		case flag.Value.Type() == "stringArray":
			for _, value := range flag.Value.(pflag.SliceValue).GetSlice() {
				words = append(words, "--"+flag.Name, value)
			}
		default:
			words = append(words, "--"+flag.Name, flag.Value.String())
		}
	})
	again = remote.Quote(append(words, target)...)
	return again, remote.Quote(append(words, "--abort", target)...)
}

// givenKeys reads the keys of --keys-file or the environment, nil if there are none.
func (f *deployFlags) givenKeys(io *streams) ([]config.Key, error) {
	if f.keysFile != "" {
		text, err := readSecretFile(io, f.keysFile)
		if err != nil {
			return nil, err
		}
		keys, err := config.ParseKeys(text)
		if err == nil && len(keys) == 0 {
			err = errors.New("there is no key in it")
		}
		if err != nil {
			return nil, &usageError{fmt.Sprintf("--keys-file %s: %v\nhint: one key a line, without white space", f.keysFile, err)}
		}
		return keys, nil
	}
	keys, err := config.ParseKeyList(os.Getenv(keysVariable))
	if err != nil {
		return nil, &usageError{fmt.Sprintf("%s: %v\nhint: keys without white space, commas between them", keysVariable, err)}
	}
	return keys, nil
}

// chooseKeys decides what becomes of the server's keys file.
func chooseKeys(p *prompt, given []config.Key, have int) (string, error) {
	if len(given) > 0 || have > 0 {
		return config.FormatKeys(given), nil
	}
	if p == nil {
		return "", &usageError{"no Gemini API keys: the server has none, and none were given\nhint: " + keysVariable + "=KEY1,KEY2,KEY3 gca deploy …, or --keys-file FILE; keys come from https://aistudio.google.com/apikey"}
	}
	keys, err := p.keys("Gemini API keys, commas between them")
	return config.FormatKeys(keys), err
}

// confirm asks whether to carry a plan out; its details can be looked at first.
func (f *deployFlags) confirm(p *prompt, host string) func(details func()) (bool, error) {
	return func(details func()) (bool, error) {
		switch {
		case f.yes:
			return true, nil
		case p == nil:
			return false, errNobodyToAsk
		}
		for {
			answer, err := p.choose("Do this to "+host+"?", "yes", "no", "details")
			if err != nil || answer != "details" {
				return answer == "yes", err
			}
			details()
		}
	}
}

// finish says what the person needs next, and remembers the connection.
func (f *deployFlags) finish(io *streams, screen *screen, target string, result provision.Result) error {
	profile := client.Profile{URL: result.URL, Token: result.ClientToken, Host: target, Roots: result.Roots, PlainHTTP: strings.HasPrefix(result.URL, "http:")}
	file, err := remember(profile)
	if f.json {
		return errors.Join(err, screen.result(result))
	}
	took := span(time.Since(screen.begun))
	if result.Changed == 0 {
		_, err := fmt.Fprintln(io.out, io.lang.Say("%s: up to date (%s)", result.URL, took))
		return err
	}
	screen.emit(line{}, io.lang.Say("done in %s · %s · %s", took, io.lang.Count(result.Changed, "change"), result.URL))
	kept := ""
	if err == nil {
		kept = file
	}
	_, writeErr := fmt.Fprint(io.out, farewell(io.lang, result, profile, kept))
	return errors.Join(err, writeErr)
}

// farewell is what a person needs next. kept is the file that the connection is saved in, "" if it could not be.
func farewell(w locale.Words, result provision.Result, profile client.Profile, kept string) string {
	var b strings.Builder
	say := func(english string, args ...any) { b.WriteString(w.Say(english, args...) + "\n") }
	b.WriteString("\n")
	say("The adapter serves at %s (release %s).", result.URL, result.Release)
	if result.ClientToken != "" {
		say("Client token, shown this once: %s", result.ClientToken)
	}
	if result.AdminToken != "" {
		say("Admin token, shown this once: %s", result.AdminToken)
	}
	if result.ClientToken == "" {
		return b.String()
	}
	if !strings.HasPrefix(result.URL, "https:") {
		say("Plain HTTP: the token and your prompts travel unencrypted, and whoever is on the way can read them.")
	}
	if result.Roots != "" {
		say("Its certificate is of a private CA, whose root clients must trust; gca setup sees to that. By hand, for Claude Code: NODE_EXTRA_CA_CERTS=FILE")
	}
	b.WriteString("\n")
	say("For Claude Code; gca setup claude-code writes this into its settings:")
	for _, v := range profile.ClaudeCode() {
		fmt.Fprintf(&b, "  export %s=%s\n", v.Name, v.Value)
	}
	if kept != "" {
		b.WriteString("\n")
		say("Address and token are saved in %s, so gca test and gca ask work at once.", kept)
	}
	return b.String()
}

// remember saves the connection where a token was made. Otherwise the server's from before stays, with the address that it has now.
func remember(profile client.Profile) (file string, err error) {
	return changeProfiles(func(p *client.Profiles) error {
		known := p.OfHost(profile.Host)
		if profile.Token != "" {
			return p.Put(cmp.Or(known, client.NameOf(profile.URL)), profile)
		}
		if known != "" {
			one := p.Named[known]
			one.URL, one.Roots, one.PlainHTTP = profile.URL, profile.Roots, profile.PlainHTTP
			p.Named[known] = one
		}
		return nil
	})
}
