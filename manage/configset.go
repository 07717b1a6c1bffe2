package manage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Assignment is one word of `config set`.
type Assignment struct {
	Name  string
	Value string
	Way   Way
}

// Way is how an assignment means its value.
type Way uint8

// The ways of an assignment.
const (
	Given  Way = iota // NAME=VALUE
	Asked             // NAME=-: the value comes by standard input, where no process list shows it
	Absent            // NAME=: out of adapter.env, back to the default
)

// ParseAssignment reads a word of `config set` and judges name and value. Its error names variable, value and rule; secrets
// are refused here, since arguments can be seen by every process.
func ParseAssignment(word string) (Assignment, error) {
	name, value, ok := strings.Cut(word, "=")
	if !ok {
		return Assignment{}, errors.New("expected NAME=VALUE, and one word has no =") // the word may be a secret
	}
	if name == "" {
		return Assignment{}, errors.New("expected NAME=VALUE, and one word has nothing in front of its =")
	}
	a := Assignment{Name: name, Value: value}
	switch {
	case name == tlsSetting:
		return Assignment{}, errTLSHere
	case value == "-":
		a.Value, a.Way = "", Asked
	case value == "":
		a.Way = Absent
	case hasControl(value):
		return Assignment{}, controlError(name)
	case config.IsSecret(name) || hasLogin(value) && name != "BACKUP_TO": // which takes no password
		return Assignment{}, fmt.Errorf("%s is secret, and arguments can be seen by everybody on the machine\nhint: %s=- reads it from standard input", name, name)
	}
	err := config.Check(name, a.Value)
	switch {
	case errors.Is(err, config.ErrUnknown):
		return Assignment{}, UnknownSetting(name)
	case a.Way != Given:
		return a, nil
	case err == nil:
		err = checkHere(name, value)
	}
	return a, err
}

// hasLogin reports whether a URL has a user or a password: either may be a token.
func hasLogin(value string) bool {
	u, err := url.Parse(value)
	if err != nil {
		return strings.Contains(value, "@") // what cannot be read must not be shown either
	}
	return u.User != nil
}

func hasControl(value string) bool { return strings.ContainsFunc(value, unicode.IsControl) }

func controlError(name string) error {
	return fmt.Errorf("%s: a value is one line, without control characters", name)
}

// Answer gives an Asked assignment its value.
func (a Assignment) Answer(value string) (Assignment, error) {
	if value == "" {
		return a, fmt.Errorf("%s: nothing was given\nhint: %s= takes it out of the settings", a.Name, a.Name)
	}
	if hasControl(value) {
		return a, controlError(a.Name)
	}
	a.Value, a.Way = value, Given
	err := config.Check(a.Name, value)
	if err == nil {
		err = checkHere(a.Name, value)
	}
	return a, err
}

// Set puts assignments in force, all or none; none of them may be Asked any more. The running adapter takes them, or, where they
// need that, it restarts with them and must answer, or everything is put back.
func (m Machine) Set(ctx context.Context, all []Assignment) (converge.Applied, error) {
	text, err := ReadEnv()
	if err != nil {
		return converge.Applied{}, err
	}
	want, err := wanted(text, all)
	if err != nil {
		return converge.Applied{}, err
	}
	return m.change(ctx, func(env string) (string, error) {
		now, err := wanted(env, all) // somebody else may have changed it meanwhile
		if err == nil && !now.Env.Empty() {
			env = now.Env.Reveal()
		}
		return converge.MergeSettings(env, now.Settings), err
	}, want)
}

// wanted is what assignments ask of a server whose adapter.env is text.
func wanted(text string, all []Assignment) (converge.Want, error) {
	had, err := config.EnvValues(text)
	if err != nil {
		return converge.Want{}, &settingsError{fmt.Errorf("%s: %w\nhint: gemini-manage config edit", EnvFile, err)}
	}
	var want converge.Want
	var gone []string
	for _, a := range all {
		now, set := had[a.Name]
		switch {
		case a.Way == Absent && set:
			gone = append(gone, a.Name)
		case a.Way == Given && (!set || now != a.Value):
			want.Settings = append(want.Settings, converge.Setting{Name: a.Name, Value: a.Value})
		}
	}
	if len(gone) > 0 {
		rest, err := config.WithoutLines(text, gone...)
		if err != nil {
			return converge.Want{}, err
		}
		if strings.TrimSpace(rest) == "" {
			rest = "# Settings of the Gemini adapter, one NAME=value a line.\n" // an empty text would keep the old one
		}
		want.Env = converge.NewSecret(rest)
	}
	if len(gone)+len(want.Settings) == 0 {
		return converge.Want{}, ErrUnchanged
	}
	return want, nil
}
