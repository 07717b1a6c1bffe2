package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Redial proves that a new connection still gets in: over the same way, logged in
// with what was typed before, and closed again. Where line is not empty, root runs it
// over the new connection, and ran tells that it did. It never asks, and gives nothing
// to a server whose host key is not the one that the first login accepted. Where a
// server asks for what can be given once only, such as a one-time code, the proof
// ends at that question, and nothing is run. Errors are those of [Dial] and [Conn.RunRoot].
func (c *Conn) Redial(ctx context.Context, line string) (ran bool, err error) {
	w := &way{stops: slices.Clone(c.way.stops), opts: c.way.opts}
	waiting := w.opts.Prompts.Waiting
	w.opts.Prompts = Prompts{Waiting: waiting}
	fresh, err := w.dial(ctx, func(ctx context.Context, s stop, clock *clock) (*login, error) {
		l, err := newLogin(ctx, s, &w.opts, clock)
		if err == nil {
			l.again = true
		}
		return l, err
	})
	if errors.Is(err, errOnce) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if line != "" {
		err = fresh.RunRoot(ctx, Cmd{Line: line})
	}
	return line != "" && err == nil, errors.Join(err, fresh.Close())
}

// UsedKey reports whether a key was part of what let this login in.
func (c *Conn) UsedKey() bool {
	return slices.ContainsFunc(c.used, func(used string) bool { return strings.HasPrefix(used, "key ") || strings.HasPrefix(used, agentKey) })
}

// Host is the login on the server.
func (c *Conn) Host() Host { return c.host }

// Describe says how the server was reached, such as "ubuntu@203.0.113.9:2222 via
// bastion, key ~/.ssh/id_ed25519 (agent)".
func (c *Conn) Describe() string {
	text := c.host.String()
	for i, hop := range c.way.stops[:len(c.way.stops)-1] {
		text += fmt.Sprintf("%s %s", []string{" via", ","}[min(i, 1)], hop.alias)
	}
	if c.way.stops[0].settings.command != "" {
		text += " by ProxyCommand"
	}
	if len(c.used) > 0 {
		text += ", " + strings.Join(c.used, " and ")
	}
	return text
}
