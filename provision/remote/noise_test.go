package remote

import (
	"bufio"
	"bytes"
	"context"
	"strings"
	"testing"
)

// A login shell may say things of its own before the server's answer, but not without end.
func TestNoise(t *testing.T) {
	const answer = "gca-have 7 sum 3 safe 12 /\n"
	f := func(said string, good bool) {
		t.Helper()
		h, err := readHolding(bufio.NewReaderSize(strings.NewReader(said), maxLine))
		switch {
		case !good:
			wantError(t, err, KindRemote, "\nhint: ", "~/.bashrc")
		case err != nil || h.size != 7 || h.safeSum != "safe" || h.mount != "/":
			t.Errorf("%+v, %v", h, err)
		}
	}
	f(answer, true)
	f(strings.Repeat("hello\n", MaxNoise-1)+answer, true)
	f(strings.Repeat("hello\n", MaxNoise)+answer, false)
	f(strings.Repeat("x", maxLine-1)+"\n"+answer, true)
	f(strings.Repeat("x", maxLine)+"\n"+answer, false)
	_, err := readHolding(bufio.NewReader(strings.NewReader("gca-have many\n")))
	wantError(t, err, KindRemote, "makes no sense", `"many`)
}

func TestNoise_Endless(t *testing.T) {
	data := []byte("content")
	f := func(user, profile string) {
		t.Helper()
		home(t)
		s := newServer(t)
		s.config.NoClientAuth, s.profile = true, profile
		host, err := ParseHost(user + "@" + s.start().listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(context.Background(), host, Options{AcceptNew: true})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, conn)
		err = conn.Upload(context.Background(), bytes.NewReader(data), fileOf(t.TempDir()+"/file", data))
		wantError(t, err, KindRemote, "the server's login shell prints too much", "\nhint: ")
		s.idle()
	}
	for _, profile := range []string{"yes; ", "tr '\\0' x </dev/zero; "} {
		f("root", profile)   // to the keeper
		f("tester", profile) // to the question about sudo
	}
}
