package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/markdown"
)

// askResult is what `ask --json` prints.
type askResult struct {
	Schema      int    `json:"schema"`
	Model       string `json:"model"`
	Text        string `json:"text"`
	Stop        string `json:"stop_reason"`
	Input       int    `json:"input_tokens"`
	Output      int    `json:"output_tokens"`
	FirstTextMS int64  `json:"first_text_ms"`
	TotalMS     int64  `json:"total_ms"`
}

// askFlags say how a question is put.
type askFlags struct {
	model, profile, system string
	files                  []string
	noStream, json         bool
}

func newAsk(io *streams) *cobra.Command {
	f := &askFlags{}
	cmd := &cobra.Command{
		Use:   "ask TEXT…",
		Short: "Ask one question, with files, images and what is piped in; the answer is streamed",
		Long: `ask puts one question and prints the answer on standard output as it comes. What is piped in goes behind the question; --file
adds text, images (PNG, JPEG, GIF, WebP) and PDFs. At a terminal the answer's Markdown is shown; elsewhere it stays as it is.`,
		Example: "  gca ask \"what is a monad?\"\n  git diff | gca ask \"review this\"\n  gca ask -f screenshot.png \"what is wrong here?\"",
		Args:    args(1, 1000),
		RunE: func(cmd *cobra.Command, given []string) error {
			profile, err := loadProfile(f.profile)
			if err != nil {
				return err
			}
			q, err := f.question(io, strings.Join(given, " "))
			if err != nil {
				return err
			}
			return f.ask(cmd.Context(), io, profile, q)
		},
	}
	modelFlag(cmd, &f.model)
	profileFlag(cmd, &f.profile)
	cmd.Flags().StringArrayVarP(&f.files, "file", "f", nil, "add `FILE`: text, an image or a PDF; may be given several times")
	cmd.Flags().StringVar(&f.system, "system", "", "`TEXT` that tells the model how to answer")
	cmd.Flags().BoolVar(&f.noStream, "no-stream", false, "wait for the whole answer")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object at the end, schema 1")
	return cmd
}

// question is the text, then files, then what was piped in.
func (f *askFlags) question(io *streams, text string) (client.Question, error) {
	parts := []client.Part{{Text: text}}
	for _, name := range f.files {
		a, err := client.ReadAttachment(name)
		if err != nil {
			return client.Question{}, &usageError{err.Error()}
		}
		parts = append(parts, client.Part{Attached: a})
	}
	piped, err := readPipe(io)
	if err != nil {
		return client.Question{}, err
	}
	if len(piped) > 0 {
		a, err := client.NewAttachment("standard input", piped)
		switch {
		case err != nil:
			return client.Question{}, &usageError{err.Error()}
		case a.Media == "":
			parts = append(parts, client.Part{Text: string(piped)})
		default:
			parts = append(parts, client.Part{Attached: a})
		}
	}
	return client.Question{Model: f.model, System: f.system, Turns: []client.Turn{{Role: client.User, Parts: parts}}, Whole: f.noStream}, nil
}

// readPipe is what was piped in, nothing where that is a terminal or the like.
func readPipe(streams *streams) ([]byte, error) {
	info, err := streams.in.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 && !info.Mode().IsRegular() {
		return nil, nil
	}
	piped, err := io.ReadAll(io.LimitReader(streams.in, client.MaxAttachment+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read standard input: %w", err)
	}
	return piped, nil
}

func (f *askFlags) ask(ctx context.Context, io *streams, profile client.Profile, q client.Question) error {
	c := client.New(profile)
	defer c.Close()
	piece, end := shower(io.out)
	if f.json {
		piece, end = func(string) {}, func() error { return nil }
	}
	answer, err := c.Ask(ctx, q, piece)
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(io.out).Encode(askResult{1, answer.Model, answer.Text, answer.Stop, answer.Input, answer.Output,
			answer.FirstText.Milliseconds(), answer.Total.Milliseconds()})
	}
	if answer.Stop == "max_tokens" || answer.Stop == "refusal" {
		_, err = fmt.Fprintf(io.err, "gca: the answer ended early: %s\n", answer.Stop)
	}
	return err
}

// shower shows an answer in pieces: with its Markdown on a terminal, as it is elsewhere.
func shower(out io.Writer) (piece func(string), end func() error) {
	if f, ok := out.(*os.File); ok && isTerminal(f) && os.Getenv("TERM") != "dumb" {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil {
			width, height = maxWidth, 24
		}
		live := markdown.NewLive(f, markdown.Style{Width: width, Colour: colourful(f)}, height)
		return live.Write, live.Close
	}
	var last string
	var broken error
	write := func(text string) {
		if last = text; broken == nil {
			_, broken = io.WriteString(out, text)
		}
	}
	return write, func() error {
		if last != "" && !strings.HasSuffix(last, "\n") {
			write("\n")
		}
		return broken
	}
}
