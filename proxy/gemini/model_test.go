package gemini

import (
	"fmt"
	"strings"
	"testing"
)

func TestFamilyOf(t *testing.T) {
	f := func(model, want string) {
		t.Helper()
		m := FamilyOf(model)
		thinking := "none"
		switch m.Thinking {
		case ThinkingByBudget:
			thinking = fmt.Sprintf("%d..%d zero=%v default=%d", m.MinBudget, m.MaxBudget, m.ZeroBudget, m.DefaultBudget)
		case ThinkingByLevel:
			thinking = strings.Join(m.Levels, " ")
		}
		got := fmt.Sprintf("%d.%d | %s | sig=%v prefill=%v sampling=%v", m.Major, m.Minor, thinking, m.Signatures, m.Prefill, m.Sampling)
		if got != want {
			t.Errorf("%s: %s, want %s", model, got, want)
		}
		if limit := map[bool]int{true: gemmaLimit, false: outputLimit}[strings.HasPrefix(model, "gemma")]; m.OutputLimit != limit {
			t.Errorf("%s: output limit %d", model, m.OutputLimit)
		}
	}
	f("gemini-2.5-pro", "2.5 | 128..32768 zero=false default=-1 | sig=false prefill=true sampling=true")
	f("models/gemini-2.5-flash", "2.5 | 1..24576 zero=true default=-1 | sig=false prefill=true sampling=true")
	f("gemini-2.5-flash-lite", "2.5 | 512..24576 zero=true default=0 | sig=false prefill=true sampling=true")
	f("gemini-2.0-flash-001", "2.0 | none | sig=false prefill=true sampling=true")
	f("gemini-3-flash-preview", "3.0 | MINIMAL LOW MEDIUM HIGH | sig=true prefill=true sampling=true")
	f("gemini-3-pro-preview", "3.1 | LOW MEDIUM HIGH | sig=true prefill=true sampling=true")
	f("gemini-3.1-pro-preview-customtools", "3.1 | LOW MEDIUM HIGH | sig=true prefill=true sampling=true")
	f("gemini-3.1-flash-lite", "3.1 | MINIMAL LOW MEDIUM HIGH | sig=true prefill=true sampling=true")
	f("gemini-3.5-flash", "3.5 | MINIMAL LOW MEDIUM HIGH | sig=true prefill=false sampling=true")
	f("gemini-3.5-flash-lite", "3.5 | MINIMAL LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemini-3.6-flash", "3.6 | MINIMAL LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemini-3.8-flash", "3.8 | LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemini-4-argon", "4.0 | LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemini-4-neon", "4.0 | LOW MEDIUM HIGH XHIGH | sig=true prefill=false sampling=false")
	f("gemini-4-hydrogen", "4.0 | LOW MEDIUM HIGH XHIGH | sig=true prefill=false sampling=false")
	f("gemini-12.1-later", "12.1 | LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemini-flash-latest", "0.0 | LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemini-3x-odd", "0.0 | LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemini-99999999999999999999-x", "1073741824.0 | LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("", "0.0 | LOW MEDIUM HIGH | sig=true prefill=false sampling=false")
	f("gemma-4-31b-it", "0.0 | none | sig=false prefill=true sampling=true")
	f("gemini-2.5-flash-image", "2.5 | none | sig=false prefill=true sampling=true")
}

func TestSameFamily(t *testing.T) {
	f := func(a, b string, want bool) {
		t.Helper()
		if SameFamily(a, b) != want {
			t.Errorf("SameFamily(%q, %q) is %v", a, b, !want)
		}
	}
	f("gemini-3.8-flash", "models/gemini-3.8-flash", true)
	f("gemini-3-flash", "gemini-3-flash-preview-09", true)
	f("gemini-2.5-pro-002", "gemini-2.5-pro", true)
	f("gemini-3-pro-preview", "gemini-3.1-pro-preview", true)
	f("gemini-3.8-flash", "gemini-3.7-flash", false)
	f("gemini-3.5-flash", "gemini-3.5-flash-lite", false)
}

func TestFinishClass(t *testing.T) {
	f := func(want FinishClass, reasons ...FinishReason) {
		t.Helper()
		for _, r := range reasons {
			if r.Class() != want {
				t.Errorf("%q is class %d, want %d", r, r.Class(), want)
			}
		}
	}
	f(FinishIncomplete, "", "FINISH_REASON_UNSPECIFIED")
	f(FinishOK, "STOP")
	f(FinishLength, "MAX_TOKENS")
	f(FinishContinue, "CONTINUATION")
	f(FinishRefusal, "SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION", "LANGUAGE", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE")
	f(FinishRetry, "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE")
	f(FinishOther, "OTHER", "TOO_MANY_TOOL_CALLS", "FOO")
}
