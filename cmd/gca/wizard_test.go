package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
)

// newSeat is a person with a home of their own.
func newSeat(t *testing.T, env ...string) seat {
	t.Helper()
	home := t.TempDir()
	return seat{dir: home, env: append([]string{"HOME=" + home}, env...)}
}

// connect asks for address and token, in the person's language, and shows no token.
func TestWizard_Connect(t *testing.T) {
	t.Parallel()
	gca, adapter := buildOnce(t), clienttest.Start(t)
	f := func(locale, address, token string, wants ...string) {
		t.Run(locale, func(t *testing.T) {
			got := newSeat(t, "LANG="+locale).run(t, gca+" connect", answer{address, adapter.URL}, answer{token, clienttest.Token})
			if got.code != exitOK || strings.Contains(got.out, clienttest.Token) {
				t.Errorf("exit code %d\n%s", got.code, got.out)
			}
			wantText(t, got.out, wants...)
		})
	}
	f("en_US.UTF-8", "Address of the adapter", "Token (printed by", "accepted: laptop", "saved as 127.0.0.1")
	f("zh_CN.UTF-8", "适配器的地址", "令牌（部署或", "有效：laptop", "已保存为 127.0.0.1")

	t.Run("Ctrl-C", func(t *testing.T) {
		s := newSeat(t)
		got := s.run(t, gca+" connect", answer{"Address of the adapter", "\x03"})
		if _, err := os.Stat(filepath.Join(s.dir, ".config")); got.code != exitInterrupted || err == nil {
			t.Errorf("exit code %d, %v\n%s", got.code, err, got.out)
		}
	})
}

// setup asks before it writes. Only a yes is one: neither Ctrl-D nor a terminal with nobody behind it.
func TestWizard_Setup(t *testing.T) {
	t.Parallel()
	gca, adapter := buildOnce(t), clienttest.Start(t)
	connected := func(t *testing.T) (s seat, settings string) {
		s = newSeat(t)
		if got := s.run(t, tokenVariable+"="+clienttest.Token+" "+gca+" connect "+adapter.URL); got.code != exitOK {
			t.Fatal(got.out)
		}
		return s, filepath.Join(s.dir, ".claude", "settings.json")
	}
	f := func(name, typed string, code int, mute bool) {
		t.Run(name, func(t *testing.T) {
			s, settings := connected(t)
			s.mute = mute
			got := s.run(t, gca+" setup claude-code", answer{"Write this?", typed})
			if _, err := os.Stat(settings); got.code != code || (err == nil) != (code == exitOK) {
				t.Errorf("exit code %d, want %d; %v\n%s", got.code, code, err, got.out)
			}
		})
	}
	f("yes", "y", exitOK, false)
	f("Enter", "", exitOK, false)
	f("no", "n", exitUsage, false)
	f("Ctrl-C", "\x03", exitInterrupted, false)
	f("Ctrl-D", "\x04", exitInterrupted, false)
	f("a terminal that does not say where its cursor is", "y", exitOK, true)

	// It hung once: script's terminal has nobody behind it where script itself reads from nothing.
	t.Run("nobody", func(t *testing.T) {
		s, settings := connected(t)
		cmd := exec.CommandContext(t.Context(), "script", "-q", "-e", "-c", gca+" setup claude-code", "/dev/null")
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TERM=xterm", "SHELL=/bin/sh"}, s.env...)
		out, err := cmd.CombinedOutput()
		if _, missing := os.Stat(settings); cmd.ProcessState.ExitCode() != exitInterrupted || missing == nil {
			t.Errorf("%v, %v\n%s", err, missing, out)
		}
	})
}

// A mistyped answer is asked for again, and a no costs nothing.
func TestWizard_Perf(t *testing.T) {
	t.Parallel()
	gca, adapter := buildOnce(t), clienttest.Start(t)
	s := newSeat(t)
	line := tokenVariable + "=" + clienttest.Token + " " + gca + " connect " + adapter.URL + " >connected 2>&1 && " + gca + " perf 1 --requests 1"
	if got := s.run(t, line, answer{"Go?", "what"}, answer{"not a valid answer", "n"}); got.code == exitOK || strings.Contains(got.out, "THROUGHPUT") {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
}
