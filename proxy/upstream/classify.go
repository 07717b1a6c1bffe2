package upstream

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// classify names what Google reported: by the body first, then by the status. tokens is an estimate of the prompt.
func classify(e *gemini.APIError, tokens int, now time.Time) *Error {
	out := &Error{Status: e.Code, Message: e.Message}
	switch {
	case e.Code == 429:
		out.quota(e, tokens, now)
	case e.Reason == "API_KEY_INVALID" || e.Code < 500 && begins(e, "api key not valid", "api key not found", "api key expired"):
		out.Kind = KeyInvalid
	case e.Code == 401 && e.Reason == "CREDENTIALS_MISSING":
		out.Kind = NeedsOAuth
	case e.Code == 401 || e.Reason == "ACCESS_TOKEN_TYPE_UNSUPPORTED":
		out.Kind = KeyInvalid
	case e.Code == 403:
		out.Kind = forbidden(e)
	case e.Code == 404 && !begins(e, "model", "this model", "the model", "publisher model"):
		out.Kind = NotFound
	case e.Code == 409 && e.Status == "ALREADY_EXISTS":
		out.Kind = BadRequest
	case e.Code == 400:
		out.badRequest(e)
	default:
		out.Kind = byStatus(e.Code)
	}
	return out
}

// begins reports whether the message begins with one of the phrases, which are in lower case. Where a key may suffer from what
// a message says, nothing else will do: Google quotes names and values of the request, and those are the client's.
func begins(e *gemini.APIError, phrases ...string) bool {
	message := strings.ToLower(e.Message)
	for _, p := range phrases {
		if strings.HasPrefix(message, p) {
			return true
		}
	}
	return false
}

// says reports whether the message has one of the phrases, which are in lower case.
func says(e *gemini.APIError, phrases ...string) bool {
	message := strings.ToLower(e.Message)
	for _, p := range phrases {
		if strings.Contains(message, p) {
			return true
		}
	}
	return false
}

func forbidden(e *gemini.APIError) Kind {
	switch {
	case begins(e, "your api key was reported as leaked", "api key was reported as leaked"):
		return KeyLeaked
	case e.Reason == "BILLING_DISABLED" || begins(e, needsBilling):
		return NoBilling
	case e.Reason == "CONSUMER_SUSPENDED" || e.Reason == "CONSUMER_INVALID" || begins(e, "your project has been denied access", "your project has been suspended"):
		return KeySuspended
	case begins(e, "permission denied: consumer 'api_key:", "consumer 'api_key:") && says(e, "has been suspended"):
		return KeySuspended
	case e.Reason == "SERVICE_DISABLED" || unused.MatchString(e.Message):
		return ServiceOff
	case strings.HasPrefix(e.Reason, "API_KEY_"), begins(e, "requests to this api") && says(e, "are blocked"):
		return KeyBlocked
	case begins(e, "method doesn't allow unregistered callers"):
		return Unknown // no key was sent, which is our fault
	case ofModel.MatchString(e.Message):
		return NoModel
	case begins(e, "you do not have permission to access the file", "you do not have permission to access the cached", "cachedcontent"):
		return Forbidden
	default:
		return Denied
	}
}

// needsBilling is Google's word on a project whose billing is off; it comes as a 403 and as a 400.
const needsBilling = "this api method requires billing to be enabled"

var (
	// unused is an API that was never switched on in the key's project, by the API's own name.
	unused = regexp.MustCompile(`^[\w ]{1,60} API has not been used in project \w+ before or it is disabled`)
	// ofModel is a refusal of a model; files and caches, which clients name, stand behind words of their own.
	ofModel    = regexp.MustCompile(`(?i)^(?:[a-z ,:']{0,60} (?:on|to|use|access) (?:the )?(?:model |resource )?['"]?)?models/`)
	tokenCount = regexp.MustCompile(`(?i)token count(?: \((\d+)\))? exceeds the maximum(?: number of tokens allowed)?(?: \((\d+)\))?`)
	signature  = regexp.MustCompile(`(?i)thought[ _]?signature`)
)

// vague is all that Google says at times of a signature in a long history, or of a schema (seen in reports); it may mean any
// other fault as well.
const vague = "Request contains an invalid argument."

func (out *Error) badRequest(e *gemini.APIError) {
	switch m := tokenCount.FindStringSubmatch(e.Message); {
	case e.Status == "FAILED_PRECONDITION" && begins(e, "user location is not supported"):
		out.Kind = Region
	case e.Status == "FAILED_PRECONDITION" && begins(e, "gemini api free tier", "please enable billing", needsBilling):
		out.Kind = NoBilling
	case m != nil:
		out.Kind = Overflow
		out.Tokens, out.Limit = number(m[1]), number(m[2])
	default:
		out.Kind = mendable(e)
	}
}

// mendable tells apart what a request can be mended of; BadRequest is the rest. Where a fault lies is asked first: the names of
// properties, which may be any words, stand behind it.
func mendable(e *gemini.APIError) Kind {
	switch {
	case says(e, "function_declarations[", "'tools["):
		if says(e, "parameters", "schema", "unknown name", "invalid value at") {
			return Schema
		}
		return BadRequest
	case says(e, "response_schema", "response_json_schema", "responseschema", "responsejsonschema", "response mime type", "response_mime_type"):
		return Output
	case signature.MatchString(e.Message):
		return Signature
	case e.Message == vague:
		return Unsaid
	case says(e, "thinking"):
		return Thinking
	case says(e, "safety_setting", "safety setting"):
		return Safety
	case says(e, "too many states", "nesting depth"):
		return States
	case says(e, "parameters", "schema"):
		return Schema
	}
	return BadRequest
}

// byStatus names the errors that no words tell apart.
func byStatus(code int) Kind {
	switch code {
	case 404:
		return NoModel
	case 413:
		return TooLarge
	case 405, 406, 411, 412, 414, 415, 416, 422, 431:
		return BadRequest // a client's own call may have any form
	case 499:
		return ServerFault // Google says that somebody hung up, and it was not us
	case 500:
		return ServerFault
	case 503:
		return Overloaded
	case 504:
		return Deadline
	}
	if code >= 500 {
		return BadGateway
	}
	return Unknown
}

var (
	limitZero = regexp.MustCompile(`(?i)limit: 0\b`)
	perDay    = regexp.MustCompile(`(?i)per ?day|daily`)
	perMinute = regexp.MustCompile(`(?i)per ?minute`)
)

// quota tells the limits apart that a 429 may mean. The generic opening sentence, which has the word billing, says nothing.
func (out *Error) quota(e *gemini.APIError, tokens int, now time.Time) {
	v := quotaFacts(e)
	out.Limits = v.limits
	switch {
	case v.zero:
		out.Kind = NoAccess
	case v.day:
		out.Kind, out.Rest = DayQuota, keys.NextDay(now).Sub(now)
	case v.limits.Tokens > 0 && int64(tokens) > v.limits.Tokens:
		out.Kind, out.Tokens, out.Limit = SizeQuota, tokens, int(v.limits.Tokens)
	case says(e, "credits are depleted", "insufficient credits") || says(e, "prepay") && says(e, "billing"):
		out.Kind, out.Rest = Depleted, e.ResetDelay
	case says(e, "spending cap", "spend cap") || e.Reason == "QUOTA_EXHAUSTED":
		out.Kind, out.Rest = SpendCap, e.ResetDelay
	case v.minute || e.RetryDelay > 0 && !noCapacity(e):
		out.Kind, out.Rest = MinuteQuota, e.RetryDelay
	default:
		out.Kind, out.Rest = Throttled, e.RetryDelay
	}
}

// noCapacity is Google's own shortage, which is nobody's quota.
func noCapacity(e *gemini.APIError) bool {
	return e.Reason == "MODEL_CAPACITY_EXHAUSTED" || says(e, "exhausted your capacity")
}

type facts struct {
	zero, day, minute bool
	limits            keys.Limits // of what was exceeded
}

// quotaFacts reads the violations and, in their absence, the message.
func quotaFacts(e *gemini.APIError) facts {
	f := facts{zero: limitZero.MatchString(e.Message), day: perDay.MatchString(e.Message)}
	for _, v := range e.QuotaViolations {
		f.zero = f.zero || v.Value == "0"
		day, minute, value := perDay.MatchString(v.ID), perMinute.MatchString(v.ID), int64(number(v.Value))
		f.day, f.minute = f.day || day, f.minute || minute
		switch requests := strings.Contains(v.ID, "Requests"); {
		case minute && strings.Contains(v.ID, "InputTokens"):
			f.limits.Tokens = value
		case minute && requests:
			f.limits.Requests = value
		case day && requests:
			f.limits.Day = value
		}
	}
	return f
}

// number reads digits; what is none, or too long, is 0.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
