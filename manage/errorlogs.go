package manage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LogLine is one line of `error-logs`; its JSON form is schema 1.
type LogLine struct {
	Schema int       `json:"schema"`
	Time   time.Time `json:"time"`
	Source string    `json:"source"` // adapter, systemd or nginx
	Text   string    `json:"text"`   // as it was logged

	level Level // of error logs, Error
}

const (
	nginxErrors   = "/var/log/nginx/error.log"
	nginxTail     = 1 << 20 // bytes read from the end of a log file
	journalDepth  = 200_000 // journal entries looked at, from the newest on
	maxLogLine    = 1 << 20 // bytes
	nginxTimeForm = "2006/01/02 15:04:05"
)

// ErrorLogs tells show the last lines about trouble, oldest first: the adapter's warnings and errors, its requests that ended
// in a 429, a 5xx or half-way, what systemd says of its failures, and Nginx's error log. With Follow it goes on until ctx ends. It
// returns how many lines there were at first.
func ErrorLogs(ctx context.Context, o LogOptions, show func(LogLine) error) (int, error) {
	if err := mayReadJournal(ctx); err != nil {
		return 0, err
	}
	started := time.Now()
	lines, cursor, err := journalLast(ctx, o, journalEntry.trouble)
	if err != nil {
		return 0, err
	}
	fromNginx, offset, err := nginxLines(o.Lines)
	if err != nil {
		return 0, err
	}
	lines = append(lines, slices.DeleteFunc(fromNginx, func(line LogLine) bool { return !o.wants(line) })...)
	slices.SortStableFunc(lines, func(a, b LogLine) int { return a.Time.Compare(b.Time) })
	lines = lines[max(0, len(lines)-o.Lines):]
	for _, line := range lines {
		if err := show(line); err != nil {
			return len(lines), err
		}
	}
	if !o.Follow {
		return len(lines), nil
	}
	return len(lines), follow(ctx, goOn(cursor, started), offset, func(line LogLine) error {
		if !o.wants(line) {
			return nil
		}
		return show(line)
	})
}

// goOn has journalctl begin where it ended.
func goOn(cursor string, started time.Time) string {
	if cursor == "" {
		return "--since=@" + strconv.FormatInt(started.Unix(), 10)
	}
	return "--after-cursor=" + cursor
}

// journalLast returns the last lines of the journal that are picked and wanted, newest first, and the cursor of the newest
// entry of all.
func journalLast(ctx context.Context, o LogOptions, pick func(journalEntry) (LogLine, bool)) (found []LogLine, cursor string, err error) {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	args := []string{"--reverse", "--lines", strconv.Itoa(journalDepth)}
	if !o.Since.IsZero() {
		args = append(args, "--since=@"+strconv.FormatInt(o.Since.Unix(), 10))
	}
	err = journal(ctx, args, func(e journalEntry) error {
		if cursor == "" {
			cursor = e.Cursor
		}
		if line, ok := pick(e); ok && o.wants(line) {
			found = append(found, line)
		}
		if len(found) == o.Lines {
			enough()
		}
		return nil
	})
	return found, cursor, err
}

// journal tells each of the adapter's journal entries until they end, or ctx does, which is no error.
func journal(ctx context.Context, args []string, each func(journalEntry) error) error {
	args = append([]string{"--unit", ServiceUnit, "--unit", HandoverUnit, "--unit", SocketUnit, "--no-pager", "--output", "json",
		"--output-fields", "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER"}, args...)
	complaint, err := eachLine(ctx, func(text []byte) error {
		if len(text) == 0 || text[0] != '{' { // journalctl's own words, such as "-- No entries --"
			return nil
		}
		var e journalEntry
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("the journal has an entry that cannot be read: %w", err)
		}
		return each(e)
	}, "journalctl", args...)
	if err != nil && complaint != "" {
		return fmt.Errorf("cannot read the journal: %s", complaint)
	}
	return err
}

// eachLine runs a command that tells its output line by line. A ctx that ends is no error.
func eachLine(ctx context.Context, each func([]byte) error, name string, args ...string) (complaint string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	scan := bufio.NewScanner(out)
	scan.Buffer(make([]byte, 64<<10), maxLogLine)
	var told error
	for told == nil && ctx.Err() == nil && scan.Scan() {
		told = each(scan.Bytes())
	}
	if told != nil || scan.Err() != nil {
		err = errors.Join(told, scan.Err(), cmd.Process.Kill())
	}
	waited := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return "", told
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(said.String()), waited
}

// journalEntry is an entry as journalctl prints it.
type journalEntry struct {
	Cursor     string          `json:"__CURSOR"`
	Time       string          `json:"__REALTIME_TIMESTAMP"` // microseconds
	Priority   string          `json:"PRIORITY"`             // 0-7, 4 is warning
	Identifier string          `json:"SYSLOG_IDENTIFIER"`
	Message    json.RawMessage `json:"MESSAGE"` // text, or its bytes as numbers where it is not all text
}

// ownChange begins what systemd says of the socket when a new PORT is put in force, which restarts it right after.
const ownChange = SocketUnit + ": Socket unit configuration has changed while unit has been running"

// trouble turns an entry into a line, if it is about trouble. The adapter's lines are JSON objects with a level of their own;
// whatever else it writes are the last words of a crash.
func (e journalEntry) trouble() (LogLine, bool) {
	line, ok := e.line()
	if !ok {
		return line, false
	}
	if line.Source == "systemd" {
		return line, e.Priority != "" && e.Priority <= "4" && !strings.HasPrefix(line.Text, ownChange)
	}
	var own struct {
		Level  string `json:"level"`
		Status int    `json:"status"`
		Error  string `json:"error"` // of a request with status 200: its stream broke
	}
	if json.Unmarshal([]byte(line.Text), &own) != nil {
		return line, true
	}
	failed := own.Status == 429 || own.Status >= 500 || own.Status == 200 && own.Error != ""
	return line, failed || own.Level == "WARN" || own.Level == "ERROR"
}

func (e journalEntry) text() string {
	var text string
	if json.Unmarshal(e.Message, &text) == nil {
		return plainText(text)
	}
	var numbers []byte
	var wide []uint16
	if json.Unmarshal(e.Message, &wide) == nil {
		for _, n := range wide {
			numbers = append(numbers, byte(n))
		}
	}
	return plainText(string(numbers))
}

// plainText takes out what a terminal would obey.
func plainText(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' || c == 0x7f || c >= 0x80 && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
}

// nginxLines returns the last n lines of Nginx's error log, with those of the file that was rotated away last if needed, and
// the size of the log now.
func nginxLines(n int) (lines []LogLine, size int64, err error) {
	lines, size, err = nginxFile(nginxErrors)
	if err == nil && len(lines) < n {
		var older []LogLine
		older, _, err = nginxFile(nginxErrors + ".1")
		lines = append(older, lines...)
	}
	return lines[max(0, len(lines)-n):], size, err
}

func nginxFile(name string) (lines []LogLine, size int64, err error) {
	f, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, 0, fmt.Errorf("this user may not read Nginx's error log: %w", ErrNotRoot)
	case err != nil:
		return nil, 0, err
	}
	if size, err = f.Seek(0, io.SeekEnd); err == nil {
		_, err = f.Seek(max(0, size-nginxTail), io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	text, err := io.ReadAll(io.LimitReader(f, min(size, nginxTail)))
	if size > nginxTail { // it begins within a line
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return parseNginx(string(text)), size, errors.Join(err, f.Close())
}

// parseNginx reads an error log. A line without a time of its own belongs to the one before it.
func parseNginx(text string) (lines []LogLine) {
	var last time.Time
	for raw := range strings.Lines(text) {
		line := nginxLine(strings.TrimRight(raw, "\n"), last)
		if last = line.Time; !last.IsZero() {
			lines = append(lines, line)
		}
	}
	return lines
}

func nginxLine(raw string, last time.Time) LogLine {
	line := LogLine{Schema: 1, Time: last, Source: "nginx", Text: plainText(raw), level: Error}
	if len(raw) > len(nginxTimeForm) {
		if at, err := time.ParseInLocation(nginxTimeForm, raw[:len(nginxTimeForm)], time.Local); err == nil {
			line.Time, line.Text = at, plainText(strings.TrimSpace(raw[len(nginxTimeForm):]))
		}
	}
	return line
}

// follow tells what comes to journal and error log, as it comes.
func follow(ctx context.Context, since string, offset int64, show func(LogLine) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	tell := func(line LogLine) error {
		mu.Lock()
		defer mu.Unlock()
		return show(line)
	}
	ended := make(chan error, 2)
	go func() {
		ended <- journal(ctx, []string{"--follow", "--no-tail", since}, func(e journalEntry) error {
			if line, ok := e.trouble(); ok {
				return tell(line)
			}
			return nil
		})
	}()
	go func() {
		_, err := eachLine(ctx, func(text []byte) error { return tell(nginxLine(string(text), time.Now())) },
			"tail", "--follow=name", "--retry", "--bytes=+"+strconv.FormatInt(offset+1, 10), nginxErrors)
		ended <- err
	}()
	err := <-ended
	stop()
	return errors.Join(err, <-ended)
}

// String is the line for a person.
func (l LogLine) String() string {
	return l.Time.Format("2006-01-02T15:04:05-0700") + " " + l.Source + ": " + l.Text
}
