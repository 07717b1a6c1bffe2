package converge

import (
	"context"
	"errors"
	"io"
)

// Local brings this server to want in this process: under the lock, with the journal, and through the health checks of the
// plan, as a deploy does. The plan is told to events first. An ended ctx, as any failure, puts everything back, which the
// error tells: a [*RolledBackError], or a [*Refusal] where nothing was begun.
func (a Agent) Local(ctx context.Context, want Want, events Events) (Applied, error) {
	return a.local(ctx, newSystem("/"), want, events)
}

func (a Agent) local(ctx context.Context, s *system, want Want, events Events) (applied Applied, err error) {
	toAgent, w := io.Pipe()
	r, fromAgent := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := a.run(ctx, s, toAgent, fromAgent)
		ended <- errors.Join(err, fromAgent.Close(), toAgent.Close())
	}()
	c := NewClient(r, w)
	defer func() { err = errors.Join(err, c.Detach(), <-ended) }()
	if _, err := c.Hello(); err != nil {
		return Applied{}, err
	}
	if err := c.SendWant(want); err != nil {
		return Applied{}, err
	}
	plan, err := c.Plan()
	if err != nil {
		return Applied{}, err
	}
	events.tell(plan)
	if len(plan.Steps) > 0 {
		if applied, err = c.Apply(events); err != nil {
			return Applied{}, err
		}
	}
	_, err = c.Commit()
	return applied, err
}
