package fakegemini

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Thought signatures. The fake signs what it says, and takes back only what it signed: a signature names the model, the
// kind of part and, for a call, its function and its place among parallel calls, all under a keyed hash. Signatures carry
// a rising number, so that two of them that changed places are found out. As Google does, only the current turn is looked at:
// everything after the last user content that holds something other than function responses. Two documented values
// pass unchecked.

const (
	signCall = "call"
	signText = "text"
)

type signed struct {
	Model  string `json:"m"`
	Kind   string `json:"k"`
	Name   string `json:"n,omitempty"`
	Serial int64  `json:"s"`
	Pad    string `json:"p"` // real signatures are a few hundred bytes long
}

type signer struct {
	mu     sync.Mutex
	secret []byte
	last   int64
}

func newSigner(secret string) *signer { return &signer{secret: []byte("fakegemini:" + secret)} }

// rotate makes every signature so far invalid.
func (s *signer) rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = []byte(rand.Text())
}

// sign makes a signature in standard base64.
func (s *signer) sign(model, kind, name string) (Bytes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, time.Now().UnixNano())
	payload, err := json.Marshal(signed{Model: model, Kind: kind, Name: name, Serial: s.last, Pad: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xef, 0xff}, 40))})
	if err != nil {
		return "", fmt.Errorf("cannot sign a %s part: %w", kind, err)
	}
	return Bytes(base64.StdEncoding.EncodeToString(append(s.sum(payload), payload...))), nil
}

func (s *signer) sum(payload []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write(payload)
	return h.Sum(nil)
}

// open reads a signature back; false if it isn't ours.
func (s *signer) open(sig Bytes) (signed, bool) {
	raw, err := decodeBase64(string(sig))
	if err != nil || len(raw) < sha256.Size {
		return signed{}, false
	}
	s.mu.Lock()
	good := hmac.Equal(raw[:sha256.Size], s.sum(raw[sha256.Size:]))
	s.mu.Unlock()
	var out signed
	if !good || json.Unmarshal(raw[sha256.Size:], &out) != nil {
		return signed{}, false
	}
	return out, true
}

// isDummy tells whether a signature is one of the two that skip validation, plain or in base64.
func isDummy(sig Bytes) bool {
	for _, word := range []string{"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"} {
		coded, err := decodeBase64(string(sig))
		if string(sig) == word || err == nil && string(coded) == word {
			return true
		}
	}
	return false
}

// currentTurn is the index of the first content of the current turn.
func (q *asked) currentTurn() int {
	for i, c := range slices.Backward(q.body.Contents) {
		if !c.isModel() && !c.onlyResponses() {
			return i + 1
		}
	}
	return 0
}

// isStepStart tells whether content i begins a model step.
func (q *asked) isStepStart(i int) bool { return i == 0 || !q.body.Contents[i-1].isModel() }

func signaturesPresent(q *asked) *refusal {
	if !q.model.Family.SignsCalls {
		return nil
	}
	seen := false
	for i := q.currentTurn(); i < len(q.body.Contents); i++ {
		c := q.body.Contents[i]
		if q.isStepStart(i) {
			seen = false
		}
		for _, p := range c.Parts {
			if p.FunctionCall == nil || seen {
				continue
			}
			seen = true
			if p.ThoughtSignature == "" {
				return refuse(RuleSignMissing, missingText(p.FunctionCall.Name, i+1))
			}
		}
	}
	return nil
}

func missingText(name string, position int) string {
	return fmt.Sprintf("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. "+
		"Additional data, function call `default_api:%s` , position %d. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.", name, position)
}

func signaturesValid(q *asked) *refusal {
	if !q.model.Family.SignsCalls {
		return nil
	}
	last := int64(0)
	for i := q.currentTurn(); i < len(q.body.Contents); i++ {
		for _, p := range signedParts(q.body.Contents[i]) {
			if isDummy(p.part.ThoughtSignature) {
				continue
			}
			got, ok := q.signer.open(p.part.ThoughtSignature)
			if !ok || !p.fits(got) || got.Model != q.model.ID || got.Serial <= last {
				return &refusal{RuleSignInvalid, ErrCorruptedSignature()}
			}
			last = got.Serial
		}
	}
	return nil
}

// placed is a signed part and how many calls stand before it in its content.
type placed struct {
	part  Part
	calls int
}

func signedParts(c Content) []placed {
	var out []placed
	calls := 0
	for _, p := range c.Parts {
		if p.ThoughtSignature != "" && !p.isServerTool() {
			out = append(out, placed{p, calls})
		}
		if p.FunctionCall != nil {
			calls++
		}
	}
	return out
}

// fits tells whether the signature was made for such a part: the first call of that name, or a text.
func (p placed) fits(s signed) bool {
	if p.part.FunctionCall != nil {
		return s.Kind == signCall && p.calls == 0 && p.part.FunctionCall.Name == s.Name
	}
	return s.Kind == signText && p.part.Text != nil
}
