package converge

import (
	"fmt"
	"os"
	"time"
)

// lastWord holds how a deploy was put back that no laptop heard of, until a hello has told it to one.
const lastWord = runDir + "/last"

func leaveWord(s *system, want Want, back RolledBack, now time.Time) error {
	reason := back.Reason
	if back.Title != "" {
		reason = back.Title + ": " + reason
	}
	result := "it was put back"
	if len(back.FailedUndo) > 0 {
		result = "not everything could be put back, see " + journalDir
	}
	text := fmt.Sprintf("the %s ended at %s, and %s: %s", want.purpose("deploy of"), now.UTC().Format(time.RFC3339), result, reason)
	if err := os.MkdirAll(s.at(runDir), 0o700); err != nil {
		return err
	}
	return os.WriteFile(s.at(lastWord), []byte(text), 0o600)
}

func forgetWord(s *system) error { return ignoreMissing(os.Remove(s.at(lastWord))) }
