// Command payloads compresses Linux binaries of gca for a release to carry: payloads FOLDER FILE…
package main

import (
	"fmt"
	"os"

	"github.com/gemini-claude-adapter/gca/provision/payload"
)

func main() {
	if len(os.Args) < 3 {
		fail("usage: payloads FOLDER FILE…")
	}
	for _, file := range os.Args[2:] {
		packed, err := payload.Pack(os.Args[1], file)
		if err != nil {
			fail(err)
		}
		info, err := os.Stat(packed)
		if err != nil {
			fail(err)
		}
		fmt.Printf("%s  %.1f MB\n", packed, float64(info.Size())/1e6)
	}
}

func fail(what any) {
	fmt.Fprintln(os.Stderr, "payloads:", what)
	os.Exit(1)
}
