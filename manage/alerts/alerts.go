// Package alerts tells people when something about a deployed adapter changes: once when it goes wrong and once when it is
// well again, by mail and by webhooks.
//
// Flow, by a timer: the tool takes a Look -> State.Judge compares it with the rules -> State.Advance turns what changed into
// notices, which wait in the line of each channel -> Deliver sends them. The state outlives reboots, so nothing is told twice.
package alerts

import (
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// Rule is what is looked at, in a word.
type Rule string

// The rules.
const (
	NoKeys      Rule = "no-keys"     // no key is active
	FewKeys     Rule = "few-keys"    // fewer than ALERT_MIN_KEYS are
	Health      Rule = "health"      // the adapter does not answer where clients come in
	Errors      Rule = "errors"      // of the requests of ten minutes, ALERT_ERROR_PERCENT or more failed
	Quota       Rule = "quota"       // of a day is used up before it begins anew, or will be
	Certificate Rule = "certificate" // ends within ALERT_CERT_DAYS
	Renewal     Rule = "renewal"     // of the certificate failed, or nothing looks after it
	Disk        Rule = "disk"        // ALERT_DISK_PERCENT of one is used
	Backup      Rule = "backup"      // the last one failed, or is too old
	Restart     Rule = "restart"     // of the service by systemd, after a crash, or of the server
	Spend       Rule = "spend"       // of the day is ALERT_SPEND_USD or more
)

// Rules are all of them, in the order in which they are shown.
func Rules() []Rule {
	return []Rule{NoKeys, FewKeys, Health, Errors, Quota, Certificate, Renewal, Disk, Backup, Restart, Spend}
}

// Look is what was found at one moment. What is nil could not be seen, and changes nothing.
type Look struct {
	Time     time.Time
	Entrance *Entrance
	Stats    *control.Stats
	Service  *Service
	Cert     *Cert
	Disks    []Volume
	Backup   *Trouble
}

// Entrance is what clients find.
type Entrance struct {
	Problem       string // why there is no answer; "" if there is one
	Active, Total int    // keys
}

// Service is how often it was started without a person.
type Service struct {
	Restarts int    // by systemd, since a person or a deploy started it
	Boot     string // the kernel's id of this start of the server
}

// Cert is the certificate that clients see.
type Cert struct {
	NotBefore, NotAfter time.Time
	Renewal             Trouble
}

// Volume is a file system.
type Volume struct {
	Path        string
	Total, Free int64 // bytes
}

// Used is the percentage of it that is used.
func (d Volume) Used() int {
	if d.Total <= 0 {
		return 0
	}
	return int((d.Total - d.Free) * 100 / d.Total)
}

// Trouble is what is wrong, and the command that cures it; the zero value is well.
type Trouble struct{ What, Cure string }

// Settings are what a person wants to be told of.
type Settings = config.Alerts
