package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// killer restores an archive on a server, and kills that as soon as the journal has so many records.
const killer = `cat >/run/killer <<'EOF'
import subprocess, sys, time
archive, records = sys.argv[1], int(sys.argv[2])
restore = subprocess.Popen(["gemini-manage", "restore", "--yes", archive], stdout=open("/run/killed.log", "w"), stderr=subprocess.STDOUT)
while restore.poll() is None:
    try:
        with open("/var/lib/gca/journal/open/journal", "rb") as f:
            if f.read().count(b"\n") >= records:
                restore.kill()
                break
    except OSError:
        pass
    time.sleep(0.0005)
print("killed" if restore.wait() == -9 else "ended")
EOF
exec python3 /run/killer %s %d`

// A restore that dies after any record of its journal leaves an adapter that serves, without anybody's doing; the next restore, or
// the next deploy, takes it back and succeeds. GCA_EVERY is every record, otherwise four are drawn.
func TestTrap_restoreKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	retries := func() string { return strings.TrimSpace(r.on("gemini-manage config get MAX_RETRIES")) }
	for _, n := range []string{"3", "4"} {
		r.on("gemini-manage config set MAX_RETRIES=" + n)
		r.ok(nil, "ask", "something that the other archive does not have")
		r.on("gemini-manage backup -o /root/" + n + ".tar.gz")
	}
	is, next := "4", "3"
	r.on("gemini-manage restore --yes /root/" + next + ".tar.gz")
	is, next = next, is
	records, err := strconv.Atoi(strings.TrimSpace(r.on("cd /var/lib/gca/journal; wc -l <$(ls -d *_* | tail -1)/journal")))
	if err != nil || records < 10 {
		t.Fatalf("a restore has %d records, %v", records, err)
	}
	step := max(records/4, 1)
	if os.Getenv("GCA_EVERY") != "" {
		step = 1
	}
	first := int(fromEnv(t, "GCA_CUT_SEED", uint64(os.Getpid()))) % step
	t.Logf("every %d. of %d records: GCA_CUT_SEED=%d", step, records, first)
	killed := 0
	for record := 1 + first; record <= records; record += step {
		end := strings.TrimSpace(r.on(fmt.Sprintf(killer, "/root/"+next+".tar.gz", record)))
		r.on("timeout 60 sh -c 'until gca health --config-dir /etc/gemini-adapter >/dev/null 2>&1; do sleep 0.1; done'")
		if got := r.run(nil, "ask", "who serves?"); got.code != exitOK {
			t.Errorf("%s at record %d, and nobody serves: %s%s\n%s", end, record, got.out, got.err, r.on("cat /run/killed.log"))
		}
		if end == "ended" {
			is, next = next, is
		} else {
			killed++
		}
		if killed%2 == 0 {
			r.deploy()
			if got := retries(); got != is {
				t.Errorf("%s at record %d: after a deploy MAX_RETRIES is %s, not %s", end, record, got, is)
			}
		}
		r.on("gemini-manage restore --yes /root/" + next + ".tar.gz")
		is, next = next, is
		if got := retries(); got != is {
			t.Errorf("%s at record %d: after the next restore MAX_RETRIES is %s, not %s", end, record, got, is)
		}
	}
	if killed < 3 {
		t.Errorf("only %d restores were killed", killed)
	}
	if left := r.on("systemctl list-unit-files --no-legend 'gca-*' || true; ls /var/lib/gca/journal | grep -v _ || true"); left != "" {
		t.Errorf("left are:\n%s", left)
	}
	r.ok(nil, "ask", "and now?")
}

// Backups while clients are served cost no request, and what was in one of them is there after its restore.
func TestTrap_backupUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	token := r.deployForLongStories()
	r.ok(nil, "backup", "key")
	dir := t.TempDir()
	var files []string
	under(t, r, token, func() {
		for i := range 3 {
			files = append(files, filepath.Join(dir, fmt.Sprintf("%d.tar.gz.age", i)))
			r.ok(nil, r.verb(words("backup"), "-o", files[i])...)
			wantText(t, r.ok(nil, "backup", "verify", files[i]).out, "an adapter starts with it")
		}
	})
	counted := int64(0)
	for _, file := range files {
		n := requestsIn(t, r, file)
		if n == 0 || n < counted {
			t.Errorf("%s has %d requests, the one before %d", file, n, counted)
		}
		counted = n
	}
	first := requestsIn(t, r, files[0])
	r.ok(nil, r.verb(words("restore"), "--yes", files[0])...)
	after := filepath.Join(dir, "after.tar.gz.age")
	r.ok(nil, r.verb(words("backup"), "-o", after)...)
	if n := requestsIn(t, r, after); n != first {
		t.Errorf("after the restore there are %d requests, the archive has %d", n, first)
	}
	r.ok(nil, "ask", "is it you?")
}
