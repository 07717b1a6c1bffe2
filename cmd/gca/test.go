package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

func newTest(io *streams) *cobra.Command {
	var model, profile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Check every hop to the adapter: name, network, TLS, token, keys, and one real streamed answer",
		Long: `test looks at each hop of the way in turn: the server's name, the network, its certificate, the adapter and its keys, your
token, and one short answer of a model, with the time to its first text. What breaks is named, with what to do about it.`,
		Example: "  gca test\n  gca test --profile here --json",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := loadProfile(profile)
			if err != nil {
				return err
			}
			return testProfile(cmd.Context(), io, p, model, asJSON)
		},
	}
	modelFlag(cmd, &model)
	profileFlag(cmd, &profile)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func modelFlag(cmd *cobra.Command, model *string) {
	cmd.Flags().StringVarP(model, "model", "m", defaultModel, "`MODEL` to ask; any name that the adapter maps")
}

// testProfile shows each hop as it is found to be good, and returns the error of the one that is not.
func testProfile(ctx context.Context, io *streams, profile client.Profile, model string, asJSON bool) error {
	c := client.New(profile)
	defer c.Close()
	p := newPalette(io.out)
	var broken error
	show := func(mark, hop, text string) {
		if broken == nil && !asJSON {
			_, broken = fmt.Fprintf(io.out, "%s %s %s\n", mark, pad(io.lang.Say(hop), 12), io.lang.Text(visible(text)))
		}
	}
	probe, err := c.Probe(ctx, model, func(hop, text string) {
		mark := p.good.Sprint("✓")
		if hop == "status" && text != "healthy" || hop == "active keys" && strings.HasPrefix(text, "0/") {
			mark = p.bad.Sprint("!")
		}
		show(mark, hop, text)
	})
	if err != nil && probe.Failed != nil && !errors.Is(err, context.Canceled) {
		show(p.bad.Sprint("✗"), probe.Failed.Hop, "broke here")
	}
	if asJSON {
		broken = json.NewEncoder(io.out).Encode(probe)
	}
	return errors.Join(err, broken)
}
