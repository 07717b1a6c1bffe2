package main

import (
	"io"
	"os"

	"github.com/fatih/color"
)

// palette has the colours of a person's terminal; elsewhere, and with NO_COLOR, it has none.
type palette struct{ good, bad, dim, bold *color.Color }

func newPalette(out io.Writer) palette {
	p := palette{color.New(color.FgGreen), color.New(color.FgRed), color.New(color.Faint), color.New(color.Bold)}
	for _, c := range []*color.Color{p.good, p.bad, p.dim, p.bold} {
		if colourful(out) {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return p
}

// colourful reports whether out is a terminal whose person wants colours.
func colourful(out io.Writer) bool {
	return isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
