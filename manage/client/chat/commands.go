package chat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// errLeave ends the chat.
var errLeave = errors.New("leave")

// command is one that begins with a slash. run returns what is to be shown.
type command struct {
	name, argument, does string
	run                  func(ctx context.Context, t *talk, argument string) (string, error)
}

func commands() []command {
	leave := func(context.Context, *talk, string) (string, error) { return "", errLeave }
	return []command{
		{"/help", "", "this list", func(context.Context, *talk, string) (string, error) { return help(), nil }},
		{"/model", "[NAME]", "ask another model; without a name, show all", setModel},
		{"/system", "[TEXT]", "tell the model how to answer; without a text, show it; - takes it back", setSystem},
		{"/file", "PATH", "add a text, an image or a PDF to the next question", attach},
		{"/image", "PATH", "add an image to the next question", attachImage},
		{"/save", "[FILE]", "save the conversation as Markdown in a new file", save},
		{"/clear", "", "begin anew, with the same model", clearTalk},
		{"/stats", "", "what this conversation used, and your token today", stats},
		{"/exit", "", "leave; so does Ctrl-D", leave},
	}
}

// run carries out a line that begins with a slash.
func run(ctx context.Context, t *talk, line string) (string, error) {
	name, argument, _ := strings.Cut(line, " ")
	if name == "/quit" {
		name = "/exit"
	}
	all := commands()
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == name }); i >= 0 {
		return all[i].run(ctx, t, strings.TrimSpace(argument))
	}
	return "", fmt.Errorf("no such command: %s\nhint: /help lists them; a question may begin with a blank before its slash", name)
}

func help() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "%-16s %s\n", strings.TrimSpace(c.name+" "+c.argument), c.does)
	}
	b.WriteString("\nEnter asks. Alt-Enter, Ctrl-J, or \\ before Enter begins a new line. Up and Down go through what was asked before, Tab\n" +
		"completes commands and names of files. Ctrl-C stops an answer, or empties the input.")
	return b.String()
}

func setModel(ctx context.Context, t *talk, name string) (string, error) {
	if name != "" {
		t.model = name
		return "the next answers are of " + name, nil
	}
	names, err := t.client.Models(ctx)
	if err != nil {
		return "", err
	}
	own := slices.DeleteFunc(slices.Clone(names), func(name string) bool { // the adapter's names for model pickers that show Claude's alone
		return strings.HasPrefix(name, "claude-") && slices.Contains(names, strings.TrimPrefix(name, "claude-"))
	})
	return strings.Join(own, "\n") + "\nthis conversation's: " + t.model, nil
}

func setSystem(_ context.Context, t *talk, text string) (string, error) {
	switch {
	case text == "-":
		t.system = ""
		return "no system text any more", nil
	case text != "":
		t.system = text
		return "it counts from the next question on", nil
	case t.system == "":
		return "there is no system text", nil
	}
	return t.system, nil
}

func attach(_ context.Context, t *talk, path string) (string, error) {
	if path == "" {
		return "", errors.New("which file? /file PATH")
	}
	a, err := client.ReadAttachment(expand(path))
	if err != nil {
		return "", err
	}
	t.waiting = append(t.waiting, a)
	return a.String() + " goes with the next question", nil
}

func attachImage(ctx context.Context, t *talk, path string) (string, error) {
	if path == "" {
		return "", errors.New("which image? /image PATH")
	}
	said, err := attach(ctx, t, path)
	if err == nil && !t.waiting[len(t.waiting)-1].IsImage() {
		t.waiting = t.waiting[:len(t.waiting)-1]
		return "", fmt.Errorf("%s is no image\nhint: /file %[1]s adds it as it is", path)
	}
	return said, err
}

// expand reads a path as a shell would: ~ is the home, and quotes and backslashes before blanks go.
func expand(path string) string {
	if len(path) > 1 && (path[0] == '"' || path[0] == '\'') && path[len(path)-1] == path[0] {
		path = path[1 : len(path)-1]
	}
	path = strings.ReplaceAll(path, `\ `, " ")
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return home + "/" + rest
		}
	}
	return path
}

func save(_ context.Context, t *talk, name string) (string, error) {
	if len(t.turns) == 0 {
		return "", errors.New("there is nothing to save yet")
	}
	if name == "" {
		name = "chat-" + time.Now().Format("2006-01-02-150405") + ".md"
	}
	name = expand(name)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("%s is there already\nhint: /save ANOTHER-NAME.md", name)
	}
	if err != nil {
		return "", fmt.Errorf("cannot save: %w", err)
	}
	_, err = f.WriteString(t.transcript())
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("cannot save: %w", err)
	}
	return "saved in " + name, nil
}

// transcript is the conversation as Markdown.
func (t *talk) transcript() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# A conversation with %s\n", t.model)
	if t.system != "" {
		fmt.Fprintf(&b, "\nSystem: %s\n", t.system)
	}
	for _, turn := range t.turns {
		who := "You"
		if turn.Role == client.Assistant {
			who = "Answer"
		}
		fmt.Fprintf(&b, "\n## %s\n", who)
		for _, part := range turn.Parts {
			text := part.Text
			if part.Attached != nil {
				text = "(with " + part.Attached.String() + ")"
			}
			fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(text, "\n"))
		}
	}
	return b.String()
}

func clearTalk(_ context.Context, t *talk, _ string) (string, error) {
	t.clear()
	return "a new conversation", nil
}

func stats(ctx context.Context, t *talk, _ string) (string, error) {
	said := "this conversation: " + t.figures.String()
	seen, err := t.client.Stats(ctx, 0)
	switch {
	case err != nil:
		return said, err
	case seen.Own != nil:
		today := seen.Own.Today.Total
		said += fmt.Sprintf("\n%s today: %d requests · %d tokens in · %d out · $%.4f", seen.Own.Token, today.Requests, today.Input, today.Output, today.CostUSD)
	default:
		today := seen.All.Today.Total
		said += fmt.Sprintf("\neverybody today: %d requests · %d tokens in · %d out · $%.4f", today.Requests, today.Input, today.Output, today.CostUSD)
	}
	return said, nil
}
