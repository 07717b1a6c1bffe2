package fakegemini

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Explicit caching: a prefix of a prompt that later requests name instead of sending it.

// CachedContent is the body of cachedContents.create and patch; what the fake answers has no contents, tools and system.
type CachedContent struct {
	Name              string      `json:"name,omitempty"`
	Model             string      `json:"model,omitempty"`
	DisplayName       string      `json:"displayName,omitempty"`
	Contents          []Content   `json:"contents,omitempty"`
	SystemInstruction *Content    `json:"systemInstruction,omitempty"`
	Tools             []Tool      `json:"tools,omitempty"`
	ToolConfig        *ToolConfig `json:"toolConfig,omitempty"`
	TTL               string      `json:"ttl,omitempty" oneof:"expiration"`
	ExpireTime        string      `json:"expireTime,omitempty" oneof:"expiration"`
	CreateTime        string      `json:"createTime,omitempty"`
	UpdateTime        string      `json:"updateTime,omitempty"`
	Usage             *CacheUsage `json:"usageMetadata,omitempty"`
}

// CacheUsage is what a cache holds.
type CacheUsage struct {
	Total int32 `json:"totalTokenCount"`
}

type cacheList struct {
	Caches []CachedContent `json:"cachedContents,omitempty"`
}

const defaultCacheTTL = time.Hour

func (c CachedContent) expiry() time.Time {
	t, err := time.Parse(time.RFC3339, c.ExpireTime)
	if err != nil {
		return time.Time{}
	}
	return t
}

// ErrForeignCache is the 403 for a cache of another project, or none at all.
func ErrForeignCache() *APIError {
	return Err(403, "CachedContent not found (or permission denied)")
}

func (x *exchange) createCache(project string, body []byte) *refusal {
	if r := wellFormed(body); r != nil {
		return r
	}
	in := CachedContent{}
	if r := read(body, &in); r != nil {
		return r
	}
	id, ok := strings.CutPrefix(in.Model, "models/")
	if !ok || id == "" {
		return refuse(RuleCacheForm, "* CreateCachedContentRequest.model: unexpected model name format")
	}
	model, known := x.s.models.find(id)
	if !known || !model.does(methodCache) {
		return &refusal{RuleModel, ErrUnknownModel(id, methodCache)}
	}
	x.body = &GenerateContentRequest{Contents: in.Contents, SystemInstruction: in.SystemInstruction, Tools: in.Tools, ToolConfig: in.ToolConfig}
	x.s.records.update(x.rec, func(r *Recorded) { r.Model, r.Request = id, x.body })
	if r := judge(&asked{call: onCache, body: x.body, model: model, message: "CreateCachedContentRequest", signer: x.s.signer,
		project: project, files: &x.s.files, maxPDF: x.s.opts.MaxPDF}); r != nil {
		return r
	}
	expires, r := in.expires()
	if r != nil {
		return r
	}
	name, now, tokens := x.s.newID("cachedContents"), stamp(time.Now()), int32(promptTokens(x.body))
	x.then = func() {
		made := CachedContent{Name: name, Model: in.Model, DisplayName: in.DisplayName, CreateTime: now, UpdateTime: now, ExpireTime: stamp(expires), Usage: &CacheUsage{tokens}}
		x.s.caches.put(name, project, made)
		x.plain(http.StatusOK, made)
	}
	return nil
}

func (x *exchange) patchCache(project string, body []byte) *refusal {
	c, ok := x.s.caches.find(x.name, project)
	if !ok {
		return &refusal{RuleCacheOwner, ErrForeignCache()}
	}
	in := CachedContent{}
	if r := wellFormed(body); r != nil {
		return r
	}
	if r := read(body, &in); r != nil {
		return r
	}
	if in.Contents != nil || in.SystemInstruction != nil || in.Tools != nil || in.ToolConfig != nil || in.TTL == "" && in.ExpireTime == "" {
		return refuse(RuleCacheForm, "Only the expiration of a CachedContent can be updated: set ttl or expire_time.")
	}
	expires, r := in.expires()
	if r != nil {
		return r
	}
	x.then = func() {
		c.ExpireTime, c.UpdateTime = stamp(expires), stamp(time.Now())
		x.s.caches.put(c.Name, project, c)
		x.plain(http.StatusOK, c)
	}
	return nil
}

// expires is when a cache ends, by its own time, its time to live, or after an hour.
func (c CachedContent) expires() (time.Time, *refusal) {
	const kind = "type.googleapis.com/google.protobuf."
	switch {
	case c.ExpireTime != "":
		t, err := time.Parse(time.RFC3339, c.ExpireTime)
		if err != nil {
			return t, refuse(RuleType, fmt.Sprintf("Invalid value at 'cached_content.expire_time' (%sTimestamp), Field 'expire_time', Invalid time format: Failed to parse input", kind))
		}
		return t, nil
	case c.TTL != "":
		d, err := time.ParseDuration(c.TTL)
		if err != nil || !strings.HasSuffix(c.TTL, "s") || strings.HasSuffix(c.TTL, "ms") || d <= 0 {
			return time.Time{}, refuse(RuleType, fmt.Sprintf("Invalid value at 'cached_content.ttl' (%sDuration), Field 'ttl', Illegal duration format; duration must end with 's'", kind))
		}
		return time.Now().Add(d), nil
	}
	return time.Now().Add(defaultCacheTTL), nil
}

// cached is the cache that a request names; ok is false when its project has no such cache.
func (q *asked) cached() (c CachedContent, ok bool) {
	if q.body.CachedContent == "" || q.caches == nil {
		return CachedContent{}, false
	}
	return q.caches.find(q.body.CachedContent, q.project)
}

// cachedTokens is the size of the cache that a request names.
func (x *exchange) cachedTokens() int {
	c, ok := x.s.caches.find(x.body.CachedContent, x.s.project(x.rec.Key))
	if !ok || c.Usage == nil {
		return 0
	}
	return int(c.Usage.Total)
}

func cacheContents(q *asked) *refusal {
	if len(q.body.Contents) == 0 && q.body.SystemInstruction == nil {
		return refuse(RuleCacheForm, "* CreateCachedContentRequest.contents: contents is not specified")
	}
	return nil
}

func cacheSize(q *asked) *refusal {
	if n := promptTokens(q.body); n < q.model.CacheMin {
		return refuse(RuleCacheSize, fmt.Sprintf("Cached content is too small. total_token_count=%d, min_total_token_count=%d", n, q.model.CacheMin))
	}
	return nil
}

func cacheOwner(q *asked) *refusal {
	if _, ok := q.cached(); q.body.CachedContent != "" && !ok {
		return &refusal{RuleCacheOwner, ErrForeignCache()}
	}
	return nil
}

func cacheModel(q *asked) *refusal {
	if c, ok := q.cached(); ok && c.Model != "models/"+q.model.ID {
		return refuse(RuleCacheModel, fmt.Sprintf("Model used by GenerateContent request (models/%s) and CachedContent (%s) has to be the same.", q.model.ID, c.Model))
	}
	return nil
}
