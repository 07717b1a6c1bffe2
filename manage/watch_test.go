package manage

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

// What goes wrong between two looks comes with the second one, the newest of it if it is too much.
func TestWatch(t *testing.T) {
	told := make(chan struct{})
	w := &watcher{logs: func(ctx context.Context, o LogOptions, show func(LogLine) error) (int, error) {
		if !o.Follow || o.Lines != firstErrors {
			t.Errorf("asked for %+v", o)
		}
		for i := range maxNewErrors + 3 {
			if err := show(LogLine{Text: strconv.Itoa(i)}); err != nil {
				return 0, err
			}
		}
		close(told)
		<-ctx.Done()
		return 0, ctx.Err()
	}}
	enough := errors.New("enough")
	var seen []string
	err := w.run(t.Context(), time.Millisecond, func(s Sample) error {
		if s.Stats != nil || s.Problem != "the adapter is not running" || s.Journal != "" || s.Errors == nil {
			t.Errorf("%+v", s)
		}
		for _, line := range s.Errors {
			seen = append(seen, line.Text)
		}
		select {
		case <-told:
			if len(seen) > 0 && seen[len(seen)-1] == strconv.Itoa(maxNewErrors+2) {
				return enough
			}
		default:
		}
		return nil
	})
	if !errors.Is(err, enough) || len(seen) < maxNewErrors {
		t.Errorf("%v, saw %q", err, seen)
	}
	blind := &watcher{logs: func(context.Context, LogOptions, func(LogLine) error) (int, error) {
		return 0, errors.New("not for you\nhint: sudo")
	}}
	blind.read(t.Context(), LogOptions{Lines: 1})
	if s, err := blind.sample(t.Context()); err != nil || s.Journal != "not for you" {
		t.Errorf("%+v, %v", s, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := quiet().run(ctx, time.Hour, func(Sample) error { cancel(enough); return nil }); !errors.Is(err, enough) {
		t.Errorf("a watch that was ended: %v", err)
	}
}

// quiet has logs in which nothing happens.
func quiet() *watcher {
	return &watcher{logs: func(ctx context.Context, _ LogOptions, _ func(LogLine) error) (int, error) {
		<-ctx.Done()
		return 0, nil
	}}
}
