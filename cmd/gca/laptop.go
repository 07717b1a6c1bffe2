package main

import (
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// targetVariable tells gemini-manage which host a person on a laptop gave to gca, and what it takes to log in there, so that the commands it names are those that
// this person can type.
const targetVariable = "GCA_TARGET"

// manageLine is the shell line of a verb on the server, for the host that was given.
func manageLine(target string, verb []string) string {
	env := []string{"env", targetVariable + "=" + target, locale.Variable + "=" + locale.For(os.Getenv).Carried()}
	return "exec " + remote.Quote(append(append(env, manageTool), verb...)...)
}

var (
	plainTarget = regexp.MustCompile(`^[A-Za-z0-9._@:%\[\]-]{1,255}$`)
	namedTarget = regexp.MustCompile("^(?:-[ipJ] [^[:cntrl:];&|<>$`]{1,255} )*[A-Za-z0-9._@:%\\[\\]-]{1,255}$")
	managed     = regexp.MustCompile(`(/|sudo )?gemini-manage ((?:keys|tokens|config|cert|backup|alerts) [a-z-]+|[a-z-]+)`)
)

// fromLaptop has the streams of a gemini-manage that a laptop runs name gca's commands in what a person reads. Data stays as it
// is.
func (s *streams) fromLaptop() {
	if target := os.Getenv(targetVariable); namedTarget.MatchString(target) {
		s.target, s.err = target, renamed{s.err, target}
	}
}

// words is out for reports that name commands.
func (s *streams) words() io.Writer {
	if s.target == "" {
		return s.out
	}
	return renamed{s.out, s.target}
}

// people is where a report for people goes: it names commands, and has words in it of servers, of their clients, and of whoever
// answered them, none of which a terminal is to obey.
func (s *streams) people() io.Writer { return &visibleWriter{to: s.words()} }

// named is a text with the commands that this person can type.
func (s *streams) named(text string) string {
	if s.target == "" {
		return text
	}
	return renamed{target: s.target}.text(text)
}

// renamed is a writer of whole messages in which each command of the server becomes the laptop's.
type renamed struct {
	to     io.Writer
	target string
}

func (r renamed) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.to, r.text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (r renamed) text(there string) string {
	return converge.ForHost(managed.ReplaceAllStringFunc(there, r.command), r.target)
}

func (r renamed) command(there string) string {
	part := managed.FindStringSubmatch(there)
	switch {
	case part[1] == "/": // a file
		return there
	case part[1] != "" && slices.Contains([]string{"status", "backup"}, part[2]): // gca status asks for no password, so it would show no more; gca backup brings one here, and keeps none there
		return "ssh -t " + r.target + " " + there
	}
	return "gca " + part[2] + " " + r.target
}
