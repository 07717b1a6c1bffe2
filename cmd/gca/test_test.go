package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Where no key is active, that is not marked as good.
func TestTest_unhealthy(t *testing.T) {
	a := clienttest.Start(t)
	for _, key := range clienttest.Keys() {
		a.Fake.Key(key, fakegemini.KeyRule{Error: fakegemini.ErrInvalidKey()})
	}
	var out bytes.Buffer
	for range 2 { // the first one finds out
		out.Reset()
		err := testProfile(t.Context(), &streams{out: &out}, client.Profile{URL: a.URL, Token: clienttest.Token}, defaultModel, false)
		if err == nil || strings.Count(err.Error(), "\nhint: ") != 1 {
			t.Errorf("got %v", err)
		}
	}
	for _, want := range []string{"! status       unhealthy\n", "! active keys  0/2\n", "✗ gemini       broke here\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}
