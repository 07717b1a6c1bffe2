package front

import "time"

// Kind is why a request failed, in words that every client protocol has a status and an error type for.
type Kind uint8

const (
	Internal      Kind = iota // a fault of ours: 500
	Invalid                   // the request is malformed or asks for what cannot be: 400
	Overflow                  // the prompt is longer than the model takes: 400 in words that clients know
	Unauthorized              // no client token, or a wrong one: 401
	Forbidden                 // the server's location is refused by Google, or the like: 403
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
	Param      string        // the field at fault, for protocols that name it
	RetryAfter time.Duration // sent as Retry-After, rounded up to seconds; 0 is none
	NoRetry    bool          // x-should-retry: false
}

func (e *Error) Error() string { return e.Message }
