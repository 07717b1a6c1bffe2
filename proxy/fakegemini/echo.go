package fakegemini

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Parts of server-side tools come back word for word, each with its own signature (Gemini 3 and later). The signature
// holds a sum of the part, so that a part that was changed on its way is found out. Like other signatures they are
// looked at in the current turn only, and the two documented dummies pass.

const signTool = "tool"

func (p Part) isServerTool() bool { return p.ToolCall != nil || p.ToolResponse != nil }

// toolSum names a server-side part by what it says.
func toolSum(p Part) (string, error) {
	data, err := json.Marshal(Part{ToolCall: p.ToolCall, ToolResponse: p.ToolResponse})
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), err
}

func toolEcho(q *asked) *refusal {
	if !q.model.Family.SignsCalls {
		return nil
	}
	for i := q.currentTurn(); i < len(q.body.Contents); i++ {
		for _, p := range q.body.Contents[i].Parts {
			if p.isServerTool() && !q.echoes(p) {
				return refuse(RuleToolEcho, "Please ensure that tool call and tool response parts are sent back exactly as they were received, with their thought_signature.")
			}
		}
	}
	return nil
}

func (q *asked) echoes(p Part) bool {
	if isDummy(p.ThoughtSignature) {
		return true
	}
	got, ok := q.signer.open(p.ThoughtSignature)
	sum, err := toolSum(p)
	return ok && err == nil && got.Kind == signTool && got.Model == q.model.ID && got.Name == sum
}
