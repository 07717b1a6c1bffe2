package converge

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestWire_RoundTrip(t *testing.T) {
	f := func(m Message, want string) {
		t.Helper()
		line, err := encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if string(line) != want+"\n" {
			t.Errorf("got  %swant %s", line, want)
		}
		if back, err := decode(line); err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("back %+v, %v", back, err)
		}
	}
	f(applyMessage{}, `{"type":"apply"}`)
	f(Hello{Proto: 1, OS: "Debian", Keys: 3}, `{"type":"hello","proto":1,"os":"Debian","keys":3,"installed":false}`)
	f(wantMessage{Version: "1", Settings: []Setting{{Name: "A", Value: "b", Default: true}}, Templates: map[string]string{"x": "y"}, Keys: "k"},
		`{"type":"want","version":"1","sha256":"","templates":{"x":"y"},"settings":[{"name":"A","value":"b","default":true}],"keys":"k"}`)
	f(PlanMessage{Steps: []StepInfo{}, Refused: &Refusal{Kind: RefusedOS, Message: "no"}},
		`{"type":"plan","steps":[],"refused":{"kind":"os","message":"no"}}`)
	f(StepEvent{ID: "a", State: StepDone, Seconds: 0.5}, `{"type":"step","id":"a","state":"done","seconds":0.5}`)
	f(appliedMessage{Changed: 2, ClientToken: "gca-x"}, `{"type":"applied","changed":2,"client_token":"gca-x"}`)
	f(rollbackMessage{Reason: "r"}, `{"type":"rollback","reason":"r"}`)
	f(RolledBack{Step: "s", Reason: "r", FailedUndo: []string{"x"}},
		`{"type":"rolled_back","step":"s","reason":"r","failed_undo":["x"]}`)
	f(doneMessage{}, `{"type":"done"}`)
}

func TestWire_Oversized(t *testing.T) {
	long := io.MultiReader(strings.NewReader(`{"type":"want","keys":"`), io.LimitReader(endless{}, maxLine), strings.NewReader("\"}\n"))
	if _, err := newWire(long, io.Discard).receive(); !errors.Is(err, errLine) {
		t.Errorf("got %v", err)
	}
	if err := newWire(strings.NewReader(""), io.Discard).send(rollbackMessage{strings.Repeat("x", maxLine)}); err == nil {
		t.Error("a message beyond the limit was sent")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("x"), len(p))), nil }

// The oversized line ends an agent's conversation as the end of the stream does.
func TestAgent_Oversized(t *testing.T) {
	m := newMachine(t)
	c, laptop, ended := m.dial()
	go func() {
		// The agent stops reading at the limit, so the write fails; what counts is how the agent ends.
		_, err := io.Copy(c.wire.out, io.LimitReader(endless{}, maxLine+1<<20))
		if err == nil {
			err = laptop.Close()
		}
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	}()
	m.must(<-ended)
}

// A login shell may print before the agent speaks.
func TestClient_Noise(t *testing.T) {
	c := NewClient(strings.NewReader("Welcome to Ubuntu!\n{\"type\":\"step\"}\n\n"+`{"type":"hello","proto":1,"keys":7}`+"\n"), new(heard))
	if hello, err := c.Hello(); err != nil || hello.Keys != 7 {
		t.Errorf("%+v, %v", hello, err)
	}
	if _, err := NewClient(strings.NewReader("bash: gca: not found\n"), new(heard)).Hello(); !errors.Is(err, ErrNoAgent) {
		t.Errorf("got %v", err)
	}
	if _, err := NewClient(strings.NewReader(`{"type":"hello","proto":99}`+"\n"), new(heard)).Hello(); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("got %v", err)
	}
}

// A message from an agent of another make is answered and passed over.
func TestClient_Unknown(t *testing.T) {
	var sent heard
	c := NewClient(strings.NewReader(`{"type":"grease","x":[1]}`+"\n"+`{"type":"plan","steps":[]}`+"\n"), &sent)
	if _, err := c.Plan(); err != nil {
		t.Error(err)
	}
	if want := `{"type":"unsupported","message_type":"grease"}` + "\n"; sent.String() != want {
		t.Errorf("sent %q", sent.String())
	}
	if _, err := c.Plan(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// Whatever can be read is written again as something that reads the same.
func FuzzDecode(f *testing.F) {
	for _, m := range []Message{Hello{Proto: 1}, wantMessage{Keys: "k"}, PlanMessage{}, RolledBack{Reason: "r"}, applyMessage{}, doneMessage{Notes: []string{"n"}}} {
		line, err := encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"type":"grease"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := decode(line)
		if err != nil {
			return
		}
		again, err := encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(again, []byte("\n")) != 1 {
			t.Errorf("more than one line: %q", again)
		}
		back, err := decode(again)
		if err != nil || back.messageType() != m.messageType() {
			t.Errorf("%q read again is %+v, %v", again, back, err)
		}
	})
}

// heard is a laptop's stream that keeps what was sent.
type heard struct{ bytes.Buffer }

func (*heard) Close() error { return nil }
