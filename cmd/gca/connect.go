package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// defaultModel is asked when the person names none; the adapter maps it.
const defaultModel = "gemini-3.8-flash"

const tokenVariable = "GCA_TOKEN"

// connectFlags say which adapter is to be remembered, and how.
type connectFlags struct {
	ssh       *sshFlags
	profile   string
	tokenFile string
	tokenName string
	plainHTTP bool
}

func newConnect(io *streams) *cobra.Command {
	f := &connectFlags{ssh: &sshFlags{}}
	cmd := &cobra.Command{
		Use:   "connect [URL | user@host]",
		Short: "Remember an adapter's address and token, after trying them",
		Long: `connect tries the adapter at URL with a token and saves both under a name for this user, in a file that nobody else can
read. The token comes from --token-file FILE (- is standard input), the environment variable ` + tokenVariable + `, or a prompt
without echo; an adapter on your own machine may need none. The admin token connects, too, and shows everything in stats.

With user@host, a server that you can log in to, or a name in your ssh_config, connect makes a token for this machine on the
server, and finds the address itself; where this machine has a token for it already that still works, that is kept. What was connected last is used where no --profile is named.`,
		Example: `  gca connect https://adapter.example.com
  gca connect root@203.0.113.9
  gca connect http://127.0.0.1:8000 --profile here`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error { return f.run(cmd.Context(), io, given) },
	}
	f.ssh.add(cmd)
	cmd.Flags().StringVar(&f.profile, "profile", "", "save it as `NAME` (default: the address's host)")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "read the token from `FILE` (- is standard input)")
	cmd.Flags().StringVar(&f.tokenName, "token-name", "", "with user@host: the `NAME` of the token made there (default: this machine's)")
	cmd.Flags().BoolVar(&f.plainHTTP, "plain-http", false, "send the token to a public address over plain HTTP, where others can read it")
	cmd.AddCommand(newConnectList(io), newConnectDefault(io), newConnectRemove(io))
	return cmd
}

func (f *connectFlags) run(ctx context.Context, io *streams, given []string) error {
	p := newPrompt(io, f.ssh.noInput)
	if len(given) == 0 {
		if p == nil {
			return &usageError{"which adapter? nobody can be asked here\nhint: gca connect https://YOUR-SERVER"}
		}
		address, err := p.text("Address of the adapter, or user@host of a server that you deployed to", "")
		if err != nil {
			return err
		}
		given = []string{strings.TrimSpace(address)}
	}
	if f.profile != "" {
		if err := client.CheckName(f.profile); err != nil {
			return &usageError{err.Error()}
		}
	}
	var profile client.Profile
	var saved bool
	var err error
	if isServer(given[0]) {
		profile, saved, err = f.overSSH(ctx, io, given[0])
	} else {
		profile, err = f.byAddress(ctx, io, p, given[0])
	}
	if err != nil {
		return err
	}
	if err := testProfile(ctx, io, profile, defaultModel, false); err != nil || saved {
		return err
	}
	return f.save(io, profile)
}

func (f *connectFlags) save(io *streams, profile client.Profile) error {
	return saveProfile(io, cmp.Or(f.profile, client.NameOf(profile.URL)), profile)
}

// isServer tells servers to log in to from addresses: they have a user before them, or a name in the person's ssh_config.
func isServer(target string) bool {
	return !strings.Contains(target, "://") && (strings.Contains(target, "@") || slices.Contains(remote.Aliases(), target))
}

// byAddress asks for the token of an adapter, unless that could be read on the way.
func (f *connectFlags) byAddress(ctx context.Context, io *streams, p *prompt, address string) (client.Profile, error) {
	url, err := client.ParseURL(address)
	if err != nil {
		return client.Profile{}, &usageError{err.Error()}
	}
	profile := client.Profile{URL: url, PlainHTTP: f.plainHTTP}
	if exposed, err := client.Exposed(ctx, url); exposed && err == nil && !f.plainHTTP {
		return profile, &usageError{(&client.ExposedError{URL: url}).Error()}
	}
	profile.Token, err = readToken(io, p, f.tokenFile)
	return profile, err
}

// overSSH finds out where the adapter of a server answers, and makes a token there unless this person has one already. One that was
// made is saved at once: it is shown nowhere else, and a hop that is broken today works tomorrow.
func (f *connectFlags) overSSH(ctx context.Context, io *streams, target string) (profile client.Profile, saved bool, err error) {
	host, _, err := f.ssh.parse(ctx, target, io)
	if err != nil {
		return profile, false, err
	}
	url, schemes, err := f.certified(ctx, io, target)
	if err == nil && url == "" {
		url, err = f.find(ctx, target, host.Name(), schemes)
	}
	if err != nil {
		return profile, false, err
	}
	before, err := f.before(target, url)
	if err != nil {
		return profile, false, err
	}
	if err := reach(ctx, before); err != nil || f.known(ctx, before) {
		return before, false, err
	}
	if profile, err = f.make(ctx, io, target, before); err != nil {
		return profile, false, err
	}
	return profile, true, f.save(io, profile)
}

// before is the connection that this person has to a server already, if it is at the same address; else it has no token.
func (f *connectFlags) before(target, url string) (client.Profile, error) {
	profiles, err := loadProfiles()
	if err != nil {
		return client.Profile{}, err
	}
	profile := profiles.Named[profiles.OfHost(target)]
	if profile.URL != url {
		profile = client.Profile{URL: url, Host: target}
	}
	profile.PlainHTTP = profile.PlainHTTP || f.plainHTTP
	return profile, nil
}

// reach refuses an address that a token must not be sent to, or where no adapter answers.
func reach(ctx context.Context, profile client.Profile) error {
	c := client.New(profile)
	defer c.Close()
	err := c.MayTell(ctx)
	var exposed *client.ExposedError
	if errors.As(err, &exposed) {
		return &usageError{err.Error()}
	}
	if err == nil {
		_, err = c.Health(ctx)
	}
	return err
}

// known reports whether a connection's token goes on to be used: it is not refused, whatever else is wrong today, and no other one was
// asked for.
func (f *connectFlags) known(ctx context.Context, before client.Profile) bool {
	if before.Token == "" || f.tokenName != "" {
		return false
	}
	c := client.New(before)
	defer c.Close()
	_, err := c.Who(ctx)
	var failed *client.Error
	return !errors.As(err, &failed) || failed.Status != http.StatusUnauthorized
}

// make has the server make a token.
func (f *connectFlags) make(ctx context.Context, io *streams, target string, profile client.Profile) (client.Profile, error) {
	name := cmp.Or(f.tokenName, machineName())
	if err := manage.CheckTokenName(name); err != nil {
		return profile, &usageError{err.Error() + "\nhint: --token-name NAME"}
	}
	var out bytes.Buffer
	if err := f.ssh.runRemote(ctx, io, target, rootAlways, nil, manage.AtMost(&out, maxSecretFile), "tokens", "add", "--json", "--", name); err != nil {
		if exitCode(err) == exitUsage {
			screenLine(io, fmt.Sprintf("or a token of another name: gca connect --token-name %s-2 %s", name, target))
		}
		return profile, err
	}
	var made madeToken
	if err := json.Unmarshal(out.Bytes(), &made); err != nil || made.Token == "" {
		return profile, fmt.Errorf("the server's new token cannot be read\nhint: gca upgrade, should its release be another one than this; this is gca %s", version)
	}
	profile.Token = made.Token
	screenLine(io, io.lang.Say("made the token %s on %s", name, target))
	return profile, nil
}

// certified is where a server serves by HTTPS, which may be a name that the person did not give. Where it does not, or cannot tell, url
// is "", and these are the schemes to try.
func (f *connectFlags) certified(ctx context.Context, io *streams, target string) (url string, schemes []string, err error) {
	var out bytes.Buffer
	err = f.ssh.runRemote(ctx, io, target, rootIfFree, nil, manage.AtMost(&out, maxSecretFile), "cert", "status", "--json")
	var ended *statusError
	if err != nil && !errors.As(err, &ended) {
		return "", nil, err
	}
	var report manage.CertReport
	if json.Unmarshal(out.Bytes(), &report) != nil || report.Schema != 1 {
		return "", []string{"https", "http"}, nil // an adapter that does not run, or Nginx, of which the look from here tells more
	}
	return report.URL, []string{"http"}, nil
}

// find is where the adapter of a server answers: where it did before, else by the first of the schemes.
func (f *connectFlags) find(ctx context.Context, target, name string, schemes []string) (string, error) {
	profiles, err := loadProfiles()
	if err != nil {
		return "", err
	}
	if known := profiles.OfHost(target); known != "" {
		return profiles.Named[known].URL, nil
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	var failed *client.Error
	for _, scheme := range schemes {
		url := scheme + "://" + name
		_, err := client.New(client.Profile{URL: url}).Health(ctx)
		switch {
		case err == nil:
			return url, nil
		case !errors.As(err, &failed):
			return "", err
		}
	}
	return "", &client.Error{Hop: failed.Hop, Message: "no adapter answers at " + name + ": " + failed.Message,
		Hint: "if it has another name: gca tokens add " + target + " NAME makes a token, and gca connect https://ITS-NAME takes it"}
}

// machineName is this machine's name, as a token may be called.
func machineName() string {
	name, err := os.Hostname()
	if err != nil {
		return "laptop"
	}
	short, _, _ := strings.Cut(name, ".")
	return strings.ToLower(short)
}

func readToken(streams *streams, p *prompt, file string) (string, error) {
	switch {
	case file != "":
		text, err := readSecretFile(streams, file)
		return strings.TrimSpace(text), err
	case os.Getenv(tokenVariable) != "":
		return os.Getenv(tokenVariable), nil
	case p == nil:
		return "", nil // an adapter of one's own machine asks for none
	}
	return p.secret("Token (printed by the deploy or by gca tokens add; empty if the adapter asks for none)")
}

const maxSecretFile = 1 << 20

// readSecretFile reads a small file, - being standard input.
func readSecretFile(streams *streams, name string) (text string, err error) {
	f := streams.in
	if name != "-" {
		if f, err = os.Open(name); err != nil {
			return "", &usageError{err.Error()}
		}
		defer func() { _ = f.Close() }() // it was only read
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err == nil && len(b) > maxSecretFile {
		err = fmt.Errorf("%s is larger than %d MB", name, maxSecretFile>>20)
	}
	return string(b), err
}
