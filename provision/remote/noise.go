package remote

// MaxNoise is how many lines a login shell may print before a command's own.
const MaxNoise = 1000

// maxLine is how long a line of a login shell's, or of an answer, may be, in bytes.
const maxLine = 64 << 10

const quietHint = "on the server, let the login shell print nothing where there is no terminal: look at ~/.bashrc and /etc/bash.bashrc"

// bounded keeps what is written to it, and fails with full's error instead of growing
// beyond its limit, in bytes.
type bounded struct {
	kept  []byte
	limit int
	full  func() error
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > b.limit {
		return 0, b.full()
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}
