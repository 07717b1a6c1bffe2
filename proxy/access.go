package proxy

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// statusClientGone is what the access line shows for a client that did not wait for its answer.
const statusClientGone = 499

// access is what one line of the log tells of a request. It has no place for a prompt, a key or a token.
type access struct {
	id        string
	began     time.Time
	method    string
	path      string
	token     string // the name of the client's token
	model     string // as asked
	asked     string // what that stands for, where another one may serve
	target    string // as served
	stream    bool
	key       string    // the id of the last key
	leased    time.Time // when that was leased
	tries     int
	refused   int           // attempts that failed, each with another key where there was one
	ttft      time.Duration // until the first content was there, 0 if there was none
	usage     gemini.Usage  // of the last attempt
	earlier   []bill        // of attempts before it
	estimated bool          // usage is a guess
	costMicro int64         // what all that costs on a paid key, in millionths of a US dollar
	priced    bool          // the cost is known
	leftOut   string        // what the client asked for and did not get
	kind      string        // of the last upstream failure
	problem   string        // the client's error message

	native  bool // the path is of Google's own API
	gone    bool // the client left before the end
	probe   bool // worth no line at level info
	later   bool // the line comes at the end of the stream
	written bool

	giveBack []func()  // what the request has of the server's until it is over
	room     [6]func() // giveBack's
}

// bill is what Google counted of one attempt.
type bill struct {
	key, model string
	usage      gemini.Usage
	costMicro  int64
	priced     bool
}

// setAside keeps what the last attempt used although it failed, since Google counted it, and another one may follow.
func (a *access) setAside() {
	if a.usage != (gemini.Usage{}) {
		a.earlier = append(a.earlier, bill{key: a.key, model: a.target, usage: a.usage})
		a.usage = gemini.Usage{}
	}
}

// all is what the request used, with every attempt.
func (a *access) all() gemini.Usage {
	sum := a.usage
	for i := range a.earlier {
		u := &a.earlier[i].usage
		sum.Prompt += u.Prompt
		sum.Cached += u.Cached
		sum.Candidates += u.Candidates
		sum.Thoughts += u.Thoughts
		sum.ToolUse += u.ToolUse
	}
	return sum
}

func newAccess(rc *fasthttp.RequestCtx) *access {
	a := &access{
		id:     "req_" + randomID(),
		began:  time.Now(),
		method: bounded(string(rc.Method()), 20),
		path:   bounded(string(rc.Path()), 200),
	}
	a.giveBack = a.room[:0]
	return a
}

// record counts the request and writes its line, once.
func (s *Server) record(a *access, status int) {
	if a.written {
		return
	}
	a.written = true
	s.requests.Add(1)
	if a.gone {
		status, a.problem = statusClientGone, errClientGone.Error()
	}
	if status >= fasthttp.StatusInternalServerError {
		s.errors.Add(1)
	}
	s.usage.add(a, status)
	for _, f := range a.giveBack { // what was used counts before what was guessed is gone
		f()
	}
	s.meters.request(a, status)
	s.line(a, status)
}

// line writes the access line. Which of our own lines calls, as the logger would find out, is of no use to anybody.
func (s *Server) line(a *access, status int) {
	level := slog.LevelInfo
	if a.probe {
		level = slog.LevelDebug
	}
	to := s.log.Handler()
	if !to.Enabled(context.Background(), level) {
		return
	}
	var room [20]slog.Attr
	r := slog.NewRecord(time.Now(), level, "request", 0)
	r.AddAttrs(a.attrs(room[:0], status)...)
	_ = to.Handle(context.Background(), r) // there is nowhere to tell it
}

// attrs appends what the line tells to none.
func (a *access) attrs(none []slog.Attr, status int) []slog.Attr {
	attrs := none
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	count := func(name string, value int) {
		if value != 0 {
			attrs = append(attrs, slog.Int(name, value))
		}
	}
	text("id", a.id)
	text("method", a.method)
	text("path", a.path)
	attrs = append(attrs, slog.Int("status", status))
	text("token", a.token)
	text("model", bounded(a.model, 100))
	text("target", a.target)
	if a.stream {
		attrs = append(attrs, slog.Bool("stream", true))
	}
	text("key", a.key)
	count("attempts", a.tries)
	used := a.all()
	count("tokens_in", used.Prompt+used.ToolUse)
	count("tokens_cached", used.Cached)
	count("tokens_out", used.Candidates+used.Thoughts)
	if a.estimated {
		attrs = append(attrs, slog.Bool("tokens_estimated", true))
	}
	if a.priced && used != (gemini.Usage{}) {
		attrs = append(attrs, slog.Float64("cost", float64(a.costMicro)/1e6)) // US dollars
	}
	if a.ttft > 0 {
		attrs = append(attrs, slog.Int64("ttft_ms", a.ttft.Milliseconds()))
	}
	attrs = append(attrs, slog.Int64("duration_ms", time.Since(a.began).Milliseconds()))
	text("left_out", a.leftOut)
	text("upstream", a.kind)
	text("error", loggable(a.problem))
	return attrs
}

// loggable leaves out what Google's words quote of a request: the line that it could not parse, a name that it does not know,
// and a value that does not fit its field.
func loggable(words string) string {
	if strings.Contains(words, "Invalid JSON payload") {
		words, _, _ = strings.Cut(words, "\n")
	}
	if before, name, found := strings.Cut(words, "Unknown name "); found {
		where := ""
		if i := strings.LastIndex(name, `" at '`); i >= 0 {
			where = name[i+1:]
		}
		return before + "Unknown name" + where
	}
	if i := strings.Index(words, "Invalid value at "); i >= 0 {
		if field, _, quotes := strings.Cut(words[i:], "), "); quotes {
			return words[:i] + field + ")"
		}
	}
	return words
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomID makes 24 characters out of base62 that nobody can guess.
func randomID() string {
	var id [front.IDLength]byte
	var raw [32]byte
	for n := 0; n < len(id); {
		rand.Read(raw[:])
		for _, b := range raw {
			if b &= 63; int(b) < len(base62) && n < len(id) {
				id[n] = base62[b]
				n++
			}
		}
	}
	return string(id[:])
}

// bounded cuts s at n bytes, on a character's border.
func bounded(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// seconds writes a Retry-After: whole seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
