package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// A laptop's `GEMINI_API_KEYS=… gca serve`: it listens on loopback, answers, and ends in order, also with its terminal.
func TestServe(t *testing.T) {
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(end.String(), func(t *testing.T) {
			if signal.Ignored(end) {
				t.Skip("whatever is started under nohup outlives its terminal")
			}
			servesUntil(t, end)
		})
	}
}

func servesUntil(t *testing.T, end syscall.Signal) {
	fake, base := fakegemini.Start(t, fakegemini.Options{Keys: goodKeys})
	port := freePort(t)
	cmd := exec.CommandContext(t.Context(), buildOnce(t), "serve")
	cmd.Env = []string{"HOME=" + t.TempDir(), keysVariable + "=" + strings.Join(goodKeys, ","), "GEMINI_BASE_URL=" + base, "PORT=" + port}
	var log bytes.Buffer
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(io.TeeReader(stderr, &log))
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"msg":"listening"`) {
		t.Fatalf("the first line is %q, %v", line, err)
	}
	c := client.New(client.Profile{URL: "http://127.0.0.1:" + port})
	if h, err := c.Health(t.Context()); err != nil || h.Status != "healthy" || h.TotalKeys != 3 {
		t.Errorf("health: %+v, %v", h, err)
	}
	fake.Enqueue(fakegemini.Say("here ", "I am"))
	answer, err := c.Ask(t.Context(), client.Simple(defaultModel, "where are you?"), func(string) {})
	if err != nil || answer.Text != "here I am" {
		t.Errorf("got %q, %v", answer.Text, err)
	}
	if err := cmd.Process.Signal(end); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v\n%s", err, log.String())
	}
	if !strings.Contains(log.String(), `"address":"127.0.0.1:`+port) {
		t.Errorf("it does not say where it listens, or not on loopback:\n%s", log.String())
	}
	for _, key := range goodKeys {
		if strings.Contains(log.String(), key) {
			t.Errorf("a key is in the log")
		}
	}
	for _, refusal := range fake.Refusals() {
		t.Errorf("Gemini would have refused: %s", refusal.Reason)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
