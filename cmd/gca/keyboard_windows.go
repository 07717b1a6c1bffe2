package main

import "os"

// newKeyboard leaves both as they are: where the cursor is, Windows says without the terminal.
func newKeyboard(in, out *os.File) (*os.File, *os.File) { return in, out }
