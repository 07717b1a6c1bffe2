package fakegemini

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Caches and files belong to the project of the key that made them. To any other project they are as if they did not
// exist.

// owned is one thing of a project.
type owned interface{ expiry() time.Time }

// shelf keeps the things of all projects, the oldest first.
type shelf[T owned] struct {
	mu   sync.Mutex
	list []shelved[T]
}

type shelved[T owned] struct {
	name, project string
	thing         T
}

// maxShelved bounds a shelf; what is older is forgotten.
const maxShelved = 1000

func (s *shelf[T]) put(name, project string, thing T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(name); i >= 0 {
		s.list[i].thing = thing
		return
	}
	s.list = append(s.list, shelved[T]{name, project, thing})
	s.list = s.list[max(0, len(s.list)-maxShelved):]
}

func (s *shelf[T]) index(name string) int {
	return slices.IndexFunc(s.list, func(t shelved[T]) bool { return t.name == name })
}

// find returns a project's thing that hasn't expired.
func (s *shelf[T]) find(name, project string) (thing T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(name)
	if i < 0 || s.list[i].project != project || !time.Now().Before(s.list[i].thing.expiry()) {
		return thing, false
	}
	return s.list[i].thing, true
}

func (s *shelf[T]) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(name); i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
	}
}

// all lists a project's things.
func (s *shelf[T]) all(project string) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []T{}
	for _, t := range s.list {
		if t.project == project && time.Now().Before(t.thing.expiry()) {
			out = append(out, t.thing)
		}
	}
	return out
}

func (s *shelf[T]) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}

// project is that of a key: the one that Options name, or the key's own.
func (s *Server) project(key string) string { return cmp.Or(s.opts.Projects[key], "key "+key) }

// newID is a fresh name for a thing, like Google's: small letters and digits.
func (s *Server) newID(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	id := strings.ToLower(responseID(s.made))
	return kind + "/" + strings.NewReplacer("-", "0", "_", "1").Replace(id)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// The verbs of resources.
const (
	verbCacheCreate = "cachedContents.create"
	verbCacheList   = "cachedContents.list"
	verbCacheGet    = "cachedContents.get"
	verbCachePatch  = "cachedContents.patch"
	verbCacheDelete = "cachedContents.delete"
	verbFileUpload  = "files.upload"
	verbFileList    = "files.list"
	verbFileGet     = "files.get"
	verbFileDelete  = "files.delete"
)

// resource reads verb and name of a request for a cache or a file; both empty when it is for neither.
func resource(req *http.Request) (verb, name string) {
	if (req.URL.Path == "/upload/v1beta/files" || req.URL.Path == "/upload/v1/files") && req.Method == http.MethodPost {
		return verbFileUpload, ""
	}
	path, ok := unversioned(req)
	kind, id, one := strings.Cut(path, "/")
	if !ok || kind != "cachedContents" && kind != "files" || one && (id == "" || strings.Contains(id, "/")) {
		return "", ""
	}
	verbs := map[string]string{"GET": kind + ".list", "POST": kind + ".create"}
	if one {
		verbs = map[string]string{"GET": kind + ".get", "PATCH": kind + ".patch", "DELETE": kind + ".delete"}
	}
	switch verb = verbs[req.Method]; verb {
	case verbCacheCreate, verbCacheList, verbCacheGet, verbCachePatch, verbCacheDelete, verbFileList, verbFileGet, verbFileDelete:
		return verb, path
	}
	return "", ""
}

// prepareResource does for caches and files what prepare does for models.
func (x *exchange) prepareResource(body []byte) *refusal {
	project := x.s.project(x.rec.Key)
	switch x.rec.Verb {
	case verbCacheCreate:
		return x.createCache(project, body)
	case verbCachePatch:
		return x.patchCache(project, body)
	case verbCacheList:
		x.then = func() { x.plain(http.StatusOK, cacheList{x.s.caches.all(project)}) }
	case verbCacheGet, verbCacheDelete:
		c, ok := x.s.caches.find(x.name, project)
		if !ok {
			return &refusal{RuleCacheOwner, ErrForeignCache()}
		}
		x.then = func() { x.showOrDrop(c, func() { x.s.caches.drop(x.name) }) }
	case verbFileUpload:
		return x.upload(project, body)
	case verbFileList:
		x.then = func() { x.plain(http.StatusOK, fileList{x.s.files.all(project)}) }
	case verbFileGet, verbFileDelete:
		f, ok := x.s.files.find(x.name, project)
		if !ok {
			return &refusal{RuleFileOwner, ErrForeignFile(strings.TrimPrefix(x.name, "files/"))}
		}
		x.then = func() { x.showOrDrop(f, func() { x.s.files.drop(x.name) }) }
	}
	return nil
}

// showOrDrop answers a GET with the thing, and a DELETE with nothing once it is gone.
func (x *exchange) showOrDrop(thing any, drop func()) {
	if x.req.Method == http.MethodDelete {
		drop()
		x.plain(http.StatusOK, struct{}{})
		return
	}
	x.plain(http.StatusOK, thing)
}

// badUpload is a refusal of how something was sent, not of what it says.
func badUpload(format string, args ...any) *refusal {
	return refuse(RuleUpload, fmt.Sprintf(format, args...))
}
