package converge

import (
	"context"
	"errors"
	"strings"
)

const tokensMode = 0o640

// tokenStep makes the tokens that are missing. Only their hashes are written; the tokens themselves go to the laptop, once,
// when everything is applied.
type tokenStep struct {
	text          string // of the tokens file so far
	client, admin bool   // which of them it makes, one at least
}

// id and title name the step.
func (st tokenStep) id() string {
	if st.client {
		return "client"
	}
	return "admin"
}

func (st tokenStep) title() string {
	switch {
	case !st.client:
		return "make the admin token"
	case st.admin:
		return "make a client token and the admin token"
	}
	return "make a client token"
}

func (st tokenStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(tokensFile, true)
	return reversal{Undo: []action{a}}, err
}

func (st tokenStep) apply(_ context.Context, r *run) error {
	o, err := r.sys.lookup(rootUser, serviceUser)
	if err != nil {
		return err
	}
	if st.client {
		r.tokens.client = NewToken()
	}
	if st.admin {
		r.tokens.admin = NewToken()
	}
	return r.sys.writeFile(tokensFile, []byte(r.tokens.after(st.text)), tokensMode, o)
}

func (st tokenStep) check(_ context.Context, r *run) error {
	text, err := r.sys.readText(tokensFile)
	if err == nil && text != r.tokens.after(st.text) {
		err = errors.New(tokensFile + " does not have the new tokens")
	}
	return err
}

// madeTokens are those that one run made; an empty one was there before.
type madeTokens struct{ client, admin Secret }

// after is the tokens file with them, which held text before.
func (m madeTokens) after(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if !m.client.Empty() {
		text += tokenLine(m.client, freeName(text, clientName), "client")
	}
	if !m.admin.Empty() {
		text += tokenLine(m.admin, freeName(text, adminName), "admin")
	}
	return text
}

// add takes those that another step made.
func (m *madeTokens) add(other madeTokens) {
	if !other.client.Empty() {
		m.client = other.client
	}
	if !other.admin.Empty() {
		m.admin = other.admin
	}
}
