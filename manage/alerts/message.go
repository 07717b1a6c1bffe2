package alerts

import (
	"fmt"
	"strings"
	"time"
)

// Message is what one channel is told at one moment.
type Message struct {
	Server  string
	Time    time.Time
	Notices []Notice
	Dropped int  // notices before these that could not wait so long
	Test    bool // nothing has changed: somebody tries the channel
}

const testText = "This is a test of the alerts: they arrive here."

// Subject is the message in few words.
func (m Message) Subject() string {
	firing, over := 0, 0
	for _, n := range m.Notices {
		if n.Firing {
			firing++
		} else {
			over++
		}
	}
	what := ""
	switch {
	case m.Test:
		what = "a test of the alerts"
	case firing == 1 && over == 0:
		what = m.Notices[0].What
	case firing == 0 && over == 1:
		what = "over: " + m.Notices[0].What
	case over == 0:
		what = fmt.Sprintf("%d alerts", firing)
	case firing == 0:
		what = fmt.Sprintf("%d alerts are over", over)
	default:
		what = fmt.Sprintf("%d alerts, %d over", firing, over)
	}
	return "[gca] " + m.Server + ": " + what
}

// Text is the message as people read it.
func (m Message) Text() string {
	var b strings.Builder
	if m.Test {
		b.WriteString(testText + "\n")
	}
	for _, n := range m.Notices {
		if n.Firing {
			fmt.Fprintf(&b, "ALERT %s: %s\n  since %s\n  cure: %s\n", n.Rule, n.What, minute(n.Since), n.Cure)
			continue
		}
		fmt.Fprintf(&b, "over  %s: %s\n  from %s to %s\n", n.Rule, n.What, minute(n.Since), minute(n.Time))
	}
	if m.Dropped > 0 {
		fmt.Fprintf(&b, "%d older ones could not be sent in time and are left out\n", m.Dropped)
	}
	fmt.Fprintf(&b, "on %s; how it stands now: gemini-manage alerts\n", m.Server)
	return b.String()
}

// maxChat is how many bytes a chat takes for sure; Telegram's limit is 4096 characters.
const maxChat = 3800

// ShortText is subject and text, cut to what a chat takes.
func (m Message) ShortText() string {
	text := m.Subject() + "\n" + m.Text()
	if len(text) > maxChat {
		text = strings.ToValidUTF8(text[:maxChat], "") + "…\n"
	}
	return text
}
