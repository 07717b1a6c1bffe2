package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

const keysVariable = "GEMINI_API_KEYS"

type deployFlags struct {
	ssh      sshFlags
	keysFile string
	baseURL  string
	binary   string
	yes      bool
	json     bool
}

func newDeploy(io *streams) *cobra.Command {
	f := &deployFlags{}
	cmd := &cobra.Command{
		Use:   "deploy [user@]host[:port]",
		Short: "Set a Debian or Ubuntu server up as an adapter, or bring it up to date",
		Long: `deploy sets a server up: a hardened service behind Nginx, and a firewall that lets SSH and HTTP in. It shows what it
would do, asks, does it, and ends when the adapter answers from here; if it cannot, everything is put back. Run again, it
changes only what differs.

Gemini API keys come from --keys-file FILE (- is standard input; one key a line), the environment variable
` + keysVariable + ` (commas between), or a prompt without echo. Later runs keep the server's keys unless new ones are given.`,
		Example: "  gca deploy root@203.0.113.9\n  gca deploy --keys-file keys.txt --yes root@tokyo.example.com:2222",
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return f.run(cmd.Context(), io, given[0])
		},
	}
	f.ssh.add(cmd)
	cmd.Flags().StringVar(&f.keysFile, "keys-file", "", "read Gemini API keys from `FILE`, one a line (- is standard input)")
	cmd.Flags().StringVar(&f.baseURL, "gemini-base-url", "", "let the adapter talk to `URL` instead of Google")
	cmd.Flags().StringVar(&f.binary, "binary", "", "send this gca `FILE`, built for the server's platform, instead of the running one")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.json, "json", false, "print progress and result as JSON lines, schema 1")
	return cmd
}

func (f *deployFlags) run(ctx context.Context, io *streams, target string) error {
	opts, err := f.options(ctx, io, target)
	if err != nil {
		return err
	}
	keys, err := f.givenKeys(io)
	if err != nil {
		return err
	}
	screen := newScreen(io, f.json)
	asker := newPrompt(io, f.ssh.noInput)
	ui := screen.ui()
	ui.Changing = func() error {
		if !f.yes && asker == nil {
			return errNobodyToAsk
		}
		return nil
	}
	ui.Keys = func(have int) (string, error) {
		if f.keysFile == "" && len(keys) > 0 && have > 0 {
			ui.Warn(fmt.Sprintf("the keys of %s (%d) take the place of those in the server's file keys, if they differ", keysVariable, len(keys)))
		}
		return chooseKeys(asker, keys, have)
	}
	ui.Plan = screen.plan(opts.Host.String(), f.confirm(asker, opts.Host.String()))
	ui.Try = func(ctx context.Context, url, token string) error {
		_, err := (&client.Client{Profile: client.Profile{URL: url, Token: token}}).Ask(ctx, defaultModel, "Answer with one word: ready?", func(string) {})
		return err
	}
	result, err := provision.Deploy(ctx, opts, ui)
	if err != nil && f.json {
		screen.emit(line{Type: "error", Code: exitCode(err), Text: complaint(err)}, "")
	}
	broken := screen.end()
	var short *provision.Error
	if err != nil && (!errors.As(err, &short) || short.Kind != provision.KindPartial) {
		return errors.Join(err, broken)
	}
	return errors.Join(err, f.finish(io, screen, result), broken)
}

var errNobodyToAsk = &usageError{"nobody can be asked whether to go on\nhint: the same command with --yes"}

// options reads everything that can be wrong on this side before the server is touched.
func (f *deployFlags) options(ctx context.Context, io *streams, target string) (provision.Options, error) {
	host, ssh, err := f.ssh.parse(ctx, target, io)
	if err != nil {
		return provision.Options{}, err
	}
	if f.baseURL != "" {
		if _, err := config.ParseEnv("GEMINI_BASE_URL=" + f.baseURL); err != nil {
			return provision.Options{}, &usageError{fmt.Sprintf("--gemini-base-url %s is not a URL\nhint: give it as https://host or http://host:port", f.baseURL)}
		}
	}
	binary, err := payload.Open(f.binary)
	if err != nil {
		return provision.Options{}, &usageError{err.Error()}
	}
	templates, err := templateTexts()
	if err != nil {
		return provision.Options{}, err
	}
	return provision.Options{Host: host, SSH: ssh, Payload: binary, Version: version, Templates: templates, BaseURL: f.baseURL}, nil
}

func templateTexts() (map[string]string, error) {
	entries, err := fs.ReadDir(gca.Templates, "templates")
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string)
	for _, entry := range entries {
		text, err := fs.ReadFile(gca.Templates, "templates/"+entry.Name())
		if err != nil {
			return nil, err
		}
		texts[entry.Name()] = string(text)
	}
	return texts, nil
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
	text, err := p.secret("Gemini API keys, commas between them")
	if err != nil {
		return "", err
	}
	keys, err := config.ParseKeyList(text)
	if err == nil && len(keys) == 0 {
		err = errors.New("none was given")
	}
	if err != nil {
		return "", &usageError{fmt.Sprintf("Gemini API keys: %v", err)}
	}
	return config.FormatKeys(keys), nil
}

func (f *deployFlags) confirm(p *prompt, host string) func() (bool, error) {
	return func() (bool, error) {
		switch {
		case f.yes:
			return true, nil
		case p == nil:
			return false, errNobodyToAsk
		}
		return p.confirm("Do this to "+host+"?", true)
	}
}

// finish says what the person needs next, and remembers the connection.
func (f *deployFlags) finish(io *streams, screen *screen, result provision.Result) error {
	profile := client.Profile{URL: result.URL, Token: result.ClientToken}
	file, err := remember(profile)
	if f.json {
		return errors.Join(err, screen.result(result))
	}
	if result.Changed == 0 {
		_, err := fmt.Fprintf(io.out, "%s: up to date\n", result.URL)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe adapter serves at %s (release %s).\n", result.URL, result.Release)
	if result.ClientToken != "" {
		fmt.Fprintf(&b, "Client token, shown this once: %s\n", result.ClientToken)
		fmt.Fprintf(&b, "Plain HTTP: the token and your prompts travel unencrypted, and whoever is on the way can read them.\n")
		fmt.Fprintf(&b, "\nFor Claude Code:\n")
		for _, v := range profile.ClaudeCode() {
			fmt.Fprintf(&b, "  export %s=%s\n", v.Name, v.Value)
		}
		if err == nil {
			fmt.Fprintf(&b, "\nAddress and token are saved in %s, so gca test and gca ask work at once.\n", file)
		}
	}
	_, writeErr := fmt.Fprint(io.out, b.String())
	return errors.Join(err, writeErr)
}

// remember saves the connection where a token was made; otherwise the one from before stays.
func remember(profile client.Profile) (file string, err error) {
	if profile.Token == "" {
		return "", nil
	}
	if file, err = client.File(); err != nil {
		return "", err
	}
	return file, client.Save(file, profile)
}
