package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/gemini-claude-adapter/gca/manage"
)

// bucketFor is an S3 server that a lab server can reach, with one bucket.
func bucketFor(t *testing.T, r *rig) (address string, kept *s3mem.Backend) {
	t.Helper()
	kept = s3mem.New()
	if err := kept.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(r.server.Gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: gofakes3.New(kept).Server()}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String(), kept
}

// testBackupNightly has systemd make the backup, in its sandbox, with copies in a bucket and on another machine's disk.
func testBackupNightly(t *testing.T, r *rig) {
	if got := r.on("systemctl is-active gemini-adapter-backup.timer; systemctl is-enabled gemini-adapter-backup.timer"); got != "active\nenabled\n" {
		t.Errorf("the timer is %s", got)
	}
	r.on("systemctl start gemini-adapter-backup.service")
	last := func() (l manage.LastBackup) {
		t.Helper()
		if err := json.Unmarshal([]byte(r.on("runuser -u nobody cat /var/backups/gemini-adapter/last.json")), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := last(); l.Error != "" || l.Made.IsZero() || len(l.Copies) > 0 {
		t.Errorf("the night's backup is %+v\n%s", l, r.on("journalctl -u gemini-adapter-backup -o cat"))
	}
	address, kept := bucketFor(t, r)
	mine := strings.TrimSpace(r.ok(nil, "backup", "key").out)
	login := strings.TrimSpace(r.ok(nil, r.verb(words("backup ssh-key"))...).out)
	r.on("echo '" + login + "' >>~admin/.ssh/authorized_keys")
	r.ok(nil, r.verb(words("config set"), "BACKUP_TO=s3+http://"+address+"/backups/tokyo?region=x,sftp://admin@127.0.0.1/~/kept", "BACKUP_S3_KEY=id",
		"BACKUP_RECIPIENTS="+mine, "BACKUP_SFTP_HOST_KEY="+r.server.HostKeys[0].Fingerprint)...)
	wantText(t, r.ok(nil, r.verb(words("config get"))...).out, "sftp://admin@127.0.0.1/~/kept")
	if got := r.on("gemini-manage backup 2>&1 || echo code $?"); !strings.Contains(got, "hint: gca config set HOST BACKUP_S3_KEY=ID BACKUP_S3_SECRET=-") || !strings.Contains(got, "code 3") {
		t.Errorf("without the access key's secret:\n%s", got)
	}
	r.on("echo BACKUP_S3_SECRET=s3cret >>/etc/gemini-adapter/adapter.env; systemctl start gemini-adapter-backup.service")
	l := last()
	if len(l.Copies) != 2 || l.Copies[0].Error != "" || l.Copies[1].Error != "" {
		t.Fatalf("the copies are %+v\n%s", l.Copies, r.on("journalctl -u gemini-adapter-backup -o cat"))
	}
	listed := r.ok(nil, r.verb(words("backup list"))...).out
	wantText(t, listed, l.File, "s3+http://"+address+"/backups/tokyo/"+l.Copies[0].File, "sftp://admin@127.0.0.1/~/kept/"+l.Copies[1].File)
	if strings.Contains(listed+r.on("journalctl -u gemini-adapter-backup -o cat; cat /var/backups/gemini-adapter/last.json"), "s3cret") {
		t.Error("a secret is shown")
	}
	if _, err := kept.HeadObject("backups", "tokyo/"+l.Copies[0].File); err != nil {
		t.Error(err)
	}
	copied := t.TempDir() + "/copy.tar.gz.age"
	r.fetch("cat ~admin/kept/"+l.Copies[1].File, copied)
	wantText(t, r.ok(nil, "backup", "verify", copied).out, "an adapter starts with it: 3 keys")
	testBackupUnread(t, r)
	r.ok(nil, r.verb(words("config set"), "BACKUP_TO=", "BACKUP_S3_KEY=", "BACKUP_S3_SECRET=", "BACKUP_RECIPIENTS=", "BACKUP_SFTP_HOST_KEY=")...)
	r.on("rm -r ~admin/kept")
}

// testBackupUnread has a mistake in the settings cost no archive that they would keep, nor hide that nothing was copied.
func testBackupUnread(t *testing.T, r *rig) {
	const old = "/var/backups/gemini-adapter/gca-old-20200101T000000Z.tar.gz"
	r.on(weekOfArchives + "echo x >" + old + "; cp -p /etc/gemini-adapter/adapter.env /root/right.env; printf 'BACKUP_KEEP_DAYS=3650\nMAX_RETRIES=many\n' >>/etc/gemini-adapter/adapter.env")
	wantText(t, r.on("gemini-manage backup 2>&1 || echo code $?"), "the settings cannot be read, which say where to", "MAX_RETRIES", "code 3")
	wantText(t, r.on("gemini-manage status || true"), "sftp://admin@127.0.0.1/~/kept: the settings cannot be read")
	r.on("test -e " + old + "; cp -p /root/right.env /etc/gemini-adapter/adapter.env; gemini-manage backup; rm /var/backups/gemini-adapter/gca-week-*")
	if left := r.on("ls " + old + " 2>/dev/null || true"); left != "" {
		t.Errorf("what is due by the settings was left: %s", left)
	}
}
