package converge

import (
	"path/filepath"
	"strings"
)

// Level says how much a finding matters.
type Level string

// The levels, the least first.
const (
	LevelWarn   Level = "warn"   // it works, and may not go on to
	LevelFail   Level = "fail"   // the adapter does not serve as it should
	LevelRefuse Level = "refuse" // a deploy would not begin
)

// Finding is something about a server that a person should know of. A server that is well gives none.
type Finding struct {
	ID    string `json:"id"` // what was looked at, in a word
	Level Level  `json:"level"`
	What  string `json:"what"`  // is the case
	Means string `json:"means"` // for the adapter
	Cure  string `json:"cure"`  // the command that mends it, or what to do where none does

	Follows string   `json:"follows,omitempty"` // id of the finding that this one is no more than a consequence of
	Fix     []string `json:"fix,omitempty"`     // the command that mends it and can do no harm; see [AsDeployed], [OwnState]
}

// AsDeployed is the Fix of what is mended as a deploy would: the adapter's own files, units and site are put right again, with
// a journal and the health checks.
const AsDeployed = "as deployed"

func warning(id, what, means, cure string) Finding {
	return Finding{ID: id, Level: LevelWarn, What: what, Means: means, Cure: cure}
}

func failure(id, what, means, cure string) Finding {
	return Finding{ID: id, Level: LevelFail, What: what, Means: means, Cure: cure}
}

// fixedBy is the finding with the command that mends it.
func (f Finding) fixedBy(command ...string) Finding {
	f.Fix = command
	return f
}

// Text is the finding in one paragraph.
func (f Finding) Text() string { return f.What + ": " + f.Means + "\nhint: " + f.Cure }

// Finding is the refusal to who asks beforehand.
func (r *Refusal) Finding() Finding {
	cure := r.Hint
	if cure == "" {
		cure = "use another server; nothing was changed"
	}
	what := strings.ReplaceAll(r.Message, "\n", "; ")
	return Finding{ID: string(r.Kind), Level: LevelRefuse, What: what, Means: "a deploy does not begin", Cure: cure}
}

// unreadable is the finding of settings that a server with an adapter has, and no adapter starts with.
func unreadable(settings error) Finding {
	what, _, _ := strings.Cut(settings.Error(), "\nhint: ")
	what = strings.ReplaceAll(what, "\n", "; ")
	return failure(string(RefusedSettings), what, "the adapter does not start again with it", SettingsCure(what))
}

// SettingsCure is the command that mends settings of a server which cannot be read, by what is said of them.
func SettingsCure(said string) string {
	file, _, _ := strings.Cut(strings.ReplaceAll(said, ":", " "), " ")
	for _, path := range []string{keysFile, tokensFile} {
		if filepath.Base(file) == filepath.Base(path) {
			return "nano " + path
		}
	}
	return "gemini-manage config edit"
}

// refusal ends a deploy for the finding.
func (f Finding) refusal() *Refusal {
	return &Refusal{Kind: RefusalKind(f.ID), Message: f.What + ": " + f.Means, Hint: f.Cure}
}

// StandInKey lets a plan be made for a server without keys. It is never written, nor sent to Google.
const StandInKey = "a-key-that-a-deploy-asks-for"
