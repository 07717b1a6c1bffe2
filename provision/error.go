package provision

// Kind says how a deploy ended short of its aim.
type Kind uint8

const (
	KindFailed         Kind = iota // something failed before the server was changed, or in a way that has no kind of its own
	KindRefused                    // the server cannot take a deploy as it is; nothing was changed
	KindLocked                     // another deploy is at work
	KindRolledBack                 // it failed on the way, and everything was undone
	KindRollbackFailed             // it failed on the way, and undoing failed too: a person must look
	KindPartial                    // the adapter serves, but not everything that was asked works
	KindInterrupted                // the person left; the server goes on by itself
	KindCut                        // the connection ended; the server goes on by itself
)

// Error is a deploy that ended short of its aim.
type Error struct {
	Kind    Kind
	Message string // what failed, with which value
	Hint    string // the next command; may be empty
	Err     error  // the cause; may be nil
}

func (e *Error) Error() string {
	text := e.Message
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }
