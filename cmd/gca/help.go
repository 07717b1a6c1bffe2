package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/locale"
)

const (
	exampleHost  = "root@203.0.113.9"
	anotherHost  = "ubuntu@tokyo.example.com:2222"
	wantExamples = 2
)

// finish gives a tree of commands what all of them have: examples, and proposals for the shell.
func finish(root *cobra.Command, g group) *cobra.Command {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" { // of a shell that cobra does not know
			cmd.Args, cmd.RunE = noSuchCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	for _, cmd := range below(root) {
		if cmd.Parent().Name() == "completion" {
			cmd.Args = args(0, 0)
		}
		completionExamples(cmd, root.Name())
		moreExamples(cmd)
	}
	completeArguments(root, g)
	helpOfCommands(root)
	return root
}

// helpOfCommands has the command help refuse what is no command, as the root does.
func helpOfCommands(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" {
			continue
		}
		show := cmd.Run
		cmd.RunE = func(cmd *cobra.Command, words []string) error {
			found, rest, err := root.Find(words)
			if err != nil {
				return &usageError{err.Error()}
			}
			if len(rest) > 0 {
				return noSuchCommand(found, rest)
			}
			show(cmd, words)
			return nil
		}
		root.RemoveCommand(cmd) // cobra adds it again when it runs; until then there are our commands alone
	}
}

// completionExamples say how a shell takes its completions.
func completionExamples(cmd *cobra.Command, name string) {
	if cmd.Name() != "completion" && (cmd.Parent() == nil || cmd.Parent().Name() != "completion") {
		return
	}
	cmd.Example = map[string]string{
		"completion": fmt.Sprintf("  source <(%[1]s completion bash)\n  %[1]s completion zsh > \"${fpath[1]}/_%[1]s\"", name),
		"bash":       fmt.Sprintf("  source <(%[1]s completion bash)\n  %[1]s completion bash > /etc/bash_completion.d/%[1]s", name),
		"zsh":        fmt.Sprintf("  source <(%[1]s completion zsh)\n  %[1]s completion zsh > \"${fpath[1]}/_%[1]s\"", name),
		"fish":       fmt.Sprintf("  %[1]s completion fish | source\n  %[1]s completion fish > ~/.config/fish/completions/%[1]s.fish", name),
		"powershell": fmt.Sprintf("  %[1]s completion powershell | Out-String | Invoke-Expression\n  %[1]s completion powershell >> $PROFILE", name),
	}[cmd.Name()]
}

// moreExamples adds examples where there are fewer than two: of the bare command, of another login, with sudo, and of --help.
func moreExamples(cmd *cobra.Command) {
	var lines []string
	if cmd.Example != "" {
		lines = strings.Split(cmd.Example, "\n")
	}
	add := func(line string) {
		if len(lines) < wantExamples {
			lines = append(lines, line)
		}
	}
	path := "  " + cmd.CommandPath()
	switch host := strings.Contains(cmd.Use, "host"); {
	case cmd.HasSubCommands() && len(lines) == 0:
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				add(strings.Split(cmp.Or(child.Example, "  "+child.CommandPath()), "\n")[0])
			}
		}
	case host && len(lines) == 0:
		add(path + " " + exampleHost)
		add(path + " " + anotherHost)
	case host && strings.Contains(lines[0], exampleHost):
		add(strings.Replace(lines[0], exampleHost, anotherHost, 1))
	case len(lines) == 0:
		add(path)
	}
	if cmd.Root().Name() == "gemini-manage" && len(lines) == 1 {
		add("  sudo " + strings.TrimSpace(lines[0]))
	}
	add(path + " --help")
	cmd.Example = strings.Join(lines, "\n")
}

// nextSteps say what to do next, by what this user has.
func nextSteps(w locale.Words) string {
	profiles, err := loadProfiles()
	if err != nil {
		return fmt.Sprintf("%v\n", err)
	}
	profile, err := profiles.Get("")
	if err != nil {
		return firstSteps(w)
	}
	return connectedSteps(w, profiles, profile)
}

func firstSteps(w locale.Words) string {
	return w.Say("gca: Claude Code and other clients in, Google's Gemini API out.") + "\n\n" + w.Say("Next:") + "\n" +
		step("gca deploy root@YOUR-SERVER", w.Say("set a server up; prints the address and the client token")) +
		step("gca connect https://YOUR-ADAPTER", w.Say("use an adapter that is there already")) +
		step("GEMINI_API_KEYS=… gca serve", w.Say("or run one right here")) +
		"\n" + w.Say("gca --help lists the commands.") + "\n"
}

func connectedSteps(w locale.Words, profiles *client.Profiles, profile client.Profile) string {
	text := w.Say("gca is connected to %s (%s).", profile.URL, profiles.Default) + "\n\n" + w.Say("Next:") + "\n" +
		step("gca test", w.Say("look at every hop of the way there")) +
		step("gca setup claude-code", w.Say("point Claude Code at it; or codex, gemini-cli, vscode, …")) +
		step("gca chat", w.Say("talk with a model; gca ask \"…\" asks one question")) +
		step("gca stats", w.Say("what was used today"))
	if profile.Host != "" {
		text += step("gca status "+profile.Host, w.Say("how the server is"))
	}
	return text + "\n" + w.Say("gca --help lists the commands.") + "\n"
}

// step is a line with a command and what it does.
func step(command, does string) string { return fmt.Sprintf("  %-40s %s\n", command, does) }
