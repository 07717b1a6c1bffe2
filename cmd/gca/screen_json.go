package main

import (
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/provision"
)

// line is one JSON line of a deploy or a plan, schema 1. By type:
//
//	phase      phase, text: how far it has come
//	connected  text: the way; rtt_ms: there and back
//	running    text: an unfinished deploy that the server is at; id, seconds: its release and its age; state (applying, applied, undoing)
//	plan       steps: the ids of the steps to come; none is up to date
//	plan_step  id, group, text, diff: one step of `gca plan`
//	step       id, group, state (start, done, failed), seconds, text: why it failed
//	progress   text, id: a word about the step that runs; wait: what it waits for; stall: that it has said nothing for a while
//	silence    text, seconds: nothing is heard from the server
//	aborted    text: the end of `gca deploy --abort`
//	warning    text
//	error      text, code: the exit code
//
// The last line of a deploy that ended well is a deployResult, that of a plan a planResult.
type line struct {
	Schema  int        `json:"schema"`
	Type    string     `json:"type"`
	Phase   string     `json:"phase,omitempty"`
	ID      string     `json:"id,omitempty"`
	Group   string     `json:"group,omitempty"`
	State   string     `json:"state,omitempty"`
	Text    string     `json:"text,omitempty"`
	Diff    string     `json:"diff,omitempty"`
	Seconds float64    `json:"seconds,omitempty"`
	RTT     float64    `json:"rtt_ms,omitempty"`
	Wait    *lineWait  `json:"wait,omitempty"`
	Stall   *lineStall `json:"stall,omitempty"`
	Steps   []string   `json:"steps,omitzero"`
	Code    int        `json:"code,omitempty"`
}

// lineWait is what a step waits for.
type lineWait struct {
	What    string `json:"what"`
	Holder  string `json:"holder,omitempty"`
	Seconds int    `json:"seconds"`
}

// lineStall is a step that says nothing.
type lineStall struct {
	Command string `json:"command,omitempty"`
	Last    string `json:"last,omitempty"`
	Seconds int    `json:"seconds"`
}

// deployResult is the last JSON line of a deploy.
type deployResult struct {
	Schema      int    `json:"schema"`
	Type        string `json:"type"` // result
	URL         string `json:"url"`
	Changed     int    `json:"changed"`
	Release     string `json:"release"`
	ClientToken string `json:"client_token,omitempty"`
	AdminToken  string `json:"admin_token,omitempty"`
}

// planResult is the last JSON line of a plan.
type planResult struct {
	Schema  int    `json:"schema"`
	Type    string `json:"type"` // plan_result
	Pending int    `json:"pending"`

	Unfinished bool `json:"unfinished,omitempty"` // an earlier deploy has not ended
}

func (s *screen) result(r provision.Result) error {
	return json.NewEncoder(s.io.out).Encode(deployResult{1, "result", r.URL, r.Changed, r.Release, r.ClientToken, r.AdminToken})
}

func (s *screen) planResult(r provision.Result) error {
	return json.NewEncoder(s.io.out).Encode(planResult{1, "plan_result", r.Pending, r.Unfinished})
}
