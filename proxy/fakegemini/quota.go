package fakegemini

import (
	"fmt"
	"strconv"
	"time"
)

const quotaOpening = "You exceeded your current quota, please check your plan and billing details. " +
	"For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. "

const (
	freeRequests = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
	freeInput    = "generativelanguage.googleapis.com/generate_content_free_tier_input_token_count"
)

// Quota is one exceeded quota of one model, the data of a 429.
type Quota struct {
	Model  string
	Metric string // empty: the free tier's requests
	ID     string // quotaId, for instance GenerateRequestsPerMinutePerProjectPerModel-FreeTier
	Limit  int
	Retry  time.Duration // retryDelay; 0 leaves RetryInfo out
}

// ErrQuota is the full 429 of one quota.
func ErrQuota(q Quota) *APIError {
	if q.Metric == "" {
		q.Metric = freeRequests
	}
	limit := strconv.Itoa(q.Limit)
	e := Err(429, fmt.Sprintf("%s\n* Quota exceeded for metric: %s, limit: %s, model: %s", quotaOpening, q.Metric, limit, q.Model))
	e.Details = []Detail{
		{Type: typeHelp, Links: []Link{{Description: "Learn more about Gemini API quotas", URL: "https://ai.google.dev/gemini-api/docs/rate-limits"}}},
		{Type: typeQuota, Violations: []QuotaViolation{{QuotaMetric: q.Metric, QuotaID: q.ID, QuotaValue: limit,
			QuotaDimensions: map[string]string{"location": "global", "model": q.Model}}}},
	}
	if q.Retry > 0 {
		delay := seconds(q.Retry)
		e.Message += "\nPlease retry in " + delay + "."
		e.Details = append(e.Details, Detail{Type: typeRetry, RetryDelay: delay})
	}
	return e
}

// ErrQuotaPerMinute is the 429 of the free tier's requests a minute.
func ErrQuotaPerMinute(model string, retry time.Duration) *APIError {
	return ErrQuota(Quota{Model: model, ID: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", Limit: 10, Retry: retry})
}

// ErrQuotaPerDay is the 429 of the free tier's requests a day. Its retryDelay is short and means nothing.
func ErrQuotaPerDay(model string) *APIError {
	return ErrQuota(Quota{Model: model, ID: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", Limit: 20, Retry: 12 * time.Second})
}

// ErrQuotaTokensPerMinute is the 429 of the input tokens a minute.
func ErrQuotaTokensPerMinute(model string, limit int, retry time.Duration) *APIError {
	return ErrQuota(Quota{Model: model, Metric: freeInput,
		ID: "GenerateContentInputTokensPerModelPerMinute-FreeTier", Limit: limit, Retry: retry})
}

// ErrQuotaZero is the 429 for a model that this tier has no access to (limit: 0).
func ErrQuotaZero(model string) *APIError {
	return ErrQuota(Quota{Model: model, ID: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", Limit: 0, Retry: 30 * time.Second})
}

// ErrQuotaRecorded is the leaner 429 of recorded traffic: violations of quotaId only, no lines in the message.
func ErrQuotaRecorded(quotaID string, retry time.Duration) *APIError {
	e := Err(429, quotaOpening)
	e.Details = []Detail{{Type: typeQuota, Violations: []QuotaViolation{{QuotaID: quotaID}}}, {Type: typeRetry, RetryDelay: seconds(retry)}}
	return e
}

// ErrExhausted is the 429 without details.
func ErrExhausted() *APIError { return Err(429, "Resource has been exhausted (e.g. check quota).") }

// ErrCapacity is the 429 of a model that has no room at the moment.
func ErrCapacity() *APIError {
	e := Err(429, "You have exhausted your capacity on this model.")
	e.Details = []Detail{{Type: typeErrorInfo, Reason: "MODEL_CAPACITY_EXHAUSTED", Domain: "googleapis.com"}}
	return e
}

// ErrQuotaReset is the 429 of a whole project whose quota comes back after a while.
func ErrQuotaReset(after time.Duration) *APIError {
	e := Err(429, "You have exhausted your quota.")
	e.Details = []Detail{{Type: typeErrorInfo, Reason: "QUOTA_EXHAUSTED", Domain: "googleapis.com", Metadata: map[string]string{"quotaResetDelay": after.String()}}}
	return e
}

// ErrCreditsDepleted is the 429 of a project that has no money left.
func ErrCreditsDepleted() *APIError {
	return Err(429, "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.")
}

// ErrSpendCap is the 429 of a project's own cap.
func ErrSpendCap() *APIError {
	return Err(429, "Your project has exceeded its spending cap. Please go to AI Studio to manage your project spend cap.")
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }
