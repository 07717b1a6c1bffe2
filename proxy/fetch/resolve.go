package fetch

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
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

	medium *medium
	err    error
}

// Resolve replaces every address of the web in req by what is there. Addresses that Google knows better, of YouTube and of
// its own files, stay. keep says that the model takes addresses itself: then what a public host does not give stays an address
// too. The error is an *front.Error that names the client's field, and never the address.
func (f *Fetcher) Resolve(ctx context.Context, req *gemini.Request, keep bool) *front.Error {
	places := find(req)
	if len(places) == 0 {
		return nil
	}
	if len(places) > f.o.MaxCount {
		return front.Invalidf(places[f.o.MaxCount].param, "expected at most %d different URLs in a request", f.o.MaxCount)
	}
	ctx, cancel := context.WithTimeout(ctx, f.o.MaxTime)
	defer cancel()
	var total atomic.Int64
	var wait sync.WaitGroup
	slots := make(chan struct{}, f.o.Parallel)
	for _, p := range places {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f.fill(ctx, p, &total)
		})
	}
	wait.Wait()
	for _, p := range places {
		if refusal := p.settle(keep); refusal != nil {
			return refusal
		}
	}
	return nil
}

var errFull = &problem{"there is no room for it in the request", true}

// fill gets one place's data.
func (f *Fetcher) fill(ctx context.Context, p *place, total *atomic.Int64) {
	copies := int64(len(p.parts)) // each part that names the address carries the data
	left := (f.o.MaxTotal - total.Load()) / copies
	if left <= 0 {
		p.err = errFull
		return
	}
	if p.medium, p.err = f.get(ctx, p.address, left); p.err != nil {
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
	note := func(part *gemini.Part) {
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
		p.parts = append(p.parts, part)
	}
	for i := range req.Contents {
		for j := range req.Contents[i].Parts {
			part := &req.Contents[i].Parts[j]
			note(part)
			if part.FunctionResponse != nil {
				for k := range part.FunctionResponse.Parts {
					note(&part.FunctionResponse.Parts[k])
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
