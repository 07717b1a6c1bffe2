package fakegemini

import "fmt"

func countForm(q *asked) *refusal {
	if q.count != nil && len(q.count.Contents) > 0 && q.count.GenerateContentRequest != nil {
		return refuse(RuleCountForm, "Only one of contents and generate_content_request may be set.")
	}
	return nil
}

func contentsPresent(q *asked) *refusal {
	if len(q.body.Contents) > 0 {
		return nil
	}
	return q.violations(RuleContents, []string{"contents: contents is not specified"})
}

func partsPresent(q *asked) *refusal {
	var lines []string
	for i, c := range q.body.Contents {
		if len(c.Parts) == 0 {
			lines = append(lines, fmt.Sprintf("contents[%d].parts: contents.parts must not be empty.", i))
		}
	}
	if s := q.body.SystemInstruction; s != nil && len(s.Parts) == 0 {
		lines = append(lines, "system_instruction.parts: contents.parts must not be empty.")
	}
	return q.violations(RuleParts, lines)
}

func partData(q *asked) *refusal {
	var lines []string
	q.eachPart(func(i, j int, p Part) {
		if !p.hasData() {
			lines = append(lines, fmt.Sprintf("contents[%d].parts[%d].data: required oneof field 'data' must have one initialized field", i, j))
		}
	})
	return q.violations(RulePartData, lines)
}

// hasData tells whether one of the data fields is set.
func (p Part) hasData() bool {
	return p.Text != nil || p.InlineData != nil || p.FileData != nil || p.FunctionCall != nil || p.FunctionResponse != nil ||
		p.ExecutableCode != nil || p.CodeExecutionResult != nil || p.ToolCall != nil || p.ToolResponse != nil
}

func (q *asked) eachPart(f func(content, part int, p Part)) {
	for i, c := range q.body.Contents {
		for j, p := range c.Parts {
			f(i, j, p)
		}
	}
}

func callNames(q *asked) *refusal {
	var lines []string
	q.eachPart(func(i, j int, p Part) {
		if p.FunctionCall != nil && p.FunctionCall.Name == "" {
			lines = append(lines, fmt.Sprintf("contents[%d].parts[%d].function_call.name: Name cannot be empty.", i, j))
		}
		if p.FunctionResponse != nil && p.FunctionResponse.Name == "" {
			lines = append(lines, fmt.Sprintf("contents[%d].parts[%d].function_response.name: Name cannot be empty.", i, j))
		}
	})
	return q.violations(RuleCallName, lines)
}

func responseObject(q *asked) *refusal {
	var lines []string
	q.eachPart(func(i, j int, p Part) {
		if p.FunctionResponse != nil && p.FunctionResponse.Response == nil {
			lines = append(lines, fmt.Sprintf("contents[%d].parts[%d].function_response.response: Response cannot be empty.", i, j))
		}
	})
	return q.violations(RuleResponseObject, lines)
}

func roles(q *asked) *refusal {
	for _, c := range q.body.Contents {
		if c.Role != "" && c.Role != "user" && c.Role != "model" {
			return refuse(RuleRole, "Please use a valid role: user, model.")
		}
	}
	return nil
}

func systemText(q *asked) *refusal {
	if q.body.SystemInstruction == nil {
		return nil
	}
	for _, p := range q.body.SystemInstruction.Parts {
		if p.Text == nil {
			return refuse(RuleSystemText, "System instructions only support text parts.")
		}
	}
	return nil
}
