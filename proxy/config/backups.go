package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Backups says how long a deployed adapter's backups are kept on its server, and where copies of them go. The adapter itself does
// not read it: `gemini-manage backup` does, by a timer.
type Backups struct {
	KeepDays  int // BACKUP_KEEP_DAYS: older ones are removed, 1 to 3650; the newest seven stay
	KeepCount int // BACKUP_KEEP_COUNT: of more, the oldest are removed, 1 to 1000

	To          []*url.URL // BACKUP_TO: s3://ENDPOINT/BUCKET[/PREFIX], s3+http:// without TLS, sftp://USER@HOST[:PORT]/FOLDER
	Recipients  []string   // BACKUP_RECIPIENTS: public halves of backup keys, age1…: copies are encrypted to them
	S3Key       string     // BACKUP_S3_KEY: id of the access key
	S3Secret    Secret     // BACKUP_S3_SECRET: its secret
	SFTPHostKey string     // BACKUP_SFTP_HOST_KEY: SHA256:…, the host key of the SFTP server
}

func defaultBackups() Backups { return Backups{KeepDays: 30, KeepCount: 60} }

// most places and recipients that a list may have.
const mostPlaces = 8

func backupPlaces(v string, dst *[]*url.URL) error {
	var places []*url.URL
	for _, text := range commaList(v) {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" || u.Fragment != "" {
			return fmt.Errorf(": expected s3://ENDPOINT/BUCKET or sftp://USER@HOST/FOLDER, commas between several")
		}
		_, password := u.User.Password()
		switch {
		case password:
			return fmt.Errorf("=%q: expected no password; S3 takes BACKUP_S3_KEY and BACKUP_S3_SECRET, SFTP a key: gemini-manage backup ssh-key", u.Redacted())
		case u.Scheme == "sftp" && u.User.Username() == "":
			return fmt.Errorf("=%q: expected the user to log in as: sftp://USER@%s%s", text, u.Host, u.Path)
		case u.Scheme != "sftp" && u.Scheme != "s3" && u.Scheme != "s3+http":
			return fmt.Errorf("=%q: expected a URL that starts with s3:// or sftp://", text)
		}
		places = append(places, u)
	}
	if len(places) > mostPlaces {
		return fmt.Errorf(": %d places, at most %d", len(places), mostPlaces)
	}
	*dst = places
	return nil
}

// recipientForm is what the public half of a backup key looks like.
var recipientForm = regexp.MustCompile(`^age1[0-9a-z]{50,}$`)

func backupRecipients(v string, dst *[]string) error {
	all := commaList(v)
	for _, one := range all {
		if !recipientForm.MatchString(one) {
			return fmt.Errorf(": expected what gca backup key prints, age1…, commas between several") // it may be the other half
		}
	}
	if len(all) > mostPlaces {
		return fmt.Errorf(": %d recipients, at most %d", len(all), mostPlaces)
	}
	*dst = all
	return nil
}

// commaList are the items between commas, without those that are empty.
func commaList(v string) []string {
	var items []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

var hostKeyForm = regexp.MustCompile(`^SHA256:[0-9A-Za-z+/]{43}$`)

func hostKey(v string, dst *string) error {
	if v != "" && !hostKeyForm.MatchString(v) {
		return fmt.Errorf("=%q: expected SHA256:…, as ssh-keygen -l prints it", v)
	}
	*dst = v
	return nil
}

// word is one word of a credential.
func word(v string, dst *string) error {
	if strings.ContainsAny(v, " \t\r\n") {
		return fmt.Errorf(": expected one word, without white space")
	}
	*dst = v
	return nil
}

func secretWord(v string, dst *Secret) error {
	var text string
	if err := word(v, &text); err != nil {
		return err
	}
	*dst = NewSecret(text)
	return nil
}

func showPlaces(places []*url.URL) string {
	texts := make([]string, len(places))
	for i, u := range places {
		texts[i] = u.String()
	}
	return strings.Join(texts, ",")
}
