package fakegemini

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The Files API: uploads in one request (raw, or metadata and media as multipart) or resumable, by the X-Goog-Upload
// headers. The media itself isn't kept, but for its size and sum.

// File is one uploaded file.
type File struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`
	MimeType    string `json:"mimeType"`
	Size        string `json:"sizeBytes"`
	CreateTime  string `json:"createTime"`
	UpdateTime  string `json:"updateTime"`
	Expiration  string `json:"expirationTime"`
	SHA256      string `json:"sha256Hash"`
	URI         string `json:"uri"`
	State       string `json:"state"`
	Source      string `json:"source"`
}

type fileList struct {
	Files []File `json:"files,omitempty"`
}

type fileReply struct {
	File File `json:"file"`
}

// fileLife is how long Google keeps a file.
const fileLife = 48 * time.Hour

// fileURI is how Google names a file in requests.
const fileURI = "https://generativelanguage.googleapis.com/v1beta/"

func (f File) expiry() time.Time {
	t, err := time.Parse(time.RFC3339, f.Expiration)
	if err != nil {
		return time.Time{}
	}
	return t
}

// FileMetadata is what an upload says of its file.
type FileMetadata struct {
	File *UploadedFile `json:"file,omitempty"`
}

// UploadedFile is a file's own part of that.
type UploadedFile struct {
	Name        string `json:"name,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	MimeType    string `json:"mimeType,omitempty"`
	Size        int64  `json:"sizeBytes,omitempty"` // a number or its digits; what comes counts
}

// session is a resumable upload that has begun.
type session struct {
	project, mimeType string
	meta              UploadedFile
	sum               []byte // the media so far, bounded by MaxBody
}

type sessions struct {
	mu   sync.Mutex
	byID map[string]*session
}

func (s *sessions) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID = nil
}

// has tells whether an upload has begun; its address is credential enough.
func (s *sessions) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id] != nil
}

// upload handles every way of sending a file.
func (x *exchange) upload(project string, body []byte) *refusal {
	h, query := x.req.Header, x.req.URL.Query()
	commands := h.Get("X-Goog-Upload-Command")
	contentType, params, err := mime.ParseMediaType(cmp.Or(h.Get("Content-Type"), "application/octet-stream"))
	switch {
	case err != nil:
		return badUpload("The Content-Type of the upload cannot be read.")
	case query.Get("upload_id") != "":
		return x.resume(query.Get("upload_id"), commands, body)
	case h.Get("X-Goog-Upload-Protocol") == "resumable" && commands == "start":
		return x.startUpload(project, body)
	case h.Get("X-Goog-Upload-Protocol") == "multipart" || query.Get("uploadType") == "multipart":
		return x.multipart(project, body, params["boundary"])
	case h.Get("X-Goog-Upload-Protocol") == "raw" || query.Get("uploadType") == "media":
		return x.keepFile(project, UploadedFile{}, contentType, body)
	}
	return badUpload("The upload protocol is not set: X-Goog-Upload-Protocol is resumable, multipart or raw.")
}

func readMetadata(body []byte) (UploadedFile, *refusal) {
	meta := FileMetadata{}
	if len(bytes.TrimSpace(body)) == 0 {
		return UploadedFile{}, nil
	}
	if r := wellFormed(body); r != nil {
		return UploadedFile{}, r
	}
	if r := read(body, &meta); r != nil {
		return UploadedFile{}, r
	}
	if meta.File == nil {
		return UploadedFile{}, nil
	}
	return *meta.File, nil
}

func (x *exchange) startUpload(project string, body []byte) *refusal {
	meta, r := readMetadata(body)
	if r != nil {
		return r
	}
	id := strings.TrimPrefix(x.s.newID("upload"), "upload/")
	x.then = func() {
		x.s.uploads.mu.Lock()
		if x.s.uploads.byID == nil || len(x.s.uploads.byID) >= maxShelved {
			x.s.uploads.byID = map[string]*session{}
		}
		x.s.uploads.byID[id] = &session{project: project, meta: meta, mimeType: x.req.Header.Get("X-Goog-Upload-Header-Content-Type")}
		x.s.uploads.mu.Unlock()
		x.w.Header().Set("X-Goog-Upload-Url", "http://"+x.req.Host+x.req.URL.Path+"?upload_id="+id+"&upload_protocol=resumable")
		x.w.Header().Set("X-Goog-Upload-Status", "active")
		x.begin(http.StatusOK, "text/plain; charset=utf-8")
	}
	return nil
}

// resume takes a piece of a resumable upload: "upload", "upload, finalize" or "query".
func (x *exchange) resume(id, commands string, body []byte) *refusal {
	x.s.uploads.mu.Lock()
	defer x.s.uploads.mu.Unlock()
	s, ok := x.s.uploads.byID[id]
	if !ok {
		return badUpload("The upload has already been terminated or does not exist.")
	}
	if strings.Contains(commands, "upload") {
		if at := x.req.Header.Get("X-Goog-Upload-Offset"); at != strconv.Itoa(len(s.sum)) {
			return badUpload("The upload offset %q is not that of the bytes received, %d.", at, len(s.sum))
		}
		if int64(len(s.sum)+len(body)) > x.s.opts.MaxBody {
			return refuse(RuleBodySize, "File size exceeds the limit.")
		}
		s.sum = append(s.sum, body...)
	}
	if strings.Contains(commands, "finalize") {
		delete(x.s.uploads.byID, id)
		x.w.Header().Set("X-Goog-Upload-Status", "final")
		return x.keepFile(s.project, s.meta, s.mimeType, s.sum)
	}
	received := strconv.Itoa(len(s.sum))
	x.then = func() {
		x.w.Header().Set("X-Goog-Upload-Status", "active")
		x.w.Header().Set("X-Goog-Upload-Size-Received", received)
		x.begin(http.StatusOK, "text/plain; charset=utf-8")
	}
	return nil
}

// multipart takes metadata and media in one body of two parts.
func (x *exchange) multipart(project string, body []byte, boundary string) *refusal {
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	var pieces [2][]byte
	mediaType := ""
	for i := range pieces {
		p, err := reader.NextRawPart()
		if err != nil {
			return badUpload("A multipart upload has two parts, metadata and media.")
		}
		mediaType = p.Header.Get("Content-Type")
		if pieces[i], err = io.ReadAll(p); err != nil {
			return badUpload("The multipart upload cannot be read.")
		}
	}
	meta, r := readMetadata(pieces[0])
	if r != nil {
		return r
	}
	return x.keepFile(project, meta, mediaType, pieces[1])
}

func (x *exchange) keepFile(project string, meta UploadedFile, mimeType string, media []byte) *refusal {
	mimeType = cmp.Or(meta.MimeType, mimeType, "application/octet-stream")
	name, now, sum := cmp.Or(meta.Name, x.s.newID("files")), time.Now(), sha256.Sum256(media)
	if !goodFileName.MatchString(name) {
		return badUpload("File name %q is not of the form files/a-b: up to 40 small letters, digits and dashes.", clip(name))
	}
	made := File{Name: name, DisplayName: meta.DisplayName, MimeType: mimeType, Size: strconv.Itoa(len(media)), CreateTime: stamp(now), UpdateTime: stamp(now),
		Expiration: stamp(now.Add(fileLife)), SHA256: base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:]))), URI: fileURI + name, State: "ACTIVE", Source: "UPLOADED"}
	x.then = func() {
		x.s.files.put(name, project, made)
		x.plain(http.StatusOK, fileReply{made})
	}
	return nil
}

var goodFileName = regexp.MustCompile(`^files/[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// fileName is the name of a file of the Files API; "" for any other address.
func fileName(uri string) string {
	rest, ok := strings.CutPrefix(uri, fileURI)
	if !ok || !strings.HasPrefix(rest, "files/") {
		return ""
	}
	return rest
}

func fileOwner(q *asked) *refusal {
	var found *refusal
	q.eachPart(func(_, _ int, p Part) {
		uris := []*FileData{p.FileData}
		if p.FunctionResponse != nil {
			for _, rp := range p.FunctionResponse.Parts {
				uris = append(uris, rp.FileData)
			}
		}
		for _, u := range uris {
			if u == nil || fileName(u.FileURI) == "" || found != nil || q.files == nil {
				continue
			}
			if _, ok := q.files.find(fileName(u.FileURI), q.project); !ok {
				found = &refusal{RuleFileOwner, ErrForeignFile(strings.TrimPrefix(fileName(u.FileURI), "files/"))}
			}
		}
	})
	return found
}
