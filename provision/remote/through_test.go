package remote

import "testing"

func TestPing(t *testing.T) {
	_, conn := dialed(t, func(*server) {})
	before := conn.Received()
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if conn.Received() == before {
		t.Error("an answer came, but no byte was counted")
	}
	if conn.Jumped() {
		t.Error("a server that was reached directly counts as one behind another")
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a closed connection answers")
	}
}
