package fakegemini

import (
	"net/http"
	"strings"
	"testing"
)

func uploadedFor(key string) func(t *testing.T, s *Server) {
	return func(t *testing.T, s *Server) {
		do(t, s, "POST", "/upload/v1beta/files", key, "media", "X-Goog-Upload-Protocol", "raw", "Content-Type", "text/plain")
	}
}

func filePairs(f pair) {
	const denied = "You do not have permission to access the File "
	name := firstID("files")
	uses := gen(m38, part(`{"fileData":{"mimeType":"text/plain","fileUri":"`+fileURI+name+`"}}`))
	f(RuleFileOwner, uses, 403, denied+strings.TrimPrefix(name, "files/")+" or it may not exist.", uses.onceAsked(uploadedFor("good")))
	f(RuleFileOwner, uses.onceAsked(uploadedFor("stranger")), 403, denied, uses.onceAsked(uploadedFor("friend")))
	f(RuleFileOwner, uses, 403, denied, gen(m38, part(`{"fileData":{"mimeType":"text/plain","fileUri":"https://example.com/a.txt"}}`)))
	inside := gen(m38, talk(hi, callA, `{"parts":[{"functionResponse":{"name":"Read","response":{},"parts":[{"fileData":{"mimeType":"text/plain","fileUri":"`+fileURI+name+`"}}]}}]}`))
	f(RuleFileOwner, inside, 403, denied, inside.onceAsked(uploadedFor("good")))
	for _, method := range []string{"GET", "DELETE"} {
		one := asks{method: method, path: "/v1beta/" + name}
		f(RuleFileOwner, one.onceAsked(uploadedFor("stranger")), 403, denied, one.onceAsked(uploadedFor("good")))
	}
	send := func(header, body string) asks {
		return asks{path: "/upload/v1beta/files", header: "x-goog-api-key: good\n" + header, body: body}
	}
	good := send("X-Goog-Upload-Protocol: raw\nContent-Type: text/plain", "a")
	f(RuleUpload, send("Content-Type: text/plain", "a"), 400, "upload protocol is not set", good)
	f(RuleUpload, send("X-Goog-Upload-Protocol: raw\nContent-Type: ;", "a"), 400, "Content-Type", good)
	f(RuleUpload, send("X-Goog-Upload-Protocol: multipart\nContent-Type: multipart/related; boundary=b", "--b\r\n\r\n{}\r\n--b--\r\n"), 400, "two parts",
		send("X-Goog-Upload-Protocol: multipart\nContent-Type: multipart/related; boundary=b", "--b\r\n\r\n{}\r\n--b\r\n\r\na\r\n--b--\r\n"))
	named := func(n string) asks {
		return send("X-Goog-Upload-Protocol: multipart\nContent-Type: multipart/related; boundary=b", "--b\r\n\r\n{\"file\":{\"name\":\""+n+"\"}}\r\n--b\r\n\r\na\r\n--b--\r\n")
	}
	f(RuleUpload, named("files/A_b"), 400, "not of the form", named("files/a-b"))
	start := func(t *testing.T, s *Server) {
		do(t, s, "POST", "/upload/v1beta/files", "good", "", "X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start")
	}
	piece := func(id, offset string) asks {
		return asks{path: "/upload/v1beta/files?upload_id=" + id, header: "X-Goog-Upload-Command: upload, finalize\nX-Goog-Upload-Offset: " + offset + "\nx-goog-api-key: good", body: "a"}.onceAsked(start)
	}
	id := strings.TrimPrefix(firstID("upload"), "upload/")
	f(RuleUpload, piece(id, "7"), 400, "is not that of the bytes received, 0", piece(id, "0"))
	f(RuleUpload, piece("nothing", "0"), 400, "does not exist", piece(id, "0"))
	f(RuleUnknownName, asks{path: "/upload/v1beta/files", header: "x-goog-api-key: good\nX-Goog-Upload-Protocol: resumable\nX-Goog-Upload-Command: start", body: `{"fill":{}}`}, 400, `Unknown name "fill"`, good)
}

// TestResumableUpload sends a file in two pieces as the SDKs do, with no key behind the first request.
func TestResumableUpload(t *testing.T) {
	c := start(t, Options{})
	send := func(url, key, body string, header ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(c.context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("x-goog-api-key", key)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", res, err)
		}
		t.Cleanup(func() {
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
		})
		return res
	}
	begun := send(c.url+"/upload/v1beta/files", "k", `{"file":{"display_name":"notes"}}`, "X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start", "X-Goog-Upload-Header-Content-Type", "text/plain")
	at := begun.Header.Get("X-Goog-Upload-Url")
	first := send(at, "", "hello ", "X-Goog-Upload-Command", "upload", "X-Goog-Upload-Offset", "0")
	asked := send(at, "", "", "X-Goog-Upload-Command", "query")
	if got := asked.Header.Get("X-Goog-Upload-Size-Received"); got != "6" || first.Header.Get("X-Goog-Upload-Status") != "active" {
		t.Errorf("%s bytes received, status %s", got, first.Header.Get("X-Goog-Upload-Status"))
	}
	last := send(at, "", "world", "X-Goog-Upload-Command", "upload, finalize", "X-Goog-Upload-Offset", "6")
	var reply fileReply
	if decode(t, last.Body, &reply); last.Header.Get("X-Goog-Upload-Status") != "final" || reply.File.Size != "11" || reply.File.DisplayName != "notes" || reply.File.MimeType != "text/plain" || reply.File.State != "ACTIVE" {
		t.Errorf("%+v", reply.File)
	}
	var l fileList
	if decode(t, do(t, c.s, "GET", "/v1beta/files", "k", "").Body, &l); len(l.Files) != 1 || l.Files[0].URI != reply.File.URI {
		t.Errorf("listed %+v", l)
	}
	do(t, c.s, "DELETE", "/v1beta/"+reply.File.Name, "k", "")
	var after fileList
	if decode(t, do(t, c.s, "GET", "/v1beta/files", "k", "").Body, &after); len(after.Files) != 0 {
		t.Errorf("left %+v", after)
	}
	if last, _ := c.s.Last(); last.Verb != verbFileList || last.Key != "k" {
		t.Errorf("recorded %+v", last)
	}
}

func TestSimpleUploads(t *testing.T) {
	c := start(t, Options{})
	f := func(path, contentType, body, wantType, wantSize string) {
		t.Helper()
		var reply fileReply
		if decode(t, do(t, c.s, "POST", path, "k", body, "Content-Type", contentType).Body, &reply); reply.File.MimeType != wantType || reply.File.Size != wantSize {
			t.Errorf("%s: %+v", path, reply.File)
		}
	}
	f("/upload/v1beta/files?uploadType=media", "image/png", "abc", "image/png", "3")
	f("/upload/v1beta/files?uploadType=multipart", "multipart/related; boundary=b", "--b\r\nContent-Type: application/json\r\n\r\n{\"file\":{\"mimeType\":\"image/gif\",\"sizeBytes\":7}}\r\n--b\r\nContent-Type: image/png\r\n\r\nab\r\n--b--\r\n", "image/gif", "2")
	f("/upload/v1beta/files?uploadType=multipart", "multipart/related; boundary=b", "--b\r\n\r\n\r\n--b\r\nContent-Type: image/png\r\n\r\nab\r\n--b--\r\n", "image/png", "2")
}
