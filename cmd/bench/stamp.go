package main

import (
	"bytes"
	"strconv"
	"time"
)

// A chunk's text begins with the time at which it was sent, so that whoever reads it knows how long it took, whatever stood
// between: "t=" and nanoseconds since 1970, which have 19 digits until 2286.
const (
	stampMark   = "t="
	stampDigits = 19
	stampLength = len(stampMark) + stampDigits
)

// stamp writes the time into the digits at p.
func stamp(p []byte, now time.Time) {
	digits := strconv.AppendInt(make([]byte, 0, stampDigits), now.UnixNano(), 10)
	copy(p[:stampDigits], digits)
}

// stamps calls seen for the age of every stamp in data, and returns what is left behind the last one, which may be the
// beginning of another.
func stamps(data []byte, now time.Time, seen func(age time.Duration)) (rest []byte) {
	for {
		at := bytes.Index(data, []byte(stampMark))
		if at < 0 {
			return data[max(0, len(data)-len(stampMark)+1):]
		}
		if len(data) < at+stampLength {
			return data[at:]
		}
		sent, err := strconv.ParseInt(string(data[at+len(stampMark):at+stampLength]), 10, 64)
		if err == nil {
			seen(time.Duration(now.UnixNano() - sent))
		}
		data = data[at+stampLength:]
	}
}
