package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/export"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

func newExport(io *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write what runs the adapter elsewhere: a container, or several behind one Nginx",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExportContainer(io, false), newExportContainer(io, true), newExportBalancer(io))
	return cmd
}

func newExportContainer(io *streams, compose bool) *cobra.Command {
	var binary string
	name, what, more := "docker", "a container's image", ""
	if compose {
		name, what, more = "compose", "a container of the adapter, with Nginx before it", ", compose.yaml, nginx.conf"
	}
	cmd := &cobra.Command{
		Use:   name + " DIR",
		Short: "Write the files of " + what,
		Long: fmt.Sprintf(`%s writes into DIR what %s is built from: Dockerfile, .dockerignore%s, the Linux binaries that this
gca carries, and adapter.env with tokens of its own and the keys of GEMINI_API_KEYS, if it is set here. The image has the
binary and nothing else, runs as nobody, and asks itself how it is. Run again it replaces all but adapter.env.`, name, what, more),
		Example: "  gca export " + name + " gemini-adapter\n  GEMINI_API_KEYS=KEY1,KEY2,KEY3 gca export " + name + " gemini-adapter",
		Args:    args(1, 1),
		RunE: func(_ *cobra.Command, given []string) error {
			c, err := newContainer(binary, compose)
			if err != nil {
				return err
			}
			done, err := c.Write(given[0])
			if err != nil {
				return err
			}
			return sayExported(io, given[0], done, compose)
		},
	}
	cmd.Flags().StringVar(&binary, "binary", "", "take this gca `FILE`, built for Linux, instead of those that this one carries")
	return cmd
}

func newContainer(binary string, compose bool) (export.Container, error) {
	defaults := config.Default()
	c := export.Container{Port: defaults.Port, MaxBody: defaults.MaxBody, Drain: int(defaults.DrainTimeout / time.Second), Compose: compose}
	c.Keys = strings.TrimSpace(os.Getenv(keysVariable))
	if _, err := config.ParseKeyList(c.Keys); err != nil {
		return c, &usageError{keysVariable + ": " + err.Error()}
	}
	var err error
	if c.Binaries, err = payload.All(binary); err != nil {
		return c, err
	}
	if c.Templates, err = templateTexts(); err != nil {
		return c, err
	}
	own, err := textsOf("templates/export")
	for name, text := range own {
		c.Templates[name] = text
	}
	return c, err
}

func sayExported(io *streams, dir string, done export.Written, compose bool) error {
	text := fmt.Sprintf("%s has %s, for %s\n", dir, strings.Join(done.Files, ", "), strings.Join(done.Binaries, " and "))
	if done.Kept {
		text += export.SettingsFile + " was there, and was left as it is\n"
	}
	next := "docker build -t gemini-adapter " + dir
	if compose {
		next = "docker compose --project-directory " + dir + " up -d --build"
	}
	_, err := fmt.Fprintf(io.err, "%snext: look at %s/%s, which has keys and tokens; then %s\n", text, dir, export.SettingsFile, next)
	return err
}

func newExportBalancer(io *streams) *cobra.Command {
	var certificate string
	cmd := &cobra.Command{
		Use:   "nginx-balancer HOST…",
		Short: "Print the site of an Nginx before several adapters",
		Long: `nginx-balancer prints the site of an Nginx, 1.18 or newer, on a machine of its own before adapters on other servers. A HOST is
an address in a private network, by plain HTTP, or https://NAME; http://HOST goes over the internet unencrypted, tokens too. A conversation stays with one adapter; where that one
does not answer, is stopped or has no key that works, another one takes over, before anything was sent to the client. What is
true of each adapter alone stays so: its tokens, limits and keys. Give all of them the same tokens.`,
		Example: `  gca export nginx-balancer 10.0.0.2 10.0.0.3 > gemini-balancer.conf
  gca export nginx-balancer --certificate /etc/ssl/balancer.pem https://tokyo.example.com https://osaka.example.com`,
		Args: args(2, 64),
		RunE: func(_ *cobra.Command, given []string) error {
			b := converge.Balancer{Certificate: certificate, MaxBody: config.Default().MaxBody}
			if strings.ContainsAny(certificate, " \t\n;{}\"'$\\") {
				return &usageError{fmt.Sprintf("--certificate %q: expected a path without blanks and quotes", certificate)}
			}
			for _, text := range given {
				backend, err := converge.ParseBackend(text)
				if err != nil {
					return &usageError{err.Error()}
				}
				if slices.Contains(b.Backends, backend) {
					return &usageError{text + " is named twice"}
				}
				b.Backends = append(b.Backends, backend)
			}
			templates, err := templateTexts()
			if err != nil {
				return err
			}
			site, err := b.Render(templates)
			if err == nil {
				_, err = fmt.Fprint(io.out, site)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&certificate, "certificate", "", "serve HTTPS with the `FILE` of the balancer that has certificate, chain and key (default: plain HTTP)")
	return cmd
}
