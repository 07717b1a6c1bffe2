package front

import (
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Limits is what Google's list says of one model. The zero value says nothing.
type Limits struct {
	Output    int  // the largest maxOutputTokens, 0 if unknown
	NoThought bool // the model does not think, and takes no thinkingConfig
}

// of narrows a family, which is a guess by the name where the name is new, to one of its models. A window that prompt and
// answer share is a limit beyond that of one piece, unless the model answers with less than a piece.
func (l Limits) of(family gemini.Family) gemini.Family {
	if l.NoThought {
		family.Thinking, family.Levels = gemini.ThinkingNone, nil
	}
	switch {
	case l.Output == 0:
	case family.Window == 0 || l.Output < family.OutputLimit:
		family.OutputLimit, family.Window = l.Output, 0
	case l.Output > family.OutputLimit:
		family.Window = min(family.Window, l.Output)
	}
	return family
}

// fitThinking sets thinkingConfig and maxOutputTokens. Summaries of thoughts are asked for whether the client sees them or
// not, so that a long thought is not taken for silence.
func fitThinking(config *gemini.GenerationConfig, call *Call, family gemini.Family) {
	config.MaxOutputTokens, call.Room = call.MaxTokens, 0
	if family.Thinking != gemini.ThinkingNone {
		short := call.MaxTokens > 0 && call.MaxTokens < headroom
		config.ThinkingConfig = thinkingConfig(call.Thinking, short, family)
		if short && !isOff(config.ThinkingConfig) {
			config.MaxOutputTokens += headroom
			call.Room = roomy * call.MaxTokens
		}
	}
	config.MaxOutputTokens = min(config.MaxOutputTokens, outputLimit(call.Request, config.MaxOutputTokens, family))
}

// outputLimit is the most that the model answers to a request: where prompt and answer share a window, an answer goes on over
// several segments for as long as the prompt leaves room, here with an estimate that errs on the side of the prompt.
func outputLimit(req *gemini.Request, wanted int, family gemini.Family) int {
	if family.Window == 0 || wanted <= family.OutputLimit {
		return family.OutputLimit
	}
	return max(family.OutputLimit, family.Window-2*req.EstimateTokens())
}

// isOff reports whether the model does not think at all. Google refuses includeThoughts then: there are none to include.
func isOff(t *gemini.ThinkingConfig) bool { return t.ThinkingBudget != nil && *t.ThinkingBudget == 0 }

// thinkingConfig fits the client's wish to a model that thinks. short: the answer has so few tokens that a model which was
// not asked to think should do it as little as it can.
func thinkingConfig(t Thinking, short bool, family gemini.Family) *gemini.ThinkingConfig {
	if t.Explicit != nil {
		return explicitConfig(*t.Explicit, family)
	}
	if effortRank(t.Effort) < 0 {
		t.Effort = "" // a word that nobody knows is no wish
	}
	asked := t.Mode == ThinkingAdaptive || t.Mode == ThinkingBudget || t.Effort != ""
	if t.Mode == ThinkingOff || (short && !asked) {
		t = Thinking{Mode: ThinkingOff}
	}
	if family.Thinking == gemini.ThinkingByLevel {
		return &gemini.ThinkingConfig{IncludeThoughts: true, ThinkingLevel: level(t, family.Levels)}
	}
	budget := budget(t, family)
	return &gemini.ThinkingConfig{IncludeThoughts: budget != 0, ThinkingBudget: &budget}
}

// explicitConfig is the client's own config; of a level and a budget, which Google refuses together, the one that the model
// knows.
func explicitConfig(t gemini.ThinkingConfig, family gemini.Family) *gemini.ThinkingConfig {
	switch {
	case t.ThinkingBudget == nil || t.ThinkingLevel == "":
	case family.Thinking == gemini.ThinkingByLevel:
		t.ThinkingBudget = nil
	default:
		t.ThinkingLevel = ""
	}
	if isOff(&t) {
		t.IncludeThoughts = false
	}
	return &t
}

// scale orders the levels; clients' efforts are the same words in lower case, and max.
var scale = []string{"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"}

// level is the supported level nearest to the wish, upwards on a tie; "" leaves it to the model.
func level(t Thinking, supported []string) string {
	want := 0
	switch {
	case t.Mode == ThinkingOff:
		return supported[0]
	case t.Effort != "":
		want = effortRank(t.Effort)
	case t.Mode == ThinkingBudget:
		want = budgetRank(t.Budget)
	default:
		return ""
	}
	best := supported[0]
	for _, l := range supported {
		if distance(l, want) <= distance(best, want) {
			best = l
		}
	}
	return best
}

func distance(level string, want int) int {
	d := slices.Index(scale, level) - want
	return max(d, -d)
}

// effortRank is the place of an effort in scale, -1 for an unknown one; max is the highest.
func effortRank(effort string) int {
	switch effort {
	case "minimal":
		return 0
	case "low":
		return 1
	case "medium":
		return 2
	case "high":
		return 3
	case "xhigh", "max":
		return 4
	}
	return -1
}

func budgetRank(budget int) int {
	switch {
	case budget <= 2048:
		return 1
	case budget <= 8192:
		return 2
	case budget <= 32768:
		return 3
	}
	return 4
}

// budget is the wish in tokens, within the model's range.
func budget(t Thinking, family gemini.Family) int {
	want := 0
	switch {
	case t.Mode == ThinkingOff && family.ZeroBudget:
		return 0
	case t.Mode == ThinkingOff:
		return family.MinBudget
	case t.Effort != "":
		want = []int{512, 1024, 8192, 24576, family.MaxBudget}[effortRank(t.Effort)]
	case t.Mode == ThinkingBudget:
		want = t.Budget
	case t.Mode == ThinkingAdaptive:
		return -1
	default:
		return family.DefaultBudget
	}
	return min(max(want, family.MinBudget), family.MaxBudget)
}
