package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

const (
	maxHistory     = 500
	maxHistoryFile = 4 << 20
)

// history is what was typed, the newest last; at walks through it.
type history struct {
	file   string
	lines  []string
	at     int    // len(lines) is what is being typed
	typed  string // before walking began
	broken error  // of the file, to be told at the end
}

// loadHistory reads a file of JSON strings, one a line. A file that cannot be read is begun anew.
func loadHistory(file string) (*history, error) {
	h := &history{file: file}
	if file == "" {
		return h, nil
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() > maxHistoryFile {
		return h, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read what was typed before: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		var one string
		if json.Unmarshal([]byte(line), &one) == nil && one != "" {
			h.lines = append(h.lines, one)
		}
	}
	h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
	h.at = len(h.lines)
	return h, nil
}

// add appends what was typed, and saves it for this user alone.
func (h *history) add(text string) {
	if len(h.lines) == 0 || h.lines[len(h.lines)-1] != text {
		h.lines = append(h.lines, text)
		h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
		h.save()
	}
	h.at, h.typed = len(h.lines), ""
}

func (h *history) save() {
	if h.file == "" || h.broken != nil {
		return
	}
	var b strings.Builder
	for _, line := range h.lines {
		text, err := json.Marshal(line)
		if err != nil {
			continue // a string always can be
		}
		b.Write(append(text, '\n'))
	}
	err := os.MkdirAll(filepath.Dir(h.file), 0o700)
	if err == nil {
		err = client.Replace(h.file, []byte(b.String()), 0o600)
	}
	if err != nil {
		h.broken = fmt.Errorf("cannot save what was typed: %w", err)
	}
}

// walk goes a step back (-1) or forth (1) from what is in the input now. Not ok is an end.
func (h *history) walk(step int, now string) (text string, ok bool) {
	to := h.at + step
	if to < 0 || to > len(h.lines) {
		return "", false
	}
	if h.at == len(h.lines) {
		h.typed = now
	}
	h.at = to
	if to == len(h.lines) {
		return h.typed, true
	}
	return h.lines[to], true
}
