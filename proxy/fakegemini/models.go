package fakegemini

import (
	"cmp"
	"slices"
)

// Thinking says how a model's thinking is steered.
type Thinking struct {
	Levels    []ThinkingLevel // levels taken; empty: a level is refused
	Budget    bool            // thinkingBudget taken
	BudgetMin int32           // smallest budget but for 0 and -1
	BudgetMax int32
	BudgetOff bool          // a budget of 0 turns thinking off
	Default   ThinkingLevel // how hard it thinks unasked; for models of budgets a rough equal
}

// thinks tells whether the model thinks at all.
func (t Thinking) thinks() bool { return t.Budget || len(t.Levels) > 0 }

// usual returns the thinking with a default level.
func (t Thinking) usual(level ThinkingLevel) Thinking {
	t.Default = level
	return t
}

// Family is what models of one generation have in common (Gemini API docs and recorded traffic).
type Family struct {
	Name             string
	SignsCalls       bool    // calls must come back with their signature
	ModelLast        bool    // a conversation may end in a model turn
	Penalties        bool    // presence and frequency penalties taken
	Candidates       int32   // most candidates
	MixesBuiltIns    bool    // built-in tools beside functions, with the flag; also functions beside application/json
	EndsWithEmpty    bool    // a stream's last chunk is an empty text with the finish reason
	CallIDs          callIDs // whether calls carry an id
	CallRows         bool    // several model contents in a row, each with a call, answered by one content
	ResponseMedia    bool    // functionResponse.parts taken
	ExplicitCaching  bool
	SharedTokenLimit bool // input and output share one window
}

type callIDs int

const (
	idsNever callIDs = iota
	idsSometimes
	idsAlways
)

// Model is one entry of the fake's table. Alias names the model that answers instead; the rest is then taken from it.
type Model struct {
	ID       string
	Alias    string
	Display  string
	Family   Family
	Thinking Thinking
	Input    int // tokens
	Output   int // tokens
	Methods  []string
	Embeds   Embedding
	CacheMin int // tokens of the smallest cache; 0: 4096
}

// Embedding says what a model of vectors does.
type Embedding struct {
	Dimensions int  // most, and those of a vector unasked
	Media      bool // takes more than text
	Unit       bool // shortened vectors are of length 1 again, and the task type is ignored
	Usage      bool // answers with usageMetadata
}

var (
	gen2 = Family{Name: "2.x", ModelLast: true, Penalties: true, Candidates: 8, ExplicitCaching: true}
	gen3 = Family{Name: "3", SignsCalls: true, ModelLast: true, Penalties: true, Candidates: 8, MixesBuiltIns: true, EndsWithEmpty: true,
		CallIDs: idsNever, CallRows: true, ResponseMedia: true, ExplicitCaching: true}
	gen3mixed = with(gen3, func(f *Family) { f.CallIDs = idsSometimes })
	gen35lite = with(gen3, func(f *Family) {
		f.Name, f.ModelLast, f.Penalties, f.CallIDs = "3.5-flash-lite and newer", false, false, idsAlways
	})
	gen4 = with(gen35lite, func(f *Family) {
		f.Name, f.Candidates, f.ExplicitCaching, f.SharedTokenLimit = "4", 1, false, true
	})
)

func with(f Family, change func(*Family)) Family {
	change(&f)
	return f
}

var (
	threeLevels = Thinking{Levels: []ThinkingLevel{"LOW", "MEDIUM", "HIGH"}, Budget: true, BudgetMax: 65536, BudgetOff: true}
	fourLevels  = Thinking{Levels: []ThinkingLevel{"MINIMAL", "LOW", "MEDIUM", "HIGH"}, Budget: true, BudgetMax: 65536, BudgetOff: true}
	onlyLevels  = Thinking{Levels: []ThinkingLevel{"LOW", "MEDIUM", "HIGH"}}
	extraLevels = Thinking{Levels: []ThinkingLevel{"LOW", "MEDIUM", "HIGH", "XHIGH"}}
)

const (
	inputLimit  = 1048576
	outputLimit = 65536

	defaultCacheMin = 4096
	methodCache     = "createCachedContent"
)

var embedMethods = []string{"embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"}

// Models is the fake's table: the models that Google serves, by family.
func Models() []Model {
	list := []Model{
		{ID: "gemini-2.5-pro", Family: gen2, Thinking: Thinking{Budget: true, BudgetMin: 128, BudgetMax: 32768, Default: "MEDIUM"}},
		{ID: "gemini-2.5-flash", Family: gen2, Thinking: Thinking{Budget: true, BudgetMin: 1, BudgetMax: 24576, BudgetOff: true, Default: "MEDIUM"}, CacheMin: 1024},
		{ID: "gemini-2.5-flash-lite", Family: gen2, Thinking: Thinking{Budget: true, BudgetMin: 512, BudgetMax: 24576, BudgetOff: true, Default: "MINIMAL"}, CacheMin: 1024},
		{ID: "gemini-3-flash-preview", Family: gen3mixed, Thinking: fourLevels.usual("HIGH"), CacheMin: 1024},
		{ID: "gemini-3-pro-preview", Alias: "gemini-3.1-pro-preview"},
		{ID: "gemini-3.1-pro-preview", Family: gen3, Thinking: threeLevels.usual("HIGH")},
		{ID: "gemini-3.1-pro-preview-customtools", Family: gen3, Thinking: threeLevels.usual("HIGH")},
		{ID: "gemini-3.1-flash-lite", Family: gen3mixed, Thinking: fourLevels.usual("MINIMAL")},
		{ID: "gemini-3.5-flash", Family: gen3mixed, Thinking: fourLevels.usual("MEDIUM")},
		{ID: "gemini-3.5-flash-lite", Family: gen35lite, Thinking: fourLevels.usual("MINIMAL")},
		{ID: "gemini-3.6-flash", Family: gen35lite, Thinking: fourLevels.usual("MEDIUM")},
		{ID: "gemini-3.7-flash", Family: gen35lite, Thinking: threeLevels.usual("MEDIUM")},
		{ID: "gemini-3.8-flash", Family: gen35lite, Thinking: threeLevels.usual("MEDIUM")},
		{ID: "gemini-4-argon", Family: gen4, Thinking: onlyLevels.usual("MEDIUM")},
		{ID: "gemini-4-carbon", Family: gen4, Thinking: onlyLevels.usual("MEDIUM")},
		{ID: "gemini-4-neon", Family: gen4, Thinking: extraLevels.usual("HIGH")},
		{ID: "gemini-4-hydrogen", Family: gen4, Thinking: extraLevels.usual("HIGH")},
		{ID: "gemini-flash-latest", Alias: "gemini-3.8-flash"},
		{ID: "gemini-flash-lite-latest", Alias: "gemini-3.5-flash-lite"},
		{ID: "gemini-pro-latest", Alias: "gemini-3.1-pro-preview"},
		{ID: "gemma-4-26b-a4b-it", Family: gen2, Input: 131072, Output: 8192},
		{ID: "gemma-4-31b-it", Family: gen2, Input: 131072, Output: 8192},
		{ID: "gemini-embedding-001", Input: 2048, Output: 1, Methods: embedMethods, Embeds: Embedding{Dimensions: 3072}},
		{ID: "gemini-embedding-2-preview", Input: 8192, Output: 1, Methods: embedMethods, Embeds: Embedding{Dimensions: 3072, Media: true, Unit: true}},
		{ID: "gemini-embedding-2", Input: 8192, Output: 1, Methods: embedMethods, Embeds: Embedding{Dimensions: 3072, Media: true, Unit: true, Usage: true}},
	}
	return list
}

// modelTable is the table of one server, in the order of the listing.
type modelTable []Model

func newModelTable(list []Model) modelTable {
	if list == nil {
		list = Models()
	}
	out := slices.Clone(list)
	for i := range out {
		m := &out[i]
		m.Input = cmp.Or(m.Input, inputLimit)
		if m.Family.SharedTokenLimit {
			m.Output = cmp.Or(m.Output, m.Input)
		}
		m.Output = cmp.Or(m.Output, outputLimit)
		m.CacheMin = cmp.Or(m.CacheMin, defaultCacheMin)
		m.Family.Candidates = max(1, m.Family.Candidates)
		if m.Methods == nil {
			m.Methods = []string{verbGenerate, verbCount, "batchGenerateContent"}
			if m.Family.ExplicitCaching {
				m.Methods = append(m.Methods, methodCache)
			}
		}
	}
	return out
}

// find returns the model that answers for id: an alias is followed once.
func (t modelTable) find(id string) (Model, bool) {
	m, ok := t.named(id)
	if ok && m.Alias != "" {
		return t.named(m.Alias)
	}
	return m, ok
}

func (t modelTable) named(id string) (Model, bool) {
	i := slices.IndexFunc(t, func(m Model) bool { return m.ID == id })
	if i < 0 {
		return Model{}, false
	}
	return t[i], true
}

// does tells whether the model has the method of a verb.
func (m Model) does(verb string) bool {
	method := verb
	switch verb {
	case verbGet:
		return true
	case verbStream:
		method = verbGenerate
	case verbBatch:
		method = verbEmbed
	}
	return slices.Contains(m.Methods, method)
}
