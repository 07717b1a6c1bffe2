// Command fakegemini runs the strict stand-in for Google's Gemini API on its own, for the demo and for tests that drive
// it from another process (paths under /_fake/). The first line on stdout is its base URL; it ends on SIGINT or SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	keys := flag.String("keys", "", "accept only these API keys, comma separated; others get API_KEY_INVALID")
	delay := flag.Duration("delay", 30*time.Millisecond, "pause before each chunk of the built-in model")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "fakegemini: unexpected argument %q\nhint: fakegemini --help\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(*listen, *keys, *delay); err != nil {
		fmt.Fprintf(os.Stderr, "fakegemini: %v\n", err)
		os.Exit(1)
	}
}

func run(listen, keys string, delay time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	opts := fakegemini.Options{Delay: delay}
	for key := range strings.SplitSeq(keys, ",") {
		if key = strings.TrimSpace(key); key != "" {
			opts.Keys = append(opts.Keys, key)
		}
	}
	s := fakegemini.New(opts)
	url, err := s.Listen(listen)
	if err != nil {
		return err
	}
	fmt.Println(url)
	<-ctx.Done()
	return s.Close()
}
