package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/gemini-claude-adapter/gca/manage"
)

// What is printed for a person is made in English, line by line, and said in the person's language here.

const (
	reportIndent  = 12 // columns of the names of a report's lines
	screenColumns = 80 // of the narrowest screen that a report is written for
)

// printReport prints a report in the person's language, and names the commands that this person can type. Lines are broken for the
// screen, but for cures, which are to be copied.
func printReport(streams *streams, print func(io.Writer) error) error {
	var english bytes.Buffer
	err := print(&english)
	var b strings.Builder
	for line := range strings.Lines(english.String()) {
		said := streams.named(strings.TrimSuffix(streams.lang.Report(line, reportIndent), "\n"))
		if !strings.HasPrefix(strings.TrimSpace(line), "cure: ") {
			said = inOnePiece.ReplaceAllStringFunc(said, func(command string) string { return strings.ReplaceAll(command, " ", noBreak) })
			said = strings.ReplaceAll(folded(said, screenColumns, "\n"+strings.Repeat(" ", reportIndent)), noBreak, " ")
		}
		b.WriteString(said + "\n")
	}
	_, writeErr := io.WriteString(streams.out, visible(b.String()))
	return errors.Join(err, writeErr)
}

// inOnePiece are the commands that a line is not broken within, as [streams.named] makes them.
var inOnePiece = regexp.MustCompile(`(?:ssh -t (?:-[ipJ] \S+ )*\S+ )?(?:sudo )?gemini-manage (?:(?:keys|tokens|config|cert|backup|alerts) )?[a-z-]+|gca (?:(?:keys|tokens|config|cert|backup|alerts) )?[a-z-]+ (?:-[ipJ] \S+ )*\S+`)

const noBreak = "\u00a0" // stands for a blank that stays between two words

// breakable is what a line may be broken behind: blanks, and the marks of a Chinese sentence.
var breakable = regexp.MustCompile(` ?[^ ，；：]*[，；：]?`)

// folded breaks a line that has more columns than it may, unless a word has.
func folded(line string, columns int, lineBreak string) string {
	var b strings.Builder
	at := 0
	for _, word := range breakable.FindAllString(line, -1) {
		bare := strings.TrimPrefix(word, " ")
		if at+ansi.StringWidth(word) > columns && bare != "" && at > reportIndent {
			b.WriteString(lineBreak)
			word, at = bare, reportIndent
		}
		b.WriteString(word)
		at += ansi.StringWidth(word)
	}
	return b.String()
}

// tellArchive says what an archive is, its hash in one piece.
func tellArchive(w io.Writer, streams *streams, a *manage.Archive) error {
	var b bytes.Buffer
	err := a.Print(&b, time.Now())
	_, writeErr := fmt.Fprint(w, streams.lang.Report(b.String(), reportIndent))
	return errors.Join(err, writeErr)
}

// printTable prints a table in the person's language.
func printTable(streams *streams, print func(io.Writer) error) error {
	var b bytes.Buffer
	err := print(&b)
	_, writeErr := fmt.Fprint(streams.people(), streams.lang.Table(b.String()))
	return errors.Join(err, writeErr)
}
