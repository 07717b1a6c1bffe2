package manage

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// Sample is one look at the running adapter; its JSON form, a line of `monitor --json`, is schema 1.
type Sample struct {
	Schema  int            `json:"schema"`
	Time    time.Time      `json:"time"`
	Stats   *control.Stats `json:"stats,omitempty"`
	Problem string         `json:"problem,omitempty"` // why there are no stats
	Errors  []LogLine      `json:"errors"`            // that came since the sample before, oldest first
	Journal string         `json:"journal,omitempty"` // why no errors can be seen
}

const (
	firstErrors   = 20 // of before the first sample
	maxNewErrors  = 50 // in one sample, the newest ones
	watchPatience = 10 * time.Second
)

// Look returns one sample, with the last lines of trouble. The error is ErrNotInstalled, or ErrNotRoot for users who may not ask
// the adapter.
func Look(ctx context.Context) (Sample, error) {
	if err := mustBeInstalled(ctx); err != nil {
		return Sample{}, err
	}
	w := watcher{all: hereAdapters(), logs: ErrorLogs}
	w.read(ctx, LogOptions{Lines: firstErrors})
	return w.sample(ctx)
}

// Watch tells a sample at once and then one every so often, until ctx ends or tell fails. The error is Look's, tell's, or the
// cause of ctx.
func Watch(ctx context.Context, every time.Duration, tell func(Sample) error) error {
	if err := mustBeInstalled(ctx); err != nil {
		return err
	}
	return (&watcher{all: hereAdapters(), logs: ErrorLogs}).run(ctx, every, tell)
}

func mustBeInstalled(ctx context.Context) error {
	u, err := readUnit(ctx, ServiceUnit)
	if err == nil && u.Load == "not-found" {
		err = ErrNotInstalled
	}
	return err
}

// watcher gathers what a sample holds.
type watcher struct {
	all  adapters
	logs func(context.Context, LogOptions, func(LogLine) error) (int, error)

	mu      sync.Mutex
	fresh   []LogLine // since the last sample
	journal string
}

func (w *watcher) run(ctx context.Context, every time.Duration, tell func(Sample) error) error {
	following, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.read(following, LogOptions{Lines: firstErrors, Follow: true})
	}()
	defer func() { stop(); <-ended }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s, err := w.sample(ctx)
		if err == nil {
			err = tell(s)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// read gathers trouble from the logs.
func (w *watcher) read(ctx context.Context, o LogOptions) {
	_, err := w.logs(ctx, o, func(line LogLine) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fresh = append(w.fresh, line)
		w.fresh = w.fresh[max(0, len(w.fresh)-maxNewErrors):]
		return nil
	})
	if err != nil && ctx.Err() == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.journal = firstLine(err.Error())
	}
}

func (w *watcher) sample(ctx context.Context) (Sample, error) {
	asking, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	stats, err := first(w.all, func(one control.Client) (control.Stats, error) { return one.Stats(asking, 0) })
	s := Sample{Schema: 1, Time: time.Now().UTC().Truncate(time.Millisecond), Errors: []LogLine{}}
	switch {
	case ctx.Err() != nil:
		return s, context.Cause(ctx)
	case errors.Is(err, ErrNotRoot):
		return s, err
	case err != nil:
		s.Problem = firstLine(err.Error())
	default:
		s.Stats = &stats
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Errors, w.fresh = append(s.Errors, w.fresh...), nil
	s.Journal = w.journal
	return s, nil
}
