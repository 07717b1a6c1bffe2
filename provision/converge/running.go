package converge

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"
)

// Running is a deploy that is under way on the server.
type Running struct {
	Release  string    `json:"release"`
	Since    time.Time `json:"since"`
	By       string    `json:"by,omitempty"`    // IP address of the laptop that began it
	Yours    bool      `json:"yours,omitempty"` // in a hello: By is where this very connection comes from
	State    RunState  `json:"state"`
	Step     string    `json:"step,omitempty"` // title of the step that runs, or of the last one
	Done     int       `json:"done"`           // steps that are done
	Total    int       `json:"total"`
	Attached bool      `json:"attached"`       // a laptop is listening
	Until    time.Time `json:"until,omitzero"` // in RunApplied: when it is put back unless a laptop finishes it
}

// RunState is how far a deploy that is under way has come.
type RunState string

// The states of a deploy that is under way.
const (
	RunApplying RunState = "applying" // its steps run
	RunApplied  RunState = "applied"  // it waits for its commit
	RunUndoing  RunState = "undoing"  // it is being put back
)

// WorkerUnit is what a deploy runs in on its server, from its first step to its end.
const WorkerUnit = workerUnit

// UnderWay is the deploy that has not ended on this server, nil if there is none. It needs root: to others there is none.
func UnderWay() *Running { return peek(newReader("/")) }

// AtWork reports whether the server is on its way to something else, so that what is to be seen of it says nothing. Otherwise
// everything is in place, and waits for a laptop to finish it.
func (r *Running) AtWork() bool { return r.State != RunApplied || r.Attached }

// finding ids of a deploy that has not ended.
const (
	findingDeploy = "deploy" // it is at work

	// FindingUnfinished is the id of the finding that nobody is at an unfinished deploy any more.
	FindingUnfinished = "unfinished"
)

const (
	clockTime = "15:04"
	host      = "HOST" // see [ForHost]
)

// Finding says how the deploy stands, and what a person can do about it. The adapter may serve all the same.
func (r *Running) Finding() Finding {
	since := r.Since.UTC().Format(clockTime)
	switch {
	case r.State == RunUndoing:
		return failure(findingDeploy, "a deploy that began at "+since+" (UTC) is being put back",
			"the server is half-way: what else is to be seen of it now says nothing", "wait for it, then look again")
	case r.AtWork():
		return failure(findingDeploy, "a deploy is at work since "+since+" (UTC), step "+strconv.Itoa(min(r.Done+1, r.Total))+" of "+strconv.Itoa(r.Total),
			"the server is half-way: what else is to be seen of it now says nothing", "wait for it, then look again")
	}
	what := "an unfinished deploy waits to be finished, or is put back soon"
	if !r.Until.IsZero() { // a worker of an older release does not tell
		what = "an unfinished deploy waits to be finished: at " + r.Until.UTC().Format(clockTime) + " (UTC) it is put back"
	}
	return failure(FindingUnfinished, what, "what it made does not last by itself",
		"gca deploy "+host+"   # finishes it, and gca deploy --abort "+host+" puts it back; from your laptop")
}

// unsettled is what keeps the server from staying as it is: a deploy that has not ended, or one that died; else nil.
func unsettled(s *reader) (running *Running, found []Finding, err error) {
	if running := peek(s); running != nil {
		return running, []Finding{running.Finding()}, nil
	}
	died, err := unfinished(s)
	if err == nil && died {
		died, err = lockIsFree(s) // who changes something beside deploys keeps a journal too
	}
	if err != nil || !died {
		return nil, nil, err
	}
	return nil, []Finding{failure(FindingUnfinished, "an earlier deploy died half-way, and the next one takes it back first",
		"the server is neither as it was nor as it should be", "gca deploy HOST   # from a laptop")}, nil
}

// lockIsFree reports whether nobody is at work on the server.
func lockIsFree(s *reader) (free bool, err error) {
	f, err := os.Open(s.at(LockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	free, err = tryLock(f)
	return free, errors.Join(err, f.Close())
}
