package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

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
	binary string
	yes    bool
	json   bool
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
settings, keys, tokens and state. A server that has no adapter yet gets one first. What an adapter that is there has is
backed up on the server. The adapter must answer in the end, or everything is put back.`
		cmd.Example = "  gca restore root@198.51.100.7 gca-tokyo-20261123T021400Z.tar.gz"
		cmd.Flags().StringVar(&f.binary, "binary", "", "send this gca `FILE`, built for the server's platform, instead of the running one")
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, schema 1")
	return f.finish(cmd)
}

// agree shows what the archive is, and asks. Who sends one through standard input knows it.
func (f *restoreFlags) agree(a *manage.Archive, name, question string) error {
	if name == "-" && f.yes {
		return nil
	}
	if err := a.Print(f.io.err, time.Now()); err != nil || f.yes {
		return err
	}
	asker := newPrompt(f.io, f.ssh != nil && f.ssh.noInput)
	if asker == nil {
		return errNobodyToAsk
	}
	yes, err := asker.confirm(question, false)
	if err == nil && !yes {
		err = errors.New("nothing was changed")
	}
	return err
}

// restoreResult is what `restore --json` prints.
type restoreResult struct {
	Schema  int    `json:"schema"`
	URL     string `json:"url,omitempty"` // from a laptop
	From    string `json:"from"`          // host that the archive was made on
	Changed int    `json:"changed"`       // steps
	Safety  string `json:"safety,omitempty"`
}

// here restores on this server.
func (f *restoreFlags) here(ctx context.Context, name string) error {
	if os.Geteuid() != 0 {
		return manage.ErrNotRoot
	}
	if name == "-" && !f.yes {
		return errNobodyToAsk
	}
	a, err := readBackup(f.io, name)
	if err != nil {
		return err
	}
	if err := f.agree(a, name, "Put this in the place of what this server has?"); err != nil {
		return err
	}
	var done manage.Restored
	err = applyHere(f.io, func(m manage.Machine) (converge.Applied, error) {
		var err error
		done, err = m.Restore(ctx, a)
		return done.Applied, err
	})
	err = errors.Join(err, tellNotes(f.io, done.Notes))
	if done.Safety != "" && (err != nil || !f.json) {
		_, told := fmt.Fprintf(f.io.err, "what was there before is in %s\n", done.Safety)
		err = errors.Join(err, told)
	}
	if err != nil || !f.json {
		return err
	}
	return json.NewEncoder(f.io.out).Encode(restoreResult{1, "", a.Manifest.Host, done.Applied.Changed, done.Safety})
}

// toAfar makes the server at target what the archive says.
func (f *restoreFlags) toAfar(cmd *cobra.Command, target, name string) (err error) {
	a, err := readBackup(f.io, name)
	if err != nil {
		return err
	}
	texts, _, err := a.Texts()
	if err != nil {
		return asRefused(name, err)
	}
	if err := f.agree(a, name, "Make "+target+" an adapter like that?"); err != nil {
		return err
	}
	result, err := f.deploy(cmd, target, name, texts)
	if err != nil {
		return err
	}
	archive, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	// The answers of the server's side go to the screen: stdout is for this side's result.
	if err := f.ssh.runRemote(cmd.Context(), f.io, target, rootAlways, archive, f.io.err, "restore", "--yes", "-"); err != nil {
		return err
	}
	return f.tellMoved(a, result)
}

// deploy brings the server to this release. One that has no adapter begins with what the archive holds.
func (f *restoreFlags) deploy(cmd *cobra.Command, target, name string, texts config.Texts) (provision.Result, error) {
	// Both connections of a restore use what was typed for the first one.
	if _, _, err := f.ssh.parse(cmd.Context(), target, f.io); err != nil {
		return provision.Result{}, err
	}
	d := &deployFlags{ssh: *f.ssh, binary: f.binary, yes: true}
	opts, err := d.options(cmd, f.io, target)
	if err != nil {
		return provision.Result{}, err
	}
	// After a cut the same restore finishes the deploy first.
	opts.Command = strings.Replace(opts.Command, "gca deploy", "gca restore", 1) + " " + remote.Quote(name)
	opts.Seed = &provision.Seed{Env: converge.NewSecret(texts.Env), Keys: converge.NewSecret(texts.Keys), Tokens: converge.NewSecret(texts.Tokens)}
	screen := newScreen(f.io, false)
	opts.SSH.Prompts.Waiting = screen.warn
	result, err := provision.Deploy(cmd.Context(), opts, d.ui(f.io, screen, opts.Host.String(), nil))
	return result, errors.Join(err, screen.end(err == nil))
}

// tellMoved says what the person has to do now, and remembers the new address where the token is known here.
func (f *restoreFlags) tellMoved(a *manage.Archive, result provision.Result) error {
	known, err := f.follow(a, result.URL)
	if err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(f.io.out).Encode(restoreResult{Schema: 1, URL: result.URL, From: a.Manifest.Host, Changed: result.Changed})
	}
	next := "Clients need the new address: gca connect " + result.URL + ", with the same token"
	if known {
		next = "gca test and gca ask use it from now on. Other clients need the new address"
	}
	_, err = fmt.Fprintf(f.io.out, "The adapter serves at %s with the same keys and the same tokens.\n%s; where they use a name, point its DNS record there.\n", result.URL, next)
	return err
}

// follow saves the new address for this user, if the token saved here is one of the archive's.
func (f *restoreFlags) follow(a *manage.Archive, url string) (known bool, err error) {
	profile, err := loadProfile()
	if errors.Is(err, client.ErrNoProfile) {
		return false, nil
	}
	if err != nil || !a.HasToken(profile.Token) {
		return false, err
	}
	profile.URL = url
	return true, saveProfile(f.io, profile)
}
