package provision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// Plan is what a deploy would do, in its order. Without steps the server is as it should be.
type Plan struct {
	Host  string
	Steps []converge.StepInfo
	Notes []string // what is left alone and a person should know of
}

// Part is all steps of one group.
type Part struct {
	Group converge.Group
	Steps []converge.StepInfo
}

// Parts are the groups of p, in the order of their first steps. A plan may come back to a group later.
func (p Plan) Parts() []Part {
	var parts []Part
	for _, step := range p.Steps {
		i := slices.IndexFunc(parts, func(part Part) bool { return part.Group == step.Group })
		if i < 0 {
			i, parts = len(parts), append(parts, Part{Group: step.Group})
		}
		parts[i].Steps = append(parts[i].Steps, step)
	}
	return parts
}

// Diff is the unified diff of the file that a step writes. It is empty where the step changes no text, and for every file
// that may hold a secret.
func Diff(step converge.StepInfo) string {
	if step.Before == nil || step.After == nil {
		return ""
	}
	_, path, _ := strings.Cut(step.ID, ":")
	return udiff.Unified(label(*step.Before, path), label(*step.After, path), *step.Before, *step.After)
}

// label names a side of a diff; one without a text is a file that is not there.
func label(text, path string) string {
	if text == "" {
		return "/dev/null"
	}
	return path
}

// address has what the server says in a plan name this server as the person does.
func (d *deploy) address(plan *converge.PlanMessage) {
	plan.Closed = converge.ForHost(plan.Closed, d.Named)
	for i, note := range plan.Notes {
		plan.Notes[i] = converge.ForHost(note, d.Named)
	}
	for i, found := range plan.Findings {
		plan.Findings[i].Cure = converge.ForHost(found.Cure, d.Named)
	}
}

// count is "1 step", "2 steps".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
