package fetch

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// place is where an address stands in a request: all parts with the same address are one.
type place struct {
	address string
	param   string
	hint    string // its media type, where the client said one
	parts   []*gemini.Part
	last    int // the content that names it last

	medium *medium
	err    error
}

// Resolve replaces every address of the web in req by what is there. Addresses that Google knows better, of YouTube and of
// its own files, stay. keep says that the model takes addresses itself: then what a public host does not give stays an address
// too. A conversation grows, so what is beyond the bounds of number, size and time is left out in words, the oldest first, as
// long as the current step does not name it; leftOut is how many addresses that were. The error is an *front.Error that names
// the client's field, and never the address.
func (f *Fetcher) Resolve(ctx context.Context, req *gemini.Request, keep bool) (leftOut int, refusal *front.Error) {
	places := find(req)
	if len(places) == 0 {
		return 0, nil
	}
	slices.SortStableFunc(places, func(a, b *place) int { return cmp.Compare(b.last, a.last) })
	ctx, cancel := context.WithTimeout(ctx, f.o.MaxTime)
	defer cancel()
	f.fillAll(ctx, places)
	current := currentStep(req)
	for _, p := range places {
		if p.last < current && (p.err == errMany || p.err == errFull || p.err != nil && ctx.Err() != nil) {
			p.leaveOut()
			leftOut++
		} else if refusal := p.settle(keep); refusal != nil {
			return 0, refusal
		}
	}
	return leftOut, nil
}

// currentStep is the first content after what the model said last: what it is asked to look at now.
func currentStep(req *gemini.Request) int {
	i := len(req.Contents)
	for i > 0 && req.Contents[i-1].Role != gemini.RoleModel {
		i--
	}
	return i
}

// fillAll gets the data of as many places as there may be, the first ones first.
func (f *Fetcher) fillAll(ctx context.Context, places []*place) {
	var total atomic.Int64
	var wait sync.WaitGroup
	slots := make(chan struct{}, f.o.Parallel)
	for i, p := range places {
		if i >= f.o.MaxCount {
			p.err = errMany
			continue
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			f.fill(ctx, p, &total)
		})
	}
	wait.Wait()
}

// leaveOut puts a text in the place of what does not fit. It is a file, since a tool's result holds nothing else.
func (p *place) leaveOut() {
	for _, part := range p.parts {
		part.FileData = nil
		part.InlineData = &gemini.Blob{MimeType: "text/plain", Data: base64.StdEncoding.EncodeToString([]byte(leftOutWords))}
	}
}

const leftOutWords = "[A file stood here. It was left out, since this conversation has more files than fit into one request.]"

var (
	errFull = &problem{words: "there is no room for it in the request", final: true}
	errMany = &problem{words: "there are too many different URLs in the request", final: true}
)

// fill gets one place's data.
func (f *Fetcher) fill(ctx context.Context, p *place, total *atomic.Int64) {
	copies := int64(len(p.parts)) // each part that names the address carries the data
	left := (f.o.MaxTotal - total.Load()) / copies
	if left <= 0 {
		p.err = errFull
		return
	}
	if p.medium, p.err = f.get(ctx, p.address, left); p.err != nil {
		if why, ok := p.err.(*problem); ok && why.large && left < f.o.MaxBytes {
			p.err = errFull
		}
		return
	}
	if total.Add(copies*int64(len(p.medium.data))) > f.o.MaxTotal {
		p.medium, p.err = nil, errFull
	}
}

// settle puts the outcome into the request.
func (p *place) settle(keep bool) *front.Error {
	if p.err == nil {
		blob := &gemini.Blob{MimeType: p.medium.mimeType, Data: base64.StdEncoding.EncodeToString(p.medium.data)}
		for _, part := range p.parts {
			part.FileData, part.InlineData = nil, blob
		}
		return nil
	}
	var why *problem
	if !keep || errors.As(p.err, &why) && why.final {
		return front.Invalidf(p.param, "the URL cannot be used: %s", p.err)
	}
	return p.leave(p.err.Error())
}

// leave lets the model get the address itself, for which it must be told the type.
func (p *place) leave(why string) *front.Error {
	mimeType := p.hint
	if mimeType == "" {
		mimeType = Guess(p.address)
	}
	if mimeType == "" {
		return front.Invalidf(p.param, "the URL cannot be used: %s", why)
	}
	for _, part := range p.parts {
		part.FileData = &gemini.FileData{FileURI: p.address, MimeType: mimeType}
	}
	return nil
}

// Leave does without fetching: addresses stay for a model that takes them, with their type; keep is false for one that does
// not, which makes each of them an error. off says why nothing is fetched.
func Leave(req *gemini.Request, keep bool, off string) *front.Error {
	for _, p := range find(req) {
		if !keep {
			return front.Invalidf(p.param, "the URL cannot be used: %s", off)
		}
		if refusal := p.leave("its media type cannot be told from its name, and " + off); refusal != nil {
			return refusal
		}
	}
	return nil
}

// find lists the addresses of the web in a request, in their order.
func find(req *gemini.Request) []*place {
	if req == nil {
		return nil
	}
	var places []*place
	known := map[string]*place{}
	note := func(part *gemini.Part, content int) {
		file := part.FileData
		if file == nil || !fetchable(file.FileURI) {
			return
		}
		p := known[file.FileURI]
		if p == nil {
			p = &place{address: file.FileURI, param: file.Param, hint: file.MimeType}
			known[file.FileURI] = p
			places = append(places, p)
		}
		p.parts, p.last = append(p.parts, part), content
	}
	for i := range req.Contents {
		for j := range req.Contents[i].Parts {
			part := &req.Contents[i].Parts[j]
			note(part, i)
			if part.FunctionResponse != nil {
				for k := range part.FunctionResponse.Parts {
					note(&part.FunctionResponse.Parts[k], i)
				}
			}
		}
	}
	return places
}

// fetchable reports whether an address is of the web and not one that Google knows better.
func fetchable(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return strings.HasPrefix(address, "http")
	}
	host := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."), "m.")
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return false // gs:// and the like
	case host == "youtube.com" || host == "youtu.be":
		return false
	case host == "generativelanguage.googleapis.com" && strings.Contains(u.Path, "/files/"):
		return false
	}
	return true
}
