package fakegemini

import (
	"fmt"
	"slices"
)

const (
	mimeJSON = "application/json"
	mimeEnum = "text/x.enum"
)

const maxStopSequences = 5

// config is the generation config, empty when absent.
func (q *asked) config() GenerationConfig {
	if q.body.GenerationConfig == nil {
		return GenerationConfig{}
	}
	return *q.body.GenerationConfig
}

func schemaMime(q *asked) *refusal {
	c := q.config()
	switch {
	case c.ResponseSchema != nil && c.ResponseJSONSchema != nil:
		return refuse(RuleSchemaMime, "Only one of response_schema and response_json_schema may be set.")
	case c.ResponseSchema == nil && c.ResponseJSONSchema == nil, c.ResponseMimeType == mimeJSON, c.ResponseMimeType == mimeEnum:
		return nil
	}
	return q.violations(RuleSchemaMime, []string{"generation_config.response_schema: only allowed when response_mime_type is application/json"})
}

func mimeTypes(q *asked) *refusal {
	switch q.config().ResponseMimeType {
	case "", "text/plain", mimeJSON, "application/xml", "application/yaml", mimeEnum:
		return nil
	}
	return q.violations(RuleMimeType, []string{"generation_config.response_mime_type: allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`."})
}

func stopSequences(q *asked) *refusal {
	if len(q.config().StopSequences) <= maxStopSequences {
		return nil
	}
	return q.violations(RuleStopSequences, []string{"generation_config.stop_sequences: the number of stop_sequences must not exceed 5"})
}

func candidates(q *asked) *refusal {
	n := q.config().CandidateCount
	switch {
	case n == nil:
		return nil
	case *n < 1 || *n > 8:
		return q.violations(RuleCandidates, []string{"generation_config.candidate_count: candidate_count must be in the range [1, 8]"})
	case *n > q.model.Family.Candidates:
		return refuse(RuleCandidates, "Multiple candidates is not enabled for models/"+q.model.ID)
	}
	return nil
}

func temperature(q *asked) *refusal {
	if t := q.config().Temperature; t != nil && (*t < 0 || *t > 2) {
		return q.violations(RuleTemperature, []string{"generation_config.temperature: temperature must be in the range [0.0, 2.0]"})
	}
	return nil
}

func topP(q *asked) *refusal {
	if p := q.config().TopP; p != nil && (*p < 0 || *p > 1) {
		return q.violations(RuleTopP, []string{"generation_config.top_p: top_p must be in the range [0.0, 1.0]"})
	}
	return nil
}

func outputTokens(q *asked) *refusal {
	n := q.config().MaxOutputTokens
	switch {
	case n == nil:
		return nil
	case *n < 1:
		return q.violations(RuleOutputTokens, []string{"generation_config.max_output_tokens: max_output_tokens must be positive"})
	case int(*n) > q.model.Output:
		return refuse(RuleOutputTokens, fmt.Sprintf("Unable to submit request because it has a maxOutputTokens value of %d but the supported range is from 1 (inclusive) to %d (exclusive). "+
			"Update the value and try again.", *n, q.model.Output+1))
	}
	return nil
}

// maxWholeOutput is the most that Gemini 4 answers in one piece.
const maxWholeOutput = 32768

func outputWhole(q *asked) *refusal {
	n := q.config().MaxOutputTokens
	if !q.model.Family.SharedTokenLimit || q.stream || n == nil || *n <= maxWholeOutput || q.body.ContinuationToken != "" {
		return nil
	}
	return refuse(RuleOutputWhole, fmt.Sprintf("Unable to submit request because it has a maxOutputTokens value of %d but without streaming the supported range is from 1 (inclusive) to %d (exclusive).", *n, maxWholeOutput+1))
}

func penalties(q *asked) *refusal {
	c := q.config()
	if !q.model.Family.Penalties && (c.PresencePenalty != nil || c.FrequencyPenalty != nil) {
		return refuse(RulePenalty, "Penalty is not enabled for models/"+q.model.ID)
	}
	return nil
}

func penaltyRange(q *asked) *refusal {
	c := q.config()
	for _, p := range []struct {
		name  string
		value *float64
	}{{"presence_penalty", c.PresencePenalty}, {"frequency_penalty", c.FrequencyPenalty}} {
		if p.value != nil && (*p.value < -2 || *p.value >= 2) {
			return q.violations(RulePenaltyRange, []string{"generation_config." + p.name + ": " + p.name + " must be in the range [-2.0, 2.0)"})
		}
	}
	return nil
}

// thinking is the thinking config, nil when absent.
func (q *asked) thinking() *ThinkingConfig { return q.config().ThinkingConfig }

func thinkingNone(q *asked) *refusal {
	if q.thinking() != nil && !q.model.Thinking.thinks() {
		return refuse(RuleThinkingNone, "Thinking is not enabled for models/"+q.model.ID)
	}
	return nil
}

func thinkingBoth(q *asked) *refusal {
	if t := q.thinking(); t != nil && t.ThinkingBudget != nil && t.ThinkingLevel != "" {
		return refuse(RuleThinkingBoth, "You can only set only one of thinking budget and thinking level.")
	}
	return nil
}

func thinkingHidden(q *asked) *refusal {
	if t := q.thinking(); t != nil && t.IncludeThoughts && t.ThinkingBudget != nil && *t.ThinkingBudget == 0 {
		return refuse(RuleThinkingHidden, "Unable to submit request because Thinking_config.include_thoughts is only enabled when thinking is enabled.")
	}
	return nil
}

func thinkingLevel(q *asked) *refusal {
	t := q.thinking()
	switch {
	case t == nil || t.ThinkingLevel == "" || t.ThinkingLevel == "THINKING_LEVEL_UNSPECIFIED":
		return nil
	case len(q.model.Thinking.Levels) == 0:
		return refuse(RuleThinkingLevel, "Thinking level is not supported for this model.")
	case !slices.Contains(q.model.Thinking.Levels, t.ThinkingLevel):
		return refuse(RuleThinkingLevel, fmt.Sprintf("Thinking level %s is not supported for this model. Please retry with other thinking level.", t.ThinkingLevel))
	}
	return nil
}

func thinkingBudget(q *asked) *refusal {
	t, can := q.thinking(), q.model.Thinking
	if t == nil || t.ThinkingBudget == nil {
		return nil
	}
	n := *t.ThinkingBudget
	switch {
	case !can.Budget:
		return refuse(RuleThinkingBudget, "Thinking budget is not supported for this model. Please use thinking level instead.")
	case n == 0 && !can.BudgetOff:
		return refuse(RuleThinkingBudget, "Budget 0 is invalid. This model only works in thinking mode.")
	case n == 0 || n == -1 || n >= can.BudgetMin && n <= can.BudgetMax:
		return nil
	}
	return refuse(RuleThinkingBudget, fmt.Sprintf("The thinking budget %d is invalid. Please choose a value between %d and %d.", n, can.BudgetMin, can.BudgetMax))
}

func cachedContent(q *asked) *refusal {
	b := q.body
	switch {
	case b.CachedContent == "":
		return nil
	case !q.model.Family.ExplicitCaching:
		return refuse(RuleCachedContent, "Explicit caching is not supported for models/"+q.model.ID)
	case b.SystemInstruction != nil || len(b.Tools) > 0 || b.ToolConfig != nil:
		return refuse(RuleCachedContent, "CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.\n\n"+
			"Proposed fix: move those values to CachedContent from GenerateContent request.")
	}
	return nil
}

func inputTokens(q *asked) *refusal {
	if n := promptTokens(q.body); n > q.model.Input {
		return &refusal{RuleInputTokens, ErrTooManyTokens(n, q.model.Input-1)}
	}
	return nil
}
