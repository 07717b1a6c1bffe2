package front

import (
	"errors"
	"fmt"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Kind is why a request failed, in words that every client protocol has a status and an error type for.
type Kind uint8

const (
	Internal      Kind = iota // a fault of ours: 500
	Slow                      // the request did not arrive in time: 408
	Invalid                   // the request is malformed or asks for what cannot be: 400
	Overflow                  // the prompt is longer than the model takes: 400 in words that clients know
	Unauthorized              // no client token, or a wrong one: 401
	Forbidden                 // the request may not do that: 403
	Region                    // Google refuses the server's location: 403
	NotFound                  // no such path or model: 404
	TooLarge                  // body over MAX_BODY: 413
	RateLimited               // every key rests: 429
	NoKeys                    // no key is usable at all: 503
	Overloaded                // Google is overloaded, or answered nothing: 529 or 503
	UpstreamFault             // Google failed: 500
	Unreachable               // Google cannot be reached: 502
	Timeout                   // Google did not answer in time: 504
)

// Error is a failure as the client is told of it. Message never holds a key, a token or a prompt.
type Error struct {
	Kind       Kind
	Message    string
	Detail     string        // with NotFound of a model: why, for words that follow those of the protocol
	Param      string        // the field at fault, for protocols that name it
	RetryAfter time.Duration // sent as Retry-After, rounded up to seconds; 0 is none
	NoRetry    bool          // x-should-retry: false
	Code       string        // machine-readable, for protocols that have one beside the type
	Tokens     int           // with Overflow: the prompt's length, more than Limit
	Limit      int           // with Overflow: the longest prompt, 0 if unknown
}

func (e *Error) Error() string { return e.Message }

// Invalidf makes an error of kind Invalid about the field param, a dotted path, "" for none. The message begins with it.
func Invalidf(param, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	if param != "" {
		message = param + ": " + message
	}
	return &Error{Kind: Invalid, Message: message, Param: param}
}

// AsError makes any error fit for a client: an *Error as it is, a fault of the body's form as Invalid, all else as a fault
// of ours without details.
func AsError(err error) *Error {
	var e *Error
	var f *gemini.FormatError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &f) && f.Path == "":
		return Invalidf("", "the request body is not usable: %s", f.Problem)
	case errors.As(err, &f):
		return Invalidf(f.Path, "%s", f.Problem)
	}
	return &Error{Kind: Internal, Message: "internal error"}
}
