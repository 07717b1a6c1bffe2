package gemini

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxMessage = 2000     // bytes of APIError.Message
	maxDetails = 64 << 10 // bytes; Google's have some hundreds
)

// APIError is a failure as Google reports it, in an HTTP body or within a stream. Every field may be zero but Code, which
// is then 500.
type APIError struct {
	Code    int    // HTTP status
	Status  string // RESOURCE_EXHAUSTED and the like
	Message string // bounded, without keys
	Reason  string // google.rpc.ErrorInfo.reason

	QuotaViolations []QuotaViolation
	RetryDelay      time.Duration // google.rpc.RetryInfo, or the message's "retry in"
	ResetDelay      time.Duration // ErrorInfo's quotaResetDelay
}

// QuotaViolation is one line of google.rpc.QuotaFailure.
type QuotaViolation struct {
	Metric string
	ID     string // GenerateRequestsPerDayPerProjectPerModel-FreeTier and the like
	Value  string // the limit
	Model  string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("gemini: %d %s: %s", e.Code, e.Status, e.Message)
}

// ParseAPIError reads the body of a failed answer: Google's envelope, the envelope in an array, or anything else, such as a
// front end's HTML page. httpStatus may be 0 where there is none.
func ParseAPIError(httpStatus int, body []byte) *APIError {
	var one envelope
	if err := json.Unmarshal(body, &one); err == nil && len(one.Error) > 0 {
		return parseErrorObject(httpStatus, one.Error)
	}
	var many []envelope
	if err := json.Unmarshal(body, &many); err == nil {
		for _, e := range many {
			if len(e.Error) > 0 {
				return parseErrorObject(httpStatus, e.Error)
			}
		}
	}
	return (&APIError{}).complete(httpStatus)
}

type envelope struct {
	Error json.RawMessage `json:"error"`
}

// errorObject keeps apart what may be of any type, so that one odd field does not hide the others.
type errorObject struct {
	Code    json.RawMessage `json:"code"`
	Status  json.RawMessage `json:"status"`
	Message json.RawMessage `json:"message"`
	Details json.RawMessage `json:"details"`
}

// errorDetail is the union of the google.rpc messages that are read.
type errorDetail struct {
	Type     string `json:"@type"`
	Reason   string `json:"reason"`
	Metadata struct {
		QuotaResetDelay string `json:"quotaResetDelay"`
	} `json:"metadata"`
	RetryDelay string `json:"retryDelay"`
	Violations []struct {
		QuotaMetric     string `json:"quotaMetric"`
		QuotaID         string `json:"quotaId"`
		QuotaValue      string `json:"quotaValue"`
		QuotaDimensions struct {
			Model string `json:"model"`
		} `json:"quotaDimensions"`
	} `json:"violations"`
}

func parseErrorObject(httpStatus int, raw json.RawMessage) *APIError {
	e := &APIError{}
	var obj errorObject
	if json.Unmarshal(raw, &obj) != nil {
		e.Message = lenient[string](raw) // {"error":"words"}
		return e.complete(httpStatus)
	}
	e.Code = lenient[int](obj.Code)
	e.Status = lenient[string](obj.Status)
	e.Message = lenient[string](obj.Message)
	if len(obj.Details) <= maxDetails {
		for _, d := range lenient[[]json.RawMessage](obj.Details) {
			e.detail(lenient[errorDetail](d))
		}
	}
	return e.complete(httpStatus)
}

// lenient decodes what can be decoded: encoding/json goes on after a value of a wrong type, and the rest stays zero.
func lenient[T any](raw json.RawMessage) T {
	var v T
	_ = json.Unmarshal(raw, &v) // absent and odd values are the same here
	return v
}

func (e *APIError) detail(d errorDetail) {
	switch d.Type[strings.LastIndexByte(d.Type, '.')+1:] {
	case "ErrorInfo":
		e.Reason = bounded(d.Reason, 100)
		e.ResetDelay = delay(d.Metadata.QuotaResetDelay)
	case "RetryInfo":
		e.RetryDelay = delay(d.RetryDelay)
	case "QuotaFailure":
		for _, v := range d.Violations {
			e.QuotaViolations = append(e.QuotaViolations, QuotaViolation{
				Metric: v.QuotaMetric, ID: v.QuotaID, Value: v.QuotaValue, Model: v.QuotaDimensions.Model,
			})
		}
	}
}

var (
	retryIn = regexp.MustCompile(`(?i)retry in ([0-9.]+(?:ms|s))`)
	// secrets are the shapes in which a key can stand in Google's words: its own forms, and whatever follows key= or api_key:
	secrets = regexp.MustCompile(`AIza[\w-]{10,}|AQ\.[\w-]{10,}|((?i:api_key|key)[=:] ?)[\w.-]{8,}`)
)

// complete derives what is missing from what is there.
func (e *APIError) complete(httpStatus int) *APIError {
	if e.Code < 400 || e.Code > 599 {
		e.Code = codeOf(e.Status)
	}
	if e.Code == 0 {
		e.Code = httpStatus
	}
	if e.Code < 400 || e.Code > 599 {
		e.Code = 500
	}
	if e.Status == "" {
		e.Status = statusOf(e.Code)
	}
	e.Status = bounded(e.Status, 100)
	e.Message = bounded(e.Message, maxDetails)
	if m := retryIn.FindStringSubmatch(e.Message); e.RetryDelay == 0 && m != nil {
		e.RetryDelay = delay(m[1])
	}
	e.Message = bounded(secrets.ReplaceAllString(e.Message, "$1***"), maxMessage)
	if e.Message == "" {
		e.Message = fmt.Sprintf("status %d without a readable message", e.Code)
	}
	return e
}

// delay reads "12.94s"; anything else, and a negative value, is 0.
func delay(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return max(d, 0)
}

// bounded cuts s at n bytes, on a character's border.
func bounded(s string, n int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// statuses is the table of google.rpc.Code; the first line of a code is the one that the code is read as.
var statuses = []struct {
	status string
	code   int
}{
	{"INVALID_ARGUMENT", 400}, {"FAILED_PRECONDITION", 400}, {"OUT_OF_RANGE", 400},
	{"UNAUTHENTICATED", 401}, {"PERMISSION_DENIED", 403}, {"NOT_FOUND", 404},
	{"ABORTED", 409}, {"ALREADY_EXISTS", 409}, {"RESOURCE_EXHAUSTED", 429}, {"CANCELLED", 499},
	{"INTERNAL", 500}, {"UNKNOWN", 500}, {"DATA_LOSS", 500}, {"UNIMPLEMENTED", 501},
	{"UNAVAILABLE", 503}, {"DEADLINE_EXCEEDED", 504},
}

func codeOf(status string) int {
	for _, s := range statuses {
		if s.status == status {
			return s.code
		}
	}
	return 0
}

func statusOf(code int) string {
	for _, s := range statuses {
		if s.code == code {
			return s.status
		}
	}
	return "UNKNOWN"
}
