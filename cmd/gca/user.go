package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// defaultModel is asked when the person names none; the adapter maps it.
const defaultModel = "gemini-3.8-flash"

const tokenVariable = "GCA_TOKEN"

func newConnect(io *streams) *cobra.Command {
	var tokenFile string
	cmd := &cobra.Command{
		Use:   "connect URL",
		Short: "Remember an adapter's address and client token, after trying them",
		Long: `connect tries the adapter at URL with the client token and saves both for this user. The token comes from
--token-file FILE (- is standard input), the environment variable ` + tokenVariable + `, or a prompt without echo. An adapter on your own machine may need none.`,
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			url, err := client.ParseURL(given[0])
			if err != nil {
				return &usageError{err.Error()}
			}
			token, err := readToken(io, tokenFile)
			if err != nil {
				return err
			}
			profile := client.Profile{URL: url, Token: token}
			if err := testProfile(cmd.Context(), io, profile, defaultModel); err != nil {
				return err
			}
			return saveProfile(io, profile)
		},
	}
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "read the client token from `FILE` (- is standard input)")
	return cmd
}

func saveProfile(io *streams, profile client.Profile) error {
	file, err := client.File()
	if err == nil {
		err = client.Save(file, profile)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.err, "saved for gca test and gca ask: %s\n", file)
	return err
}

func readToken(streams *streams, file string) (string, error) {
	switch {
	case file != "":
		text, err := readSecretFile(streams, file)
		return strings.TrimSpace(text), err
	case os.Getenv(tokenVariable) != "":
		return os.Getenv(tokenVariable), nil
	}
	p := newPrompt(streams, false)
	if p == nil {
		return "", nil // an adapter of one's own machine asks for none
	}
	return p.secret("Client token (printed by the deploy; empty if the adapter asks for none)")
}

const maxSecretFile = 1 << 20

// readSecretFile reads a small file, - being standard input.
func readSecretFile(streams *streams, name string) (text string, err error) {
	f := streams.in
	if name != "-" {
		if f, err = os.Open(name); err != nil {
			return "", &usageError{err.Error()}
		}
		defer func() { _ = f.Close() }()
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err == nil && len(b) > maxSecretFile {
		err = fmt.Errorf("%s is larger than %d MB", name, maxSecretFile>>20)
	}
	return string(b), err
}

func newTest(io *streams) *cobra.Command {
	var model string
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Check the connected adapter: reachable, keys, and one real streamed answer",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			profile, err := loadProfile()
			if err != nil {
				return err
			}
			return testProfile(cmd.Context(), io, profile, model)
		},
	}
	cmd.Flags().StringVarP(&model, "model", "m", defaultModel, "`MODEL` to ask")
	return cmd
}

func loadProfile() (client.Profile, error) {
	file, err := client.File()
	if err != nil {
		return client.Profile{}, err
	}
	return client.Load(file)
}

func testProfile(ctx context.Context, io *streams, profile client.Profile, model string) error {
	c := &client.Client{Profile: profile}
	start := time.Now()
	health, err := c.Health(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(io.out, "connected    %s in %s, version %s\nstatus       %s\nactive keys  %d/%d\n", profile.URL,
		time.Since(start).Round(time.Millisecond), health.Version, health.Status, health.ActiveKeys, health.TotalKeys); err != nil {
		return err
	}
	answer, err := c.Ask(ctx, model, "Answer with one short sentence: does this connection work?", func(string) {})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "answer       %s, first text after %s, whole after %s, %d tokens in, %d out\n", answer.Model,
		answer.FirstText.Round(time.Millisecond), answer.Total.Round(time.Millisecond), answer.Input, answer.Output)
	return err
}

// askResult is what `ask --json` prints.
type askResult struct {
	Schema      int    `json:"schema"`
	Model       string `json:"model"`
	Text        string `json:"text"`
	Stop        string `json:"stop_reason"`
	Input       int    `json:"input_tokens"`
	Output      int    `json:"output_tokens"`
	FirstTextMS int64  `json:"first_text_ms"`
}

func newAsk(io *streams) *cobra.Command {
	var model string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "ask TEXT…",
		Short:   "Ask one question; the answer is streamed",
		Example: "  gca ask \"what is a monad?\"\n  git diff | gca ask \"review this\"",
		Args:    args(1, 1000),
		RunE: func(cmd *cobra.Command, given []string) error {
			profile, err := loadProfile()
			if err != nil {
				return err
			}
			text, err := withPipe(io, strings.Join(given, " "))
			if err != nil {
				return err
			}
			return ask(cmd.Context(), io, profile, model, text, asJSON)
		},
	}
	cmd.Flags().StringVarP(&model, "model", "m", defaultModel, "`MODEL` to ask; any name that the adapter maps")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object at the end, schema 1")
	return cmd
}

const maxPipe = 20 << 20

// withPipe puts what was piped in behind the question.
func withPipe(streams *streams, text string) (string, error) {
	info, err := streams.in.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 && !info.Mode().IsRegular() {
		return text, nil
	}
	piped, err := io.ReadAll(io.LimitReader(streams.in, maxPipe+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read standard input: %w", err)
	case len(piped) > maxPipe:
		return "", &usageError{fmt.Sprintf("standard input is larger than %d MB", maxPipe>>20)}
	case len(piped) == 0:
		return text, nil
	}
	return text + "\n\n" + string(piped), nil
}

func ask(ctx context.Context, io *streams, profile client.Profile, model, text string, asJSON bool) error {
	var broken error
	show := func(piece string) {
		if !asJSON && broken == nil {
			_, broken = fmt.Fprint(io.out, piece)
		}
	}
	answer, err := (&client.Client{Profile: profile}).Ask(ctx, model, text, show)
	if !asJSON && answer.Text != "" {
		show("\n")
	}
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(io.out).Encode(askResult{1, answer.Model, answer.Text, answer.Stop, answer.Input, answer.Output, answer.FirstText.Milliseconds()})
	}
	if answer.Stop == "max_tokens" || answer.Stop == "refusal" {
		_, err = fmt.Fprintf(io.err, "gca: the answer ended early: %s\n", answer.Stop)
	}
	if broken != nil {
		return broken
	}
	return err
}
