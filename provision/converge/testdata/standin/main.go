// Command standin is a release to deploy in tests: the agent, and a service that is as sick as its keys file says.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

const version = "0.0.1"

func main() {
	var err error
	switch strings.Join(os.Args[1:min(3, len(os.Args))], " ") {
	case "agent":
		err = agent(func(a converge.Agent) error { return a.Run(context.Background(), os.Stdin, os.Stdout) })
	case "agent --worker":
		err = agent(func(a converge.Agent) error { return a.Work(context.Background()) })
	case "agent --proof":
		err = agent(converge.Agent.Prove)
	case "agent --dead-man":
		err = agent(func(a converge.Agent) error { return a.DeadMan(context.Background()) })
	case "serve --check":
		err = check(os.Args[4] + "/keys")
	case "serve --config-dir":
		err = serve(os.Args[3], slices.Contains(os.Args, "--handover"))
	default:
		err = errors.New("usage")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// commitTime is a file of a test that cannot wait for a quarter of an hour.
const commitTime = "/root/commit-time"

func agent(run func(converge.Agent) error) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	a := converge.Agent{Version: version, SHA256: hex.EncodeToString(sum[:]), ReadSettings: settings, Connection: os.Getenv("SSH_CONNECTION")}
	if text, err := os.ReadFile(commitTime); err == nil {
		if a.CommitTime, err = time.ParseDuration(strings.TrimSpace(string(text))); err != nil {
			return err
		}
	}
	return run(a)
}

func settings(files converge.SettingsFiles) (converge.Settings, error) {
	cfg, err := config.Texts(files).Parse()
	if err != nil {
		return converge.Settings{}, err
	}
	return converge.Settings{
		Port: cfg.Port, MaxBody: cfg.MaxBody, DrainTimeout: cfg.DrainTimeout,
		Keys: len(cfg.Keys), ClientToken: cfg.Clients(), AdminToken: cfg.HasAdmin(),
	}, nil
}

func check(keys string) error {
	text, err := os.ReadFile(keys)
	if err == nil && bytes.Contains(text, []byte("malformed")) {
		err = errors.New("keys: line 1 is malformed")
	}
	return err
}

func serve(config string, handover bool) error {
	keys := config + "/keys"
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		keys = dir + "/keys"
	}
	text, err := os.ReadFile(keys)
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte("sick")) {
		return errors.New("the stand-in is sick")
	}
	listener, err := net.FileListener(os.NewFile(3, "http"))
	if err != nil {
		return err
	}
	if err := control(handover); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	server := &http.Server{Handler: routes()}
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-stopped:
		return server.Close()
	}
}

// control answers on the control socket with the release that this is.
func control(handover bool) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	file := os.Getenv("RUNTIME_DIRECTORY") + "/main.sock"
	if handover {
		file = os.Getenv("RUNTIME_DIRECTORY") + "/handover.sock"
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", file)
	if err != nil {
		return err
	}
	go func() {
		fmt.Fprintln(os.Stderr, http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			write(w, `{"status":"healthy","release":"`+filepath.Base(filepath.Dir(exe))+`"}`)
		})))
	}()
	return nil
}

func ready() error {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte("READY=1"))
	return errors.Join(err, conn.Close())
}

// routes has a stream in lock-step: /stream sends one event, and the next only after a request to /next.
func routes() http.Handler {
	mux := http.NewServeMux()
	next := make(chan struct{})
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		write(w, `{"status":"healthy","version":"`+version+`"}`)
	})
	mux.HandleFunc("/next", func(w http.ResponseWriter, _ *http.Request) { next <- struct{}{} })
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 4 {
			write(w, fmt.Sprintf("data: %d\n\n", i))
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			<-next
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		write(w, fmt.Sprintf("%d %v", n, err))
	})
	mux.HandleFunc("/host", func(w http.ResponseWriter, r *http.Request) {
		write(w, r.Host)
	})
	return mux
}

func write(w io.Writer, text string) {
	if _, err := io.WriteString(w, text); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
