package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/terminal"
	"github.com/mattn/go-isatty"

	"github.com/gemini-claude-adapter/gca/manage/locale"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// prompt asks the person at the terminal, in their language what is given in English. It is the only user of survey.
type prompt struct {
	opts survey.AskOpt
	lang locale.Words
}

// newPrompt returns nil where nobody can be asked.
func newPrompt(streams *streams, noInput bool) *prompt {
	out, ok := streams.err.(*os.File)
	if noInput || streams.noInput || !ok || !isatty.IsTerminal(streams.in.Fd()) || !isatty.IsTerminal(out.Fd()) {
		return nil
	}
	keys, shown := newKeyboard(streams.in, out)
	return &prompt{survey.WithStdio(keys, shown, shown), streams.lang}
}

func (p *prompt) confirm(question string, preset bool) (bool, error) {
	answer := preset
	err := survey.AskOne(&survey.Confirm{Message: p.lang.Text(question), Default: preset}, &answer, p.opts)
	return answer, promptError(err)
}

// choose returns one of the answers, the first of them where the person just presses Enter. A beginning of one will do.
func (p *prompt) choose(question string, answers ...string) (string, error) {
	var typed string
	full := func(text string) string {
		i := slices.IndexFunc(answers, func(answer string) bool { return strings.HasPrefix(answer, strings.ToLower(strings.TrimSpace(text))) })
		if i < 0 {
			return ""
		}
		return answers[i]
	}
	expected := strings.Join(answers, ", ")
	err := survey.AskOne(&survey.Input{Message: p.lang.Text(question) + " (" + expected + ")", Default: answers[0]}, &typed, p.opts,
		survey.WithValidator(func(text any) error {
			if typed, ok := text.(string); !ok || full(typed) == "" {
				return errors.New(p.lang.Say("one of: %s", expected))
			}
			return nil
		}))
	if err != nil {
		return "", promptError(err)
	}
	return full(typed), nil
}

// pick returns the place of the answer that was chosen from a list.
func (p *prompt) pick(question string, answers []string) (int, error) {
	var at int
	err := survey.AskOne(&survey.Select{Message: p.lang.Text(question), Options: answers, PageSize: 15}, &at, p.opts)
	return at, promptError(err)
}

// text asks for a line.
func (p *prompt) text(question, preset string) (string, error) {
	var answer string
	err := survey.AskOne(&survey.Input{Message: p.lang.Text(question), Default: preset}, &answer, p.opts, survey.WithValidator(survey.Required))
	return answer, promptError(err)
}

func (p *prompt) secret(question string) (string, error) {
	return p.secretOf(question, func(string) error { return nil })
}

// secretOf asks until the answer is as it has to be; what is wrong with it is told without the answer.
func (p *prompt) secretOf(question string, judge func(string) error) (string, error) {
	var answer string
	err := survey.AskOne(&survey.Password{Message: p.lang.Text(question)}, &answer, p.opts, survey.WithValidator(func(text any) error {
		typed, ok := text.(string)
		if !ok {
			return nil
		}
		if err := judge(typed); err != nil {
			return errors.New(p.lang.Text(err.Error()))
		}
		return nil
	}))
	return answer, promptError(err)
}

// keys asks for Gemini API keys, until they are some.
func (p *prompt) keys(question string) ([]config.Key, error) {
	var keys []config.Key
	_, err := p.secretOf(question, func(text string) (err error) {
		if keys, err = config.ParseKeyList(text); err == nil && len(keys) == 0 {
			err = errors.New("none was given")
		}
		return err
	})
	return keys, err
}

func (p *prompt) bytes(question string) ([]byte, error) {
	text, err := p.secret(question)
	return []byte(text), err
}

// challenge asks a server's questions, one after the other.
func (p *prompt) challenge(instruction string, questions []string, echo []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i, question := range questions {
		if question == "" {
			question = "Answer"
		}
		if i == 0 && instruction != "" {
			question = instruction + " " + question
		}
		var ask survey.Prompt = &survey.Password{Message: question}
		if echo[i] {
			ask = &survey.Input{Message: question}
		}
		if err := survey.AskOne(ask, &answers[i], p.opts); err != nil {
			return nil, promptError(err)
		}
	}
	return answers, nil
}

func promptError(err error) error {
	switch {
	case errors.Is(err, terminal.InterruptErr):
		return context.Canceled
	case errors.Is(err, io.EOF):
		return &usageError{"the terminal was closed before there was an answer\nhint: what is asked can be given as a flag; see --help"}
	}
	return err
}
