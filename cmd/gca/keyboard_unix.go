//go:build !windows

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// keyboard is a terminal's input as survey can live with it. Survey asks the terminal where its cursor is, and waits for that for
// ever: a terminal with nobody behind it, as script's or a CI's, does not say. And it takes Ctrl-D for Enter, which may be a yes.
type keyboard struct {
	*os.File
	asked   int  // questions of where the cursor is that have no answer yet
	mute    bool // the terminal answers none
	ended   bool // its other end closed before survey read from it: the kernel tells that as a NUL
	answers bytes.Buffer
}

// asking is a terminal's output, of which it is known what it asks.
type asking struct {
	*os.File
	keyboard *keyboard
}

func newKeyboard(in, out *os.File) (*keyboard, asking) {
	k := &keyboard{File: in}
	return k, asking{out, k}
}

const (
	whereIsCursor = "\x1b[6n"
	somewhere     = "\x1b[24;80R" // the answer of a terminal that gives none
	answerTime    = 3 * time.Second
	ctrlC, ctrlD  = '\x03', '\x04'
)

func (a asking) Write(p []byte) (int, error) {
	a.keyboard.asked += bytes.Count(p, []byte(whereIsCursor))
	return a.File.Write(p)
}

func (k *keyboard) Read(p []byte) (int, error) {
	if k.answers.Len() == 0 && k.asked > 0 && (k.mute || !k.readable(answerTime)) {
		k.answerItself()
	}
	if k.answers.Len() > 0 {
		return k.answers.Read(p)
	}
	if k.mute && k.ended {
		p[0] = ctrlC
		return 1, nil
	}
	n, err := k.File.Read(p)
	k.ended = k.ended || bytes.IndexByte(p[:n], 0) >= 0
	k.asked = max(0, k.asked-bytes.Count(p[:n], []byte("R")))
	for i := range p[:n] {
		if p[i] == ctrlD {
			p[i] = ctrlC
		}
	}
	if n == 0 && errors.Is(err, io.EOF) && k.asked > 0 {
		k.answerItself()
		return k.answers.Read(p)
	}
	return n, err
}

func (k *keyboard) answerItself() {
	k.mute = true
	for ; k.asked > 0; k.asked-- {
		k.answers.WriteString(somewhere)
	}
}

// readable waits for something to read.
func (k *keyboard) readable(d time.Duration) bool {
	for end := time.Now().Add(d); ; {
		var set unix.FdSet
		set.Set(int(k.Fd()))
		left := unix.NsecToTimeval(max(0, time.Until(end)).Nanoseconds())
		n, err := unix.Select(int(k.Fd())+1, &set, nil, nil, &left)
		if !errors.Is(err, unix.EINTR) {
			return n > 0 || err != nil // an error is the read's to tell
		}
	}
}
