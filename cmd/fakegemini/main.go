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

const usage = `fakegemini answers as Google's Gemini API does, and refuses what Google refuses. Its first line is its base URL.

What it answers can be scripted, while it runs, with JSON:
  POST   /_fake/answers       {"answers":[{"chunks":[{"parts":[{"text":"hi"}]}]}]}   the next answers, in turn
  POST   /_fake/keys          {"key":"K","rule":{…}}   how a key fails; DELETE /_fake/keys?key=K heals it
  GET    /_fake/requests      what was asked; ?refused=true only what was refused
  POST   /_fake/reset
The fields of answers and rules are those of Answer and KeyRule in proxy/fakegemini.

`

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	keys := flag.String("keys", "", "accept only these API keys, comma separated; others get API_KEY_INVALID")
	delay := flag.Duration("delay", 30*time.Millisecond, "pause before each chunk of the built-in model")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
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
