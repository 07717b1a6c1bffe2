package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const (
	companionVerb = "companion"
	google        = "https://generativelanguage.googleapis.com"
)

// process names a process so that a number used again is not mistaken for it.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // in clock ticks since boot, as /proc/PID/stat has it
}

// startCompanion starts what stands for Gemini on the gateway address, and returns its URL. It outlives this process; the
// file in dir is how stopCompanion finds it.
func startCompanion(ctx context.Context, dir, gateway string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(self, companionVerb, net.JoinHostPort(gateway, "0"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", fmt.Errorf("cannot start the stand-in for Gemini: %w", err)
	}
	if err := remember(dir, cmd.Process.Pid); err != nil {
		return "", errors.Join(err, cmd.Process.Kill())
	}
	stop := context.AfterFunc(ctx, func() { _ = out.Close() })
	defer stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the stand-in for Gemini did not start: %w", err)
	}
	return strings.TrimSpace(line), cmd.Process.Release()
}

func remember(dir string, pid int) error {
	start, err := startTime(pid)
	if err != nil {
		return err
	}
	text, err := json.Marshal(process{pid, start})
	if err != nil {
		return err
	}
	return os.WriteFile(companionFile(dir), text, 0o600)
}

func companionFile(dir string) string { return filepath.Join(dir, "companion.json") }

func stopCompanion(dir string) error {
	text, err := os.ReadFile(companionFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var p process
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return fmt.Errorf("cannot tell which process stands for Gemini: %w", err)
	}
	if start, err := startTime(p.PID); err != nil || start != p.Start {
		return os.Remove(companionFile(dir)) // it has ended already
	}
	return errors.Join(syscall.Kill(p.PID, syscall.SIGTERM), os.Remove(companionFile(dir)))
}

// startTime reads field 22 of /proc/PID/stat; the fields are counted from behind the name, which may hold anything.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields[19], nil
}

// serveCompanion listens on address, prints its URL and serves until it is told to end.
func serveCompanion(ctx context.Context, address string) error {
	handler, err := stand()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	if _, err := fmt.Printf("http://%s\n", l.Addr()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		awaitGone(ctx, l.Addr().(*net.TCPAddr).IP)
		_ = server.Close() // it closes its listener, whatever that says
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// awaitGone returns when ctx ends or this machine has lost the address ip: the server that it was the gateway of is down.
func awaitGone(ctx context.Context, ip net.IP) {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		addrs, err := net.InterfaceAddrs()
		if err == nil && !slices.ContainsFunc(addrs, func(a net.Addr) bool { return strings.HasPrefix(a.String(), ip.String()+"/") }) {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func stand() (http.Handler, error) {
	if os.Getenv("GEMINI_API_KEYS") == "" {
		return fakegemini.New(fakegemini.Options{Keys: strings.Split(fakeKeys, ","), Delay: 40 * time.Millisecond}).Handler(), nil
	}
	target, err := url.Parse(google)
	if err != nil {
		return nil, err
	}
	relay := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	return relay, nil
}
