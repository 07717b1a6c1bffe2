package gemini

import (
	"strconv"
	"strings"
)

// ThinkingControl is how a model's thinking is steered.
type ThinkingControl uint8

const (
	ThinkingNone     ThinkingControl = iota // it does not think: no thinkingConfig at all
	ThinkingByBudget                        // thinkingBudget, in tokens
	ThinkingByLevel                         // thinkingLevel
)

// Family is what a model's name tells of its behaviour (Gemini API docs). It is data: no other place looks at model names.
type Family struct {
	Name         string // the id without "models/" and without the suffix of a dated or preview version
	Major, Minor int    // 0.0 when the name has no version

	Thinking      ThinkingControl
	Levels        []string // with ThinkingByLevel, ascending
	MinBudget     int      // with ThinkingByBudget, tokens
	MaxBudget     int
	ZeroBudget    bool // budget 0 turns thinking off
	DefaultBudget int  // -1 lets the model decide

	Signatures      bool // calls of the current turn are refused without a thought signature
	MediaResults    bool // functionResponse.parts
	MediaResolution bool // mediaResolution beside a part's media
	JSONWithTools   bool // responseMimeType application/json together with functions
	MixedTools      bool // built-in tools together with functions
	Prefill         bool // a conversation may end in a model turn
	Sampling        bool // temperature, topP and topK have an effect
	Strict          bool // functionCallingConfig mode VALIDATED
	OutputLimit     int  // largest maxOutputTokens of one stream
	Window          int  // tokens that prompt and answer share, 0 where each has a limit of its own
}

// outputLimit is the same for every text model since 2.5; on Gemini 4 it is the limit of one streamed segment.
const outputLimit = 65536

// sharedWindow is what prompt, thoughts and answer have together on Gemini 4.
const sharedWindow = 1 << 20

// gemmaLimit was the limit of Gemma 3; that of its successors is not documented.
const gemmaLimit = 8192

// FamilyOf reads the family off a model id, with or without "models/". An id of an unknown generation is taken for the
// newest one.
func FamilyOf(model string) Family {
	f := Family{Name: familyName(model), OutputLimit: outputLimit}
	f.Major, f.Minor = version(f.Name)
	switch {
	case strings.HasPrefix(f.Name, "gemma"):
		f.Prefill, f.Sampling, f.OutputLimit = true, true, gemmaLimit
	case f.Major == 1 || f.Major == 2:
		f.second()
	default:
		f.third()
	}
	if hasAny(f.Name, "-image", "-tts", "-live", "-audio", "embedding") {
		f.Thinking, f.Levels = ThinkingNone, nil
	}
	return f
}

// second fills in Gemini 1 and 2.
func (f *Family) second() {
	f.Prefill, f.Sampling = true, true
	if f.Major == 1 || f.Minor < 5 {
		return
	}
	f.Thinking, f.DefaultBudget = ThinkingByBudget, -1
	switch {
	case strings.Contains(f.Name, "flash-lite"):
		f.MinBudget, f.MaxBudget, f.ZeroBudget, f.DefaultBudget = 512, 24576, true, 0
	case strings.Contains(f.Name, "flash"):
		f.MinBudget, f.MaxBudget, f.ZeroBudget = 1, 24576, true
	default:
		f.MinBudget, f.MaxBudget = 128, 32768
	}
}

// levels are those of thinking, the lowest first.
var levels = []string{"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"}

// third fills in Gemini 3 and everything newer.
func (f *Family) third() {
	f.Thinking = ThinkingByLevel
	f.Signatures, f.MediaResults, f.MediaResolution = true, true, true
	f.JSONWithTools, f.MixedTools, f.Strict = true, true, true
	f.Levels = levels[1:4]
	switch {
	case f.Major == 3 && f.Minor <= 6 && !strings.Contains(f.Name, "-pro"):
		f.Levels = levels[:4]
	case hasAny(f.Name, "-neon", "-hydrogen"):
		f.Levels = levels[1:]
	}
	if f.Major >= 4 {
		f.Window = sharedWindow
	}
	f.Prefill = f.Major == 3 && f.Minor < 5
	f.Sampling = f.Prefill || f.Major == 3 && f.Minor == 5 && !strings.Contains(f.Name, "lite")
}

// SameFamily reports whether a signature made by one model is good for the other.
func SameFamily(a, b string) bool { return familyName(a) == familyName(b) }

func familyName(model string) string {
	name := strings.ToLower(strings.TrimPrefix(model, "models/"))
	if i := strings.Index(name, "-preview"); i > 0 {
		name = name[:i]
	}
	if i := strings.LastIndexByte(name, '-'); i > 0 && len(name)-i == len("-001") && isDigits(name[i+1:]) {
		name = name[:i]
	}
	if name == "gemini-3-pro" {
		return "gemini-3.1-pro" // Google serves the one under the name of the other
	}
	return name
}

// version reads 3.8 off gemini-3.8-flash.
func version(name string) (major, minor int) {
	rest, ok := strings.CutPrefix(name, "gemini-")
	if !ok {
		return 0, 0
	}
	number, _, _ := strings.Cut(rest, "-")
	a, b, _ := strings.Cut(number, ".")
	if !isDigits(a) || (b != "" && !isDigits(b)) {
		return 0, 0
	}
	return atoi(a), atoi(b)
}

// atoi reads digits; too many of them read as a very large version.
func atoi(s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 1 << 30
	}
	return n
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func hasAny(s string, subs ...string) bool {
	for _, sub := range subs {
		if strings.Contains(s, sub) {
			return true
		}
	}
	return false
}
