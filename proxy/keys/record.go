package keys

import "time"

// Record is one thing that is known of a key, or of what the keys of a group share, in the form in which it outlives the
// process. Owner, Model and Name together are its identity: a later record takes the place of an earlier one.
type Record struct {
	Owner  string    `json:"-"`                // a key's id, or "group=" and the group's name
	Model  string    `json:"-"`                // "" is all models
	Name   string    `json:"-"`                // what it tells, such as "state" or "limit"
	Reason string    `json:"reason,omitempty"` // in the words of Reason.Code
	Until  time.Time `json:"until,omitzero"`   // the end of a rest
	Steps  int       `json:"steps,omitempty"`  // of a growing rest
	Limit  int64     `json:"limit,omitempty"`  // of a quota that was learned
	At     time.Time `json:"at,omitzero"`      // when it was learned
	Gone   bool      `json:"gone,omitempty"`   // it holds no more
}

// Keeper keeps records. It is called outside the pool's lock, from any goroutine, and before the call that brought the change
// about returns; when it returns nil the records outlive a power cut.
type Keeper interface {
	KeepKeys(changed []Record) error
}
