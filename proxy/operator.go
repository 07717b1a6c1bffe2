package proxy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// What the operator's tool asks, by the control socket (Server is its control.Adapter) or over HTTP with the admin token.

// Status is what the running server knows of itself.
func (s *Server) Status() control.Status {
	status := control.Status{
		Version: s.deps.Version, Release: s.deps.Release, Started: s.started, Draining: s.draining.Load(),
		Requests: s.requests.Load(), Errors: s.errors.Load(), OpenStreams: s.streams.Load(),
		Waiting: s.meters.waiting.Load(), Saved: int64(s.meters.saved.Get()), Fallbacks: s.meters.fallen.Load(), Egresses: s.egresses(),
	}
	for _, k := range s.keyStates() {
		status.Keys = append(status.Keys, keyStatus(k))
	}
	return status
}

func keyStatus(k keys.Status) control.Key {
	state, reason := string(k.State), k.Reason.String()
	switch k.State {
	case keys.Limited:
		state, reason = "active", reason+" for some models"
		if k.Reason == keys.NoModel {
			reason = "without a model that Google lists"
		}
	case keys.Healthy:
		state = "active"
	}
	out := control.Key{
		ID: k.ID, Label: k.Label, Group: k.Group, State: state, Reason: reason, Until: k.Until,
		Inflight: k.Inflight, Requests: k.Requests, Failures: k.Failures,
	}
	for _, r := range k.Rests {
		out.Rests = append(out.Rests, control.Rest{Model: r.Model, Reason: r.Reason.String(), Until: r.Until})
	}
	return out
}

// ChangeKey does something to the one key whose id or label name is, or begins with it, and returns its id. The error is a
// *control.Refusal, or the store's.
func (s *Server) ChangeKey(name string, change control.Change) (id string, err error) {
	id, err = control.FindKey(name, s.pool.Match(name))
	if err != nil {
		return "", err
	}
	switch change {
	case control.Disable:
		err = s.pool.Disable(id)
	case control.Enable:
		err = s.pool.Enable(id)
	default:
		err = s.pool.Reset(id)
	}
	if err != nil {
		return "", err
	}
	s.log.Info("a person changed a key", "key", id, "change", string(change))
	return id, nil
}

// TestKeys asks Google whether it takes the configured keys of these names. What Google says of their validity counts from
// then on. The error is a *control.Refusal about a name.
func (s *Server) TestKeys(ctx context.Context, names []string) ([]control.Tested, error) {
	ids := make([]string, 0, len(names))
	for _, name := range names {
		id, err := control.FindKey(name, s.pool.Match(name))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	tested, err := s.probeAll(ctx, s.pool, ids)
	for _, t := range tested {
		if t.Problem == "" {
			s.pool.Probed(t.ID, true)
		}
	}
	return tested, err
}

// TryKeys asks Google whether it takes keys that are not configured, through the proxies that they would have. The error is a
// *control.Refusal about the text; no key is in it.
func (s *Server) TryKeys(ctx context.Context, text string) ([]control.Tested, error) {
	given, err := config.ParseKeys(text)
	if err == nil && len(given) > control.MaxTests {
		return nil, &control.Refusal{Code: control.Invalid, Message: "too many keys to try at once"}
	}
	if err != nil {
		return nil, &control.Refusal{Code: control.Invalid, Message: err.Error()}
	}
	var ids []string
	for _, key := range given {
		ids = append(ids, keys.ID(key.Secret))
	}
	defer func() { // the ways out of these keys go, unless they are configured meanwhile
		s.reloading.Lock()
		defer s.reloading.Unlock()
		s.upstream.Keep(proxiesOf(s.settings().Keys))
	}()
	return s.probeAll(ctx, keys.New(given, keys.Options{MaxFailures: 1, CoolingPeriod: time.Second}), ids)
}

// Usage returns what was used on the days from one to another, both included. The error is the store's.
func (s *Server) Usage(from, to string) ([]control.Usage, error) {
	rows, err := s.deps.Store.Usage(from, to)
	if err != nil {
		return nil, err
	}
	out := make([]control.Usage, 0, len(rows))
	for _, row := range rows {
		out = append(out, control.Usage(row))
	}
	return out, nil
}

// resetKey is POST /admin/reset-key/{prefix}: the key that the path names gets another chance at once.
func (s *Server) resetKey(in *inbound) {
	name := strings.TrimPrefix(string(in.Path()), resetKeyPath)
	in.access.path = resetKeyPath + "…" // somebody may take a whole key for its id
	id, err := s.ChangeKey(name, control.Reset)
	in.access.key = id
	var refusal *control.Refusal
	switch {
	case err == nil:
		reply(in, fasthttp.StatusOK, keyReset{id})
	case errors.As(err, &refusal) && refusal.Code == control.Unknown:
		s.refuse(in, &front.Error{Kind: front.NotFound, Message: refusal.Message})
	case errors.As(err, &refusal):
		s.refuse(in, front.Invalidf("", "%s", refusal.Message))
	default:
		s.refuse(in, &front.Error{Kind: front.Internal, Message: "the key was reset, and that could not be written down: " + err.Error()})
	}
}

// resetKeyPath is where a key is reset whose id or label follows, or the beginning of one.
const resetKeyPath = "/admin/reset-key/"

// keyReset is the answer of resetKeyPath.
type keyReset struct {
	Reset string `json:"reset"` // the id of the key
}

// probeAll asks about keys of a pool, all at once, whatever their state.
func (s *Server) probeAll(ctx context.Context, pool *keys.Pool, ids []string) ([]control.Tested, error) {
	tested := make([]control.Tested, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		lease, err := pool.Lend(id)
		if err != nil {
			all.Wait()
			return nil, &control.Refusal{Code: control.Unknown, Message: err.Error()}
		}
		all.Go(func() { tested[i] = s.probe(ctx, lease) })
	}
	all.Wait()
	return tested, nil
}

// probe asks Google about one key, and gives the lease back.
func (s *Server) probe(ctx context.Context, lease *keys.Lease) control.Tested {
	t := control.Tested{ID: lease.KeyID()}
	err := s.upstream.Probe(ctx, lease)
	if err == nil {
		lease.Done(keys.None())
		return t
	}
	failed := asUpstream(err)
	t.Problem, t.Refused = bounded(failed.Message, 300), failed.Kind.Retires()
	switch {
	case t.Refused:
		lease.Done(failed.Outcome(""))
		return t
	case failed.Kind == upstream.Region:
		t.Problem = regionHelp
	}
	lease.Done(keys.None())
	return t
}
