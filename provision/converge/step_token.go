package converge

import (
	"context"
	"errors"
	"strings"
)

const tokensMode = 0o640

// tokenStep makes a client token. Only its hash is written; the token itself
// goes to the laptop, once, when everything is applied.
type tokenStep struct{ text string } // of the tokens file so far

func (st tokenStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(tokensFile, true)
	return reversal{Undo: []action{a}}, err
}

func (st tokenStep) apply(_ context.Context, r *run) error {
	o, err := r.sys.lookup(rootUser, serviceUser)
	if err != nil {
		return err
	}
	r.token = newToken()
	text := st.text
	if text != "" && text[len(text)-1] != '\n' {
		text += "\n"
	}
	return r.sys.writeFile(tokensFile, []byte(text+tokenLine(r.token, tokenName)), tokensMode, o)
}

func (st tokenStep) check(_ context.Context, r *run) error {
	text, err := r.sys.readText(tokensFile)
	if err == nil && !strings.Contains(text, tokenLine(r.token, tokenName)) {
		err = errors.New(tokensFile + " does not have the new client token")
	}
	return err
}
