package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

func loadProfiles() (*client.Profiles, error) {
	file, err := client.File()
	if err != nil {
		return nil, err
	}
	return client.Load(file)
}

// loadProfile is the named adapter of this user, the default one for "".
func loadProfile(name string) (client.Profile, error) {
	profiles, err := loadProfiles()
	if err != nil {
		return client.Profile{}, err
	}
	profile, err := profiles.Get(name)
	if err != nil {
		return profile, &usageError{err.Error()}
	}
	return profile, nil
}

// changeProfiles saves what change makes of this user's profiles, and returns their file.
func changeProfiles(change func(*client.Profiles) error) (file string, err error) {
	profiles, err := loadProfiles()
	if err != nil {
		return "", err
	}
	if err := change(profiles); err != nil {
		return "", &usageError{err.Error()}
	}
	if file, err = client.File(); err != nil {
		return "", err
	}
	return file, client.Save(file, profiles)
}

func saveProfile(io *streams, name string, profile client.Profile) error {
	file, err := changeProfiles(func(p *client.Profiles) error { return p.Put(name, profile) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.err, io.lang.Say("saved as %s in %s\nnext: gca chat, gca ask \"hello\", gca setup claude-code", name, file))
	return err
}

// profileFlag lets a command use another adapter than the default one.
func profileFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "profile", "", "use the connection `NAME` of gca connect list")
	completeFlag(cmd, "profile", completeProfiles)
}

// profileList is what `connect list --json` prints. It shows no token.
type profileList struct {
	Schema   int            `json:"schema"`
	Default  string         `json:"default"`
	Profiles []profileEntry `json:"profiles"`
}

type profileEntry struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Host  string `json:"host,omitempty"`
	Token bool   `json:"token"` // there is one
}

func listProfiles(p *client.Profiles) profileList {
	list := profileList{Schema: 1, Default: p.Default, Profiles: []profileEntry{}}
	for _, name := range p.Names() {
		one := p.Named[name]
		list.Profiles = append(list.Profiles, profileEntry{name, one.URL, one.Host, one.Token != ""})
	}
	return list
}

func newConnectList(io *streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the connections of this user; * marks the default one",
		Example: "  gca connect list\n  gca connect list --json",
		Args:    args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			profiles, err := loadProfiles()
			if err != nil {
				return err
			}
			list := listProfiles(profiles)
			if asJSON {
				return json.NewEncoder(io.out).Encode(list)
			}
			if len(list.Profiles) == 0 {
				_, err := fmt.Fprintln(io.err, client.ErrNoProfile)
				return err
			}
			return list.print(io)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (l profileList) print(io *streams) error {
	t := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(t, "  NAME\tADDRESS\tTOKEN\tSERVER"); err != nil {
		return err
	}
	for _, p := range l.Profiles {
		mark, token := " ", "none"
		if p.Name == l.Default {
			mark = "*"
		}
		if p.Token {
			token = "saved"
		}
		line := strings.TrimRight(fmt.Sprintf("%s %s\t%s\t%s\t%s", mark, p.Name, p.URL, token, p.Host), "\t")
		if _, err := fmt.Fprintln(t, line); err != nil {
			return err
		}
	}
	return t.Flush()
}

func newConnectDefault(io *streams) *cobra.Command {
	return &cobra.Command{
		Use:               "default NAME",
		Short:             "Use a connection where no --profile is named",
		Example:           "  gca connect default adapter.example.com\n  gca connect default here",
		Args:              args(1, 1),
		ValidArgsFunction: firstArg(completeProfiles),
		RunE: func(_ *cobra.Command, given []string) error {
			if _, err := changeProfiles(func(p *client.Profiles) error { return p.SetDefault(given[0]) }); err != nil {
				return err
			}
			_, err := fmt.Fprintln(io.err, given[0], "is the default now")
			return err
		},
	}
}

func newConnectRemove(io *streams) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Forget a connection and its token, on this machine alone",
		Long:              "remove forgets a connection on this machine. Its token lives on at the server until gca tokens revoke ends it.",
		Example:           "  gca connect remove adapter.example.com\n  gca connect remove here",
		Args:              args(1, 1),
		ValidArgsFunction: firstArg(completeProfiles),
		RunE: func(_ *cobra.Command, given []string) error {
			said := given[0] + " is forgotten"
			_, err := changeProfiles(func(p *client.Profiles) error {
				before := p.Default
				err := p.Remove(given[0])
				if p.Default != before && p.Default != "" {
					said += "; " + p.Default + " is the default now"
				}
				return err
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(io.err, said)
			return err
		},
	}
}
