package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// talk is a conversation so far. It knows nothing of terminals.
type talk struct {
	client  *client.Client
	model   string
	system  string
	whole   bool
	turns   []client.Turn
	waiting []*client.Attachment // go with the next question
	figures figures
}

// figures are what a conversation used.
type figures struct {
	answers, input, cached, output int
	first, total                   time.Duration // of all answers together
}

// ask puts the next question. An answer that broke off, or was stopped, stays part of the conversation as far as it came; a
// question without any answer does not, and what was attached waits for the next one.
func (t *talk) ask(ctx context.Context, text string, onText func(string)) (client.Answer, error) {
	parts := []client.Part{{Text: text}}
	for _, a := range t.waiting {
		parts = append(parts, client.Part{Attached: a})
	}
	question := client.Turn{Role: client.User, Parts: parts}
	answer, err := t.client.Ask(ctx, client.Question{Model: t.model, System: t.system, Turns: append(t.turns[:len(t.turns):len(t.turns)], question), Whole: t.whole}, onText)
	if answer.Text == "" {
		if err == nil {
			err = errors.New("the answer is empty: " + answer.Stop)
		}
		return answer, err
	}
	t.turns = append(t.turns, question, client.Said(client.Assistant, answer.Text))
	t.waiting = nil
	f := &t.figures
	f.answers++
	f.input, f.cached, f.output = f.input+answer.Input, f.cached+answer.Cached, f.output+answer.Output
	f.first, f.total = f.first+answer.FirstText, f.total+answer.Total
	return answer, err
}

// clear begins anew, with the same model and system text.
func (t *talk) clear() { t.turns, t.waiting = nil, nil }

// String says what was used, for a person.
func (f figures) String() string {
	if f.answers == 0 {
		return "no answers yet"
	}
	mean := func(d time.Duration) time.Duration {
		return (d / time.Duration(f.answers)).Round(10 * time.Millisecond)
	}
	return fmt.Sprintf("%d answers · %d tokens in, %d of them cached · %d out · first text after %s, whole after %s on average",
		f.answers, f.input, f.cached, f.output, mean(f.first), mean(f.total))
}
