package lab

import (
	"context"
	"os"
	"testing"
	"time"
)

// Main runs a test binary that boots servers; TestMain is os.Exit(lab.Main(m)). The same binary serves as holder.
func Main(m *testing.M) int {
	RunHolder()
	return m.Run()
}

// Require boots a server for one test, once the machine has room for one more, and ends it with the test. Where the machine cannot boot one, the test is skipped
// with the reason, or fails if the environment says CI=true.
func Require(tb testing.TB, opts Options) *Server {
	tb.Helper()
	needLab(tb)
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Minute)
	defer cancel()
	seat, err := takeSeat(ctx)
	if err != nil {
		tb.Fatalf("boot a lab server: %v", err)
	}
	tb.Cleanup(func() {
		if err := seat.Close(); err != nil {
			tb.Error(err)
		}
	})
	s, err := Up(ctx, opts, os.Stderr)
	if err != nil {
		tb.Fatalf("boot a lab server: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("end lab server %s: %v", s.Name, err)
		}
	})
	return s
}

func needLab(tb testing.TB) {
	tb.Helper()
	err := Check()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		tb.Fatalf("a lab server is needed: %v", err)
	default:
		tb.Skipf("a lab server is needed: %v", err)
	}
}
