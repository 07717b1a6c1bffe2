package fakegemini

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

func (c *client) get(path string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("x-goog-api-key", "k")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.Body.Close() != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

func TestListingPages(t *testing.T) {
	c := start(t, Options{})
	f := func(size string, wantPages int) {
		t.Helper()
		var got []ModelEntry
		token, pages := "", 0
		for pages == 0 || token != "" {
			status, text := c.get("/v1beta/models?pageSize=" + size + "&pageToken=" + token)
			var page modelList
			if err := json.Unmarshal([]byte(text), &page); err != nil || status != 200 {
				t.Fatalf("%d %v %s", status, err, text)
			}
			got, token = append(got, page.Models...), page.Next
			pages++
		}
		all := Models()
		if len(got) != len(all) || pages != wantPages {
			t.Fatalf("pageSize %q: %d models on %d pages, want %d on %d", size, len(got), pages, len(all), wantPages)
		}
		for i := range all {
			if got[i].Name != "models/"+all[i].ID {
				t.Errorf("model %d is %s", i, got[i].Name)
			}
		}
	}
	f("", 1)
	f("0", 1)
	f("5", 5)
	f("5000", 1)
	for _, bad := range []string{"?pageSize=x", "?pageSize=-1", "?pageToken=nothing"} {
		if status, text := c.get("/v1beta/models" + bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, text)
		}
	}
}

func TestModelEntry(t *testing.T) {
	c := start(t, Options{})
	f := func(id string, thinking bool, display string, input int) {
		t.Helper()
		_, text := c.get("/v1beta/models/" + id)
		var e ModelEntry
		if err := json.Unmarshal([]byte(text), &e); err != nil || e.Name != "models/"+id || e.Thinking != thinking || e.DisplayName != display || e.InputLimit != input {
			t.Errorf("%v %s", err, text)
		}
	}
	f(m38, true, "Gemini 3.8 Flash", 1048576)
	f("gemini-flash-latest", true, "Gemini Flash Latest", 1048576)
	f("gemma-4-31b-it", false, "Gemma 4 31b It", 131072)
}
