// Package control is how the operator's tool talks to the running adapter: typed requests and replies over HTTP on a unix
// socket. Both ends use the types of this package.
//
// The socket's file mode says who may ask; who may change something is told by the kernel (peer_linux.go): root, and the user
// that the adapter runs as. During a handover two adapters run, each behind a socket of its own, and both are told everything.
package control

import (
	"errors"
	"strings"
	"time"
)

// Where the service listens, and the instance that serves during a handover: the service's runtime folder, which the group
// gemini may enter.
const (
	Socket         = "/run/gemini-adapter/main.sock"
	HandoverSocket = "/run/gemini-adapter/handover.sock"
)

// The paths. What they mean never changes; a request or a reply of another form gets another version.
const (
	statusPath = "/v1/status"
	healthPath = "/v1/health"
	changePath = "/v1/keys/change"
	testPath   = "/v1/keys/test"
	tryPath    = "/v1/keys/try"
	reloadPath = "/v1/reload"
	usagePath  = "/v1/usage"
)

// MaxTests is how many keys one request may have tested.
const MaxTests = 16

const (
	maxRequest = 32 << 20  // three files of 4 MB, with every character escaped
	maxReply   = 128 << 20 // usage of a year, by day, token, key and model
	timeout    = 5 * time.Second
	longest    = time.Minute // for what waits for Google
)

// Status is what the running adapter knows of itself.
type Status struct {
	Version     string    `json:"version"`
	Release     string    `json:"release,omitempty"` // the name of its release's folder, as deployed
	Started     time.Time `json:"started"`
	Requests    int64     `json:"requests"` // answered since Started
	Errors      int64     `json:"errors"`   // of those, with a status of 500 or more, or broken off
	OpenStreams int64     `json:"open_streams"`
	Waiting     int64     `json:"waiting"`            // requests that wait for a key now
	Saved       int64     `json:"saved"`              // requests that failed with one key and were served by another
	Fallbacks   int64     `json:"fallbacks"`          // answers of another model than the one asked for, by MODEL_FALLBACK
	Egresses    []Egress  `json:"egresses"`           // the ways out to Gemini
	Draining    bool      `json:"draining,omitempty"` // it takes no connections any more, and ends with its last answer
	Keys        []Key     `json:"keys"`
}

// Key is one Gemini key, named by its id (a short hash and its last four characters) and its label; never more of it.
type Key struct {
	ID       string    `json:"id"`
	Label    string    `json:"label,omitempty"`
	Group    string    `json:"group,omitempty"`
	State    string    `json:"state"` // active, resting, disabled
	Reason   string    `json:"reason,omitempty"`
	Until    time.Time `json:"until,omitzero"` // the end of the rest, or of the longest one of a model
	Rests    []Rest    `json:"rests,omitempty"`
	Inflight int64     `json:"inflight"`
	Requests int64     `json:"requests"` // since the adapter started
	Failures int64     `json:"failures"` // of those
}

// Rest is why a key does not serve one model, and until when.
type Rest struct {
	Model  string    `json:"model"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// Change is what a person does to a key.
type Change string

// The changes.
const (
	Reset   Change = "reset"   // forget what Google said of it, so that it is used at once
	Disable Change = "disable" // use it no more, until Enable
	Enable  Change = "enable"  // use it again
)

// Tested is how Google took a key.
type Tested struct {
	ID      string `json:"id"`
	Problem string `json:"problem,omitempty"` // in words, "" if there is none
	Refused bool   `json:"refused"`           // the key is at fault, and not the service or the way to it
}

// Reloaded says what came of new settings. Both lists are names of settings.
type Reloaded struct {
	Changed []string `json:"changed"` // in force now
	Restart []string `json:"restart"` // as they were, until the adapter restarts
}

// Usage is what one token made of one key and one model on one day: store.Usage on its way to the tool.
type Usage struct {
	Day       string `json:"day"`
	Token     string `json:"token"`
	Key       string `json:"key"`
	Model     string `json:"model"`
	Requests  int64  `json:"requests"`
	Errors    int64  `json:"errors"`
	Unpriced  int64  `json:"unpriced"`
	Prompt    int64  `json:"prompt"`
	Cached    int64  `json:"cached"`
	Output    int64  `json:"output"`
	Thoughts  int64  `json:"thoughts"`
	CostMicro int64  `json:"costMicro"`
}

// Errors of requests that got no reply.
var (
	// ErrAbsent says that no adapter listens on the socket.
	ErrAbsent = errors.New("the adapter is not running")
	// ErrDenied says that the socket, or a change, is not for this user.
	ErrDenied = errors.New("this user may not ask the adapter")
)

// Code is why the adapter refuses a request.
type Code string

// The codes.
const (
	Denied    Code = "denied"    // a change by a user who may not
	Unknown   Code = "unknown"   // no key has the name
	Ambiguous Code = "ambiguous" // several keys have it
	Invalid   Code = "invalid"   // what was sent cannot be used
	Failed    Code = "failed"    // the adapter could not do it
)

// Refusal is a request that the adapter did not carry out. Message may end in a hint.
type Refusal struct {
	Code    Code     `json:"code"`
	Message string   `json:"message"`
	IDs     []string `json:"ids,omitempty"` // of the keys that an ambiguous name fits
}

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// Unwrap is ErrDenied for a denial.
func (r *Refusal) Unwrap() error {
	if r.Code == Denied {
		return ErrDenied
	}
	return nil
}

// FindKey returns the one id of those that a name matched, or the *Refusal that says why there is none.
func FindKey(name string, matched []string) (id string, err error) {
	switch len(matched) {
	case 0:
		return "", &Refusal{Code: Unknown, Message: "no key has the id or label " + quoted(name) + ", or begins so"}
	case 1:
		return matched[0], nil
	}
	return "", &Refusal{Code: Ambiguous, IDs: matched, Message: quoted(name) + " fits several keys: " + strings.Join(matched, ", ")}
}

// quoted shows the beginning of a name alone, no more than what most keys have in common: it may be one, or how one begins.
func quoted(name string) string {
	const shown = 6
	if len(name) > shown+1 {
		return `"` + strings.ToValidUTF8(name[:shown], "") + `…"`
	}
	return `"` + strings.ToValidUTF8(name, "") + `"`
}
