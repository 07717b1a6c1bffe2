package config

import (
	"strings"
	"testing"
)

func TestBackups(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		err := Check(name, value)
		switch {
		case want == "" && err != nil, want != "" && err == nil, err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s=%s: %v, want %q", name, value, err, want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s shows a secret: %v", name, err)
		}
	}
	public := "age1" + strings.Repeat("q", 58)
	f("BACKUP_TO", "", "")
	f("BACKUP_TO", "s3://s3.eu-central-1.amazonaws.com/bucket,s3+http://10.0.0.2:9000/b/prefix?region=x, sftp://me@nas.example.com:2222/backups", "")
	f("BACKUP_TO", "s3://only-an-endpoint", "expected s3://ENDPOINT/BUCKET")
	f("BACKUP_TO", "s3://endpoint/", "expected s3://ENDPOINT/BUCKET")
	f("BACKUP_TO", "/var/backups", "expected s3://ENDPOINT/BUCKET")
	f("BACKUP_TO", "ftp://me@example.com/x", "starts with s3:// or sftp://")
	f("BACKUP_TO", "sftp://example.com/x", "expected the user to log in as")
	f("BACKUP_TO", "sftp://me:s3cret@example.com/x", "expected no password")
	f("BACKUP_TO", strings.Repeat("s3://e/b,", 9), "9 places, at most 8")
	f("BACKUP_RECIPIENTS", public+","+public, "")
	f("BACKUP_RECIPIENTS", "AGE-SECRET-KEY-1QQ", "expected what gca backup key prints")
	f("BACKUP_RECIPIENTS", "age1short", "expected what gca backup key prints")
	f("BACKUP_S3_KEY", "two words", "expected one word")
	f("BACKUP_S3_SECRET", "s3cret/with+slash=", "")
	f("BACKUP_S3_SECRET", "s3cret two", "expected one word")
	f("BACKUP_SFTP_HOST_KEY", "SHA256:"+strings.Repeat("A", 43), "")
	f("BACKUP_SFTP_HOST_KEY", "SHA256:short", "as ssh-keygen -l prints it")
	f("BACKUP_KEEP_DAYS", "0", "from 1 to 3650")
	f("BACKUP_KEEP_COUNT", "x", "from 1 to 1000")
}
