package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

type restoreFlags struct {
	group
	binary  string
	again   string // command that goes on after a cut; "" is the same restore
	keyFile string
	yes     bool
	json    bool
}

func newRestore(streams *streams, ssh *sshFlags) *cobra.Command {
	f := &restoreFlags{group: group{streams, ssh}}
	cmd := &cobra.Command{
		Use:   f.use("restore", "FILE"),
		Short: "Put settings, keys, tokens and state of an archive in force",
		Args:  f.args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if ssh != nil {
				if isFile(given[0]) && !isFile(given[1]) {
					return hostFirst(cmd, given[0])
				}
				return f.toAfar(cmd, given[0], given[1])
			}
			return f.here(cmd.Context(), given[0])
		},
	}
	cmd.Long = `restore checks an archive of gemini-manage backup to its last byte, shows what it is, asks, and puts its settings, keys,
tokens and state in force. What is there now is backed up first. The adapter restarts and must answer, or everything is
put back. With - the archive comes from standard input; that needs --yes.`
	cmd.Example = "  gemini-manage restore " + manage.BackupDir + "/gca-tokyo-20261123T021400Z.tar.gz"
	if ssh != nil {
		cmd.Long = `restore checks an archive of gca backup to its last byte, shows what it is, asks, and makes a server an adapter with its
settings, keys, tokens and state. An adapter that is there keeps its release, what it has is backed up on the server, and
it must answer in the end, or everything is put back. An encrypted archive is opened here with the backup key of this machine, or
with that of --backup-key, as it is sent. A server that has no adapter yet gets one first, with the archive's
settings, keys and tokens; that stays if the rest fails.`
		cmd.Example = "  gca restore root@198.51.100.7 gca-tokyo-20261123T021400Z.tar.gz.age"
		cmd.Flags().StringVar(&f.binary, "binary", "", "send this gca `FILE`, built for the server's platform, instead of the running one")
	}
	keyFlag(cmd, &f.keyFile)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	return f.finish(cmd)
}

// agree shows what the archive is, and asks. Who sends one through standard input knows it.
func (f *restoreFlags) agree(a *manage.Archive, name, question string) error {
	if name == "-" && f.yes {
		return nil
	}
	if err := tellArchive(f.io.err, f.io, a); err != nil || f.yes {
		return err
	}
	asker := newPrompt(f.io, f.ssh != nil && f.ssh.noInput)
	if asker == nil {
		return errNobodyToAsk
	}
	yes, err := asker.confirm(question, false)
	if err == nil && !yes {
		err = provision.ErrDeclined
	}
	return err
}

// restoreResult is what `restore --json` prints.
type restoreResult struct {
	Schema      int    `json:"schema"`
	URL         string `json:"url,omitempty"` // from a laptop
	TLS         string `json:"tls,omitempty"` // name of its certificate
	From        string `json:"from"`          // host that the archive was made on
	Changed     int    `json:"changed"`       // steps
	Safety      string `json:"safety,omitempty"`
	ClientToken string `json:"client_token,omitempty"` // made, since the archive has none; kept nowhere
	AdminToken  string `json:"admin_token,omitempty"`  // likewise
}

// here restores on this server.
func (f *restoreFlags) here(ctx context.Context, name string) error {
	if os.Geteuid() != 0 {
		return manage.ErrNotRoot
	}
	if name == "-" && !f.yes {
		return errNobodyToAsk
	}
	key, err := findKey(f.keyFile)
	if err != nil {
		return err
	}
	a, err := readBackup(f.io, name, key)
	var wrong *manage.ArchiveError
	if errors.As(err, &wrong) && wrong.Needs != "" {
		wrong.Hint = "bring this server to gca " + wrong.Needs + " or a later one first, from your laptop: gca deploy root@THIS-SERVER"
	}
	if err != nil {
		return f.unharmed(err, name, "gemini-manage", "")
	}
	if err := f.agree(a, name, "Put this in the place of this server's settings, keys, tokens and state? Clients with other tokens are shut out."); err != nil {
		return err
	}
	var done manage.Restored
	_, err = applyHere(f.io, func(m manage.Machine) (converge.Applied, error) {
		var err error
		done, err = m.Restore(ctx, a)
		return done.Applied, err
	})
	if err == nil && !f.json {
		err = tellChanged(f.io, done.Applied.Changed)
	}
	err = errors.Join(err, tellNotes(f.io, done.Notes))
	result := restoreResult{Schema: 1, From: a.Manifest.Host, Changed: done.Applied.Changed, Safety: done.Safety, TLS: done.Applied.Site.TLS, ClientToken: done.Applied.ClientToken.Reveal(), AdminToken: done.Applied.AdminToken.Reveal()}
	if f.json && err == nil {
		return json.NewEncoder(f.io.out).Encode(result)
	}
	return errors.Join(err, f.tell(result))
}

// unharmed says of an archive that must not be used that nothing was changed, and what to do next with the tool; host is behind its
// verbs.
func (f *restoreFlags) unharmed(err error, name, tool, host string) error {
	var wrong *manage.ArchiveError
	if !errors.As(err, &wrong) || wrong.Hint != "" {
		return err
	}
	wrong.Message += "; nothing was changed"
	wrong.Hint = "another one: " + tool + " backup list" + host
	if name != "-" {
		wrong.Hint = tool + " backup verify " + remote.Quote(name) + " checks it; " + wrong.Hint
	}
	return err
}

// tell says what is to be kept of a restore: the file of what was there before, and the tokens.
func (f *restoreFlags) tell(result restoreResult) error {
	var err error
	if result.Safety != "" {
		_, err = fmt.Fprintf(f.io.err, "what was there before is in %s\n", visible(result.Safety))
	}
	return errors.Join(err, tellTokens(f.io, converge.NewSecret(result.ClientToken), converge.NewSecret(result.AdminToken)))
}

// toAfar makes the server at target what the archive says. A server that has an adapter keeps its release.
func (f *restoreFlags) toAfar(cmd *cobra.Command, target, name string) error {
	if name == "-" {
		return &usageError{"an archive for a server is read from a file, not from standard input\nhint: gca restore " + target + " FILE"}
	}
	key, err := findKey(f.keyFile)
	if err != nil {
		return err
	}
	a, err := readBackup(f.io, name, key)
	if err != nil {
		return f.unharmed(err, name, "gca", " "+f.ssh.named(target))
	}
	texts, cfg, err := a.Texts()
	if err != nil {
		return asRefused(name, err)
	}
	if err := f.agree(a, name, "Make "+target+" an adapter like that? Whatever adapter is there loses its settings, keys and tokens, and clients with other tokens are shut out."); err != nil {
		return err
	}
	done, err := f.move(cmd, target, opened{name, key, a, texts})
	if err != nil && !cfg.Clients() {
		_, told := fmt.Fprintf(f.io.err, "The archive has no client token, and the server makes one for it; if it was not shown: gca config set %s CLIENT_TOKENS=-\n", target)
		return errors.Join(err, told)
	}
	if err != nil {
		return err
	}
	return f.tellMoved(a, target, done)
}

// opened is an archive in a file that was read, and found right.
type opened struct {
	name  string
	key   *manage.BackupKey // may be nil
	a     *manage.Archive
	texts config.Texts
}

// move makes the server at target what the archive says, and tells where it serves.
func (f *restoreFlags) move(cmd *cobra.Command, target string, o opened) (restoreResult, error) {
	done, err := f.send(cmd.Context(), target, o.name, o.key)
	var bare *noAdapterError
	if errors.As(err, &bare) {
		done, err = f.begin(cmd, target, o)
	}
	if err != nil {
		return done, err
	}
	host, _, err := f.ssh.parse(cmd.Context(), target, f.io)
	done.URL = converge.Site{TLS: done.TLS}.URL(host.Name())
	return done, err
}

const maxAnswer = 64 << 10 // bytes of a result

// send has the adapter of the server put the archive in force. One that is encrypted is opened on its way, in memory: the key
// stays here, and the archive is never in the clear on a disk.
func (f *restoreFlags) send(ctx context.Context, target, name string, key *manage.BackupKey) (done restoreResult, err error) {
	archive, err := os.Open(name)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	plain, _, err := manage.Unsealed(archive, key)
	if err != nil {
		return done, asRefused(name, err)
	}
	var answer bytes.Buffer
	if err := f.ssh.runRemote(ctx, f.io, target, rootAlways, plain, manage.AtMost(&answer, maxAnswer), "restore", "--yes", "--json", "-"); err != nil {
		return done, err
	}
	if err := json.Unmarshal(answer.Bytes(), &done); err != nil || done.Schema != 1 {
		return done, fmt.Errorf("the server restored the archive, and its answer cannot be read: %q", answer.String())
	}
	return done, nil
}

// begin makes a server an adapter with what the archive holds, and has that restore the rest.
func (f *restoreFlags) begin(cmd *cobra.Command, target string, o opened) (restoreResult, error) {
	deployed, err := f.deploy(cmd, target, o)
	if err != nil && !partial(err) {
		return restoreResult{}, err
	}
	done, err := f.send(cmd.Context(), target, o.name, o.key)
	done.Changed += deployed.Changed
	done.Safety = "" // before the restore there was nothing
	var failed *statusError
	if errors.As(err, &failed) {
		_, told := fmt.Fprintf(f.io.err, "The adapter that was deployed for it stays: it serves at %s with the archive's settings, keys and tokens, but without its state.\n"+
			"hint: gca error-logs %s, then the same gca restore again\n", deployed.URL, target)
		err = errors.Join(err, told, f.tell(restoreResult{ClientToken: deployed.ClientToken, AdminToken: deployed.AdminToken}))
	}
	return done, err
}

// deploy makes the server an adapter of this release that begins with what the archive holds.
func (f *restoreFlags) deploy(cmd *cobra.Command, target string, o opened) (provision.Result, error) {
	// All connections of a restore use what was typed for the first one.
	d := &deployFlags{ssh: *f.ssh, binary: f.binary, yes: true}
	opts, err := d.options(cmd, f.io, target)
	if err != nil {
		return provision.Result{}, err
	}
	// After a cut the same restore finishes the deploy first.
	if opts.Command = f.again; f.again == "" {
		opts.Command = goesOn(cmd, "gca restore", target, o.name)
	}
	opts.Seed = &provision.Seed{Env: converge.NewSecret(o.texts.Env), Keys: converge.NewSecret(o.texts.Keys), Tokens: converge.NewSecret(o.texts.Tokens),
		Certificates: o.a.Certificates(), Roots: o.a.Roots(), Name: tlsOf(o.texts)}
	screen := newScreen(f.io, false)
	opts.SSH.Prompts.Waiting = screen.warn
	result, err := provision.Deploy(cmd.Context(), opts, d.ui(f.io, screen, opts.Host.String(), nil))
	return result, errors.Join(err, screen.end(err == nil))
}

// goesOn is a command as it was given, to be typed once more.
func goesOn(cmd *cobra.Command, name, target, rest string) string {
	again, _ := sameCommand(cmd, target)
	return strings.Replace(again, "gca deploy", name, 1) + " " + remote.Quote(rest)
}

// tlsOf is the name that an archive's adapter was reached by, "" for plain HTTP.
func tlsOf(texts config.Texts) string {
	cfg, err := texts.Parse()
	if err != nil {
		return "" // an archive with such settings is refused before
	}
	return cfg.TLSName
}

// tellMoved says what the person has to do now, and remembers the new address where the token is known here.
func (f *restoreFlags) tellMoved(a *manage.Archive, target string, done restoreResult) error {
	known, err := f.follow(a, target, done.URL)
	if f.json {
		return errors.Join(err, json.NewEncoder(f.io.out).Encode(done))
	}
	tokens, next := "the same tokens", "Clients that used another address need this one: gca connect "+done.URL+", with the same token"
	switch {
	case done.ClientToken != "":
		tokens, next = "a new client token", "Clients need both: gca connect "+done.URL
	case known:
		next = "gca test and gca ask use it from now on. Clients that used another address need this one"
	}
	err = errors.Join(err, tellChanged(f.io, done.Changed))
	_, told := fmt.Fprintf(f.io.out, "The adapter serves at %s with the same keys and %s.\n%s; where they use a name, point its DNS record there.\n", done.URL, tokens, next)
	return errors.Join(err, told, f.tell(done))
}

// follow gives the connections of this user whose tokens are the archive's the new address.
func (f *restoreFlags) follow(a *manage.Archive, target, url string) (known bool, err error) {
	_, err = changeProfiles(func(p *client.Profiles) error {
		for name, one := range p.Named {
			if a.HasToken(one.Token) {
				known, one.URL, one.Host = true, url, target
				one.Roots, one.PlainHTTP = a.Roots(), strings.HasPrefix(url, "http:")
				p.Named[name] = one
			}
		}
		return nil
	})
	return known, err
}
