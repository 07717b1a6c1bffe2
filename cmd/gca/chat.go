package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/chat"
)

func newChat(io *streams) *cobra.Command {
	var model, profile, system string
	var noStream bool
	cmd := &cobra.Command{
		Use:   "chat",
		Short: "Talk with a model at the terminal",
		Long: `chat is a conversation at the terminal: answers appear as they come, with their Markdown shown. Enter asks; Alt-Enter, Ctrl-J, or
\ before Enter begins a new line. Ctrl-C stops an answer and not the chat; Ctrl-D leaves. Up and Down go through what was asked
before. /help lists the commands: /model /system /file /image /save /clear /stats /exit.`,
		Example: "  gca chat\n  gca chat -m gemini-2.5-pro --system \"answer in Chinese\"",
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := loadProfile(profile)
			if err != nil {
				return err
			}
			out, ok := io.out.(*os.File)
			if !ok || !isTerminal(io.in) || !isTerminal(out) {
				return &usageError{"chat needs a terminal\nhint: gca ask \"hello\" works anywhere"}
			}
			folder, err := client.Folder()
			if err != nil {
				return err
			}
			c := client.New(p)
			defer c.Close()
			return chat.Run(cmd.Context(), chat.Options{
				Client: c, Model: model, System: system, Whole: noStream, History: filepath.Join(folder, "chat-history"),
				Colour: colourful(out), In: io.in, Out: out, Environ: os.Environ(),
			})
		},
	}
	modelFlag(cmd, &model)
	profileFlag(cmd, &profile)
	cmd.Flags().StringVar(&system, "system", "", "`TEXT` that tells the model how to answer")
	cmd.Flags().BoolVar(&noStream, "no-stream", false, "show an answer when it is whole")
	return cmd
}
