package offsite

import (
	"net/url"
	"strings"
	"testing"
)

// Nobody who stands in for the server is spoken to: its host key is known beforehand, or nothing is connected.
func TestSFTP_unknownHost(t *testing.T) {
	u := &url.URL{Scheme: "sftp", User: url.User("me"), Host: "127.0.0.1:1", Path: "/kept"}
	for _, key := range []string{"", "SHA256:short"} {
		_, err := Open(t.Context(), u, Access{SSHHostKey: key})
		if err == nil || !strings.Contains(err.Error(), "the server's host key must be known") || !strings.Contains(err.Error(), "\nhint: gca config set HOST BACKUP_SFTP_HOST_KEY=") {
			t.Errorf("with the host key %q: %v", key, err)
		}
	}
}
