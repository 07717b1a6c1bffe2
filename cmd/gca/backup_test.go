package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/lab"
	"github.com/gemini-claude-adapter/gca/proxy/store"
	"github.com/gemini-claude-adapter/gca/proxy/store/storetest"
)

const backups = "ls /var/backups/gemini-adapter 2>/dev/null || true"

// A backup of one server makes another one just like it.
func TestBackup(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	r.on("printf 'usage of a year' >/var/lib/gemini-adapter/usage.db; chown gemini:gemini /var/lib/gemini-adapter/usage.db; chmod 600 /var/lib/gemini-adapter/usage.db")
	r.ok(nil, r.verb(words("config set"), "PORT=9100", "MAX_RETRIES=4")...)
	dir := t.TempDir()
	file, plain := filepath.Join(dir, "adapter.tar.gz.age"), filepath.Join(dir, "adapter.tar.gz")
	t.Run("on the server", func(t *testing.T) { testBackupHere(t, r.in(t)) })
	t.Run("from a laptop", func(t *testing.T) { testBackupAfar(t, r.in(t), file) })
	r.fetch("gemini-manage backup -o -", plain)
	t.Run("every night, and elsewhere", func(t *testing.T) { testBackupNightly(t, r.in(t)) })
	t.Run("a broken link", func(t *testing.T) { testBackupCut(t, r.in(t)) })
	t.Run("bad archives are refused", func(t *testing.T) { testRestoreRefused(t, r.in(t), file, plain) })
	t.Run("restore on the server", func(t *testing.T) { testRestoreHere(t, r.in(t), plain) })
	t.Run("restore goes back", func(t *testing.T) { testRestoreBack(t, r.in(t), file) })
	t.Run("restore half-way", func(t *testing.T) { testRestoreHalf(t, r.in(t), file) })
	t.Run("restore elsewhere", func(t *testing.T) { testRestoreElsewhere(t, r.in(t), file, plain) })
}

// weekOfArchives are seven that are younger than those that a test wants removed for their age.
const weekOfArchives = `for d in 1 2 3 4 5 6 7; do echo x >/var/backups/gemini-adapter/gca-week-$(date -u -d "-$d days" +%Y%m%dT%H%M%SZ).tar.gz; done; `

func testBackupHere(t *testing.T, r *rig) {
	r.on("mkdir -m 755 /var/backups/gemini-adapter; " + weekOfArchives + "cd /var/backups/gemini-adapter; echo x >gca-old-20200101T000000Z.tar.gz\n" +
		"touch gca-held-20200102T000000Z.tar.gz; mount --bind /etc/hostname gca-held-20200102T000000Z.tar.gz\n" +
		"ln -s /etc/shadow /var/lib/gemini-adapter/planted")
	said := r.on("gemini-manage backup 2>&1")
	file := regexp.MustCompile(`(?m)^/var/backups/gemini-adapter/gca-.*-[0-9]{8}T[0-9]{6}Z\.tar\.gz$`).FindString(said)
	if file == "" {
		t.Fatalf("no file is named in:\n%s", said)
	}
	sum := strings.Fields(r.on("sha256sum " + file))[0]
	for _, want := range []string{"in the clear", "SHA-256 " + sum, "/etc/gemini-adapter/keys", "/var/lib/gemini-adapter/usage.db",
		"/var/lib/gemini-adapter/planted was left out", "could not all be removed: remove /var/backups/gemini-adapter/gca-held-"} {
		if !strings.Contains(said, want) {
			t.Errorf("gemini-manage backup lacks %q:\n%s", want, said)
		}
	}
	r.on("cd /var/backups/gemini-adapter; umount gca-held-*; rm gca-held-* gca-week-*")
	if modes := r.on("stat -c '%a %U %n' /var/backups/gemini-adapter /var/backups/gemini-adapter/*"); modes != "711 root /var/backups/gemini-adapter\n600 root "+file+"\n644 root /var/backups/gemini-adapter/last.json\n" {
		t.Errorf("the archives are:\n%s", modes)
	}
	if got := r.on("gemini-manage backup list; gemini-manage backup verify " + file); !strings.Contains(got, file) || !strings.Contains(got, "whole: every file") {
		t.Errorf("list and verify said:\n%s", got)
	}
	r.on("rm /var/lib/gemini-adapter/planted")
	listing := r.on("gemini-manage backup --with-logs -o - | tee /root/x.tar.gz | tar -tzv; gemini-manage backup verify /root/x.tar.gz")
	for _, want := range []string{"manifest.json", "logs/journal.txt", "logs/nginx/access.log", "etc/systemd/system/gemini-adapter.service", "etc/nginx/sites-available/gemini-adapter"} {
		if !strings.Contains(listing, want) {
			t.Errorf("no %s in:\n%s", want, listing)
		}
	}
	if got := r.on("gemini-manage backup -o /root/x.tar.gz 2>&1 || echo code $?"); !strings.Contains(got, "is there already") || !strings.Contains(got, "code 1") {
		t.Errorf("over another file:\n%s", got)
	}
}

func testBackupAfar(t *testing.T, r *rig, file string) {
	r.fails(nil, exitUsage, "hint: gca backup key > recovery-sheet.txt", r.verb(words("backup"), "-o", file)...)
	sheet := r.ok(nil, "backup", "key").out
	got := r.ok(nil, r.verb(words("backup"), "-o", file, "--json")...)
	var said backupResult
	packed, err := os.ReadFile(file)
	if err := json.Unmarshal([]byte(got.out), &said); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
	sum := sha256.Sum256(packed)
	if err != nil || said.SHA256 != hex.EncodeToString(sum[:]) || said.Schema != 1 || said.Manifest.Schema != 1 || !said.Sealed || !bytes.HasPrefix(packed, []byte(sealedStart)) {
		t.Errorf("said %s of %x, %v", got.out, sum, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the archive is %v, %v", info, err)
	}
	dir := t.TempDir()
	admin := *r.as("admin")
	admin.gca = r.script("there", "cd "+dir+`; exec '`+r.gca+`' "$@"`)
	named := strings.TrimSpace(admin.ok(nil, admin.verb(words("backup"))...).out)
	if !strings.HasPrefix(named, "gca-"+r.host+"-") {
		t.Errorf("the archive is named %s", named)
	}
	r.ok(nil, "backup", "verify", filepath.Join(dir, named))
	piped := r.ok(nil, r.verb(words("backup"), "-o", "-")...)
	if !strings.HasPrefix(piped.out, sealedStart) {
		t.Error("-o - is no encrypted archive")
	}
	testBackupKeys(t, r, file, sheet)
	sudoer := r.as("sudoer")
	secret := filepath.Join(dir, "sudoer.tar.gz")
	if got := sudoer.typed(nil, []answer{{"Password of sudoer for sudo", lab.SudoerPassword}}, sudoer.verb(words("backup"), "-o", secret)...); got.code != 0 {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	r.ok(nil, "backup", "verify", secret)
}

const sealedStart = "age-encryption.org/v1\n"

// testBackupKeys looks who can open what left the server.
func testBackupKeys(t *testing.T, r *rig, file, sheet string) {
	secret := regexp.MustCompile(`(?m)^  (AGE-SECRET-KEY-1\S+)$`).FindStringSubmatch(sheet)
	if secret == nil {
		t.Fatalf("the sheet is:\n%s", sheet)
	}
	other := *r
	other.home = t.TempDir()
	other.fails(nil, exitRefused, "there is no backup key on this machine\nhint: give the key of the recovery sheet: --backup-key FILE", "backup", "verify", file)
	typed := filepath.Join(other.home, "key.txt")
	if err := os.WriteFile(typed, []byte(secret[1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other.ok(nil, "backup", "verify", "--backup-key", typed, file)
	mine := strings.TrimSpace(r.ok(nil, "backup", "key").out)
	ci := filepath.Join(other.home, "ci.tar.gz.age")
	got := other.ok(nil, other.verb(words("backup"), "-o", ci, "--recipient", mine)...)
	wantText(t, got.err, "encrypted to "+mine, "it was not read back")
	wantText(t, r.ok(nil, "backup", "verify", ci).out, "/etc/gemini-adapter/keys", "whole: every file")
	other.ok(nil, "backup", "key")
	other.fails(nil, exitRefused, "it is encrypted, and not to the backup key in ", other.verb(words("restore"), "--yes", ci)...)
	if found := r.on("grep -rl AGE-SECRET-KEY /etc /var /root /run /tmp /opt/gemini-adapter 2>/dev/null | grep -v /gca$ || true"); found != "" {
		t.Errorf("the key came to the server: %s", found)
	}
}

// fetch saves what a command on the server prints.
func (r *rig) fetch(command, to string) {
	r.t.Helper()
	text, err := r.server.Command(r.t.Context(), "sh", "-c", command).Output()
	if err := errors.Join(err, os.WriteFile(to, text, 0o600)); err != nil {
		r.t.Fatal(err)
	}
}

// testBackupCut cuts the link in the middle of an archive.
func testBackupCut(t *testing.T, r *rig) {
	r.on("head -c 2000000 /dev/urandom >/var/lib/gemini-adapter/big.db; chown gemini:gemini /var/lib/gemini-adapter/big.db")
	dir := t.TempDir()
	far, link := r.over(lab.LinkOptions{})
	struck := link.BreakAfter(lab.FromServer, 500_000, lab.Reset)
	got := far.run(nil, far.verb(words("backup"), "-o", filepath.Join(dir, "x.tar.gz"))...)
	<-struck
	left, err := os.ReadDir(dir)
	if got.code != exitUnreachable || err != nil || len(left) > 0 {
		t.Errorf("exit code %d, left are %v, %v\n%s", got.code, left, err, got.err)
	}
	link.Heal()
	far.ok(nil, far.verb(words("backup"), "-o", filepath.Join(dir, "x.tar.gz"))...)
	r.on("rm /var/lib/gemini-adapter/big.db")
}

// testRestoreRefused wants nothing touched by what must not be restored, whoever finds it out.
func testRestoreRefused(t *testing.T, r *rig, file, plain string) {
	good, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 0x40
	dir := t.TempDir()
	kept := r.on(backups)
	r.unchanged(func() {
		f := func(name string, text []byte, want string) {
			t.Helper()
			bad := filepath.Join(dir, name)
			if err := os.WriteFile(bad, text, 0o600); err != nil {
				t.Fatal(err)
			}
			r.fails(nil, exitRefused, want, r.verb(words("restore"), "--yes", bad)...)
			there := r.server.Command(t.Context(), "sh", "-c", "gemini-manage restore --yes - 2>&1; echo code $?")
			there.Stdin = bytes.NewReader(text)
			if out, err := there.CombinedOutput(); err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "code 7") {
				t.Errorf("on the server %s gives %v\n%s", name, err, out)
			}
		}
		f("flipped", flipped, "cannot be used")
		f("truncated", good[:len(good)-20], "it is cut off")
		f("trailing", append(bytes.Clone(good), '!'), "there is something behind its end")
		f("foreign", []byte("PK\x03\x04"), "it is a zip file")
		f("empty", nil, "it is empty")
		g := func(name string, change func([]byte) []byte, want string) {
			t.Helper()
			bad := filepath.Join(dir, name)
			text, err := os.ReadFile(file)
			if err := errors.Join(err, os.WriteFile(bad, change(text), 0o600)); err != nil {
				t.Fatal(err)
			}
			r.fails(nil, exitRefused, want, r.verb(words("restore"), "--yes", bad)...)
		}
		g("sealed-flipped", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, "it is damaged")
		g("sealed-truncated", func(b []byte) []byte { return b[:len(b)-20] }, "cut off")
		g("sealed-trailing", func(b []byte) []byte { return append(b, '!') }, "something behind its end")
		r.put(file, "/root/sealed.tar.gz.age")
		wantText(t, r.on("gemini-manage restore --yes /root/sealed.tar.gz.age 2>&1 || echo code $?; rm /root/sealed.tar.gz.age"), "there is no backup key on this machine", "code 7")
		newer := r.server.Command(t.Context(), "sh", "-c", "gemini-manage restore --yes - 2>&1; echo code $?")
		newer.Stdin = bytes.NewReader(repacked(t, good, `"gca": "0.`, `"gca": "9.`))
		if out, err := newer.CombinedOutput(); err != nil || !strings.Contains(string(out), "hint: bring this server to gca 9.") || !strings.Contains(string(out), "code 7") {
			t.Errorf("an archive of a newer release gives %v\n%s", err, out)
		}
		r.fails(nil, exitUsage, "hint: gca restore "+r.target()+" FILE", r.verb(words("restore"), "--yes", "-")...)
		r.fails(nil, exitUsage, "no such file", r.verb(words("restore"), "--yes", "/no/such/file")...)
		r.fails(nil, exitUsage, "hint: the same command with --yes", r.verb(words("restore"), file)...)
	})
	if after := r.on(backups); after != kept {
		t.Errorf("a refused restore made a backup:\n%s", after)
	}
}

// repacked is an archive with another text of the same length in it.
func repacked(t *testing.T, packed []byte, from, to string) []byte {
	t.Helper()
	in, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil || !bytes.Contains(text, []byte(from)) {
		t.Fatalf("there is no %q, %v", from, err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = w.Write(bytes.Replace(text, []byte(from), []byte(to), 1))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func testRestoreHere(t *testing.T, r *rig, file string) {
	const held = "sha256sum /etc/gemini-adapter/adapter.env /etc/gemini-adapter/keys /etc/gemini-adapter/tokens; find /var/lib/gemini-adapter -type f ! -name 'state.db*' -printf '%p %m %u %g %s\n'"
	before := r.on(held)
	r.ok(nil, r.verb(words("config set"), "PORT=9200", "MAX_RETRIES=")...)
	r.on("echo other >/var/lib/gemini-adapter/usage.db; echo new >/var/lib/gemini-adapter/later.db; : >/etc/gemini-adapter/tokens")
	const archive = "/var/backups/gemini-adapter/gca-elsewhere-20200101T000000Z.tar.gz" // which is due for a long time
	r.put(file, archive)
	said := r.on("gemini-manage restore --yes " + archive + " 2>&1; mv " + archive + " /root/adapter.tar.gz")
	if after := r.on(held); after != before {
		t.Errorf("the restore left:\n%s\n%s", differ(before, after), said)
	}
	safety := regexp.MustCompile(`what was there before is in (\S+)`).FindStringSubmatch(said)
	if safety == nil {
		t.Fatalf("no safety backup is named:\n%s", said)
	}
	r.on("gemini-manage backup verify " + safety[1] + " | grep -q later.db")
	for _, loss := range []string{"rm adapter.env", "echo \"ADMIN_TOKEN='never closed\" >>adapter.env"} {
		r.on("cd /etc/gemini-adapter; " + loss)
		if said := r.on("gemini-manage restore --yes /root/adapter.tar.gz 2>&1 || echo code $?"); r.on(held) != before {
			t.Errorf("after %s the restore left:\n%s\n%s", loss, differ(before, r.on(held)), said)
		}
	}
	r.serves()
	r.ok(nil, "test")
	testRestoreState(t, r)
}

// testRestoreState has the running adapter use its state, and looks for that in a backup, and in a backup of what that was
// restored to.
func testRestoreState(t *testing.T, r *rig) {
	file := filepath.Join(t.TempDir(), "state.tar.gz")
	requests := func() (n int64) {
		r.on("rm -f /root/state.tar.gz; gemini-manage backup -o /root/state.tar.gz 2>&1")
		r.ok(nil, r.verb(words("backup"), "-o", file)...)
		defer func() { _ = os.Remove(file) }()
		for _, row := range usageIn(t, r, file) {
			n += row.Requests
		}
		return n
	}
	before := requests()
	for range 3 {
		r.ok(nil, "test")
	}
	storetest.Until(t, "the requests are in the state", func() bool { return requests() >= before+3 })
	used := requests()
	r.on("cp /root/state.tar.gz /root/used.tar.gz")
	r.ok(nil, "test")
	r.on("gemini-manage restore --yes /root/used.tar.gz 2>&1")
	if got := requests(); got != used {
		t.Errorf("after the restore the state has %d requests, not %d", got, used)
	}
	if owners := r.on("stat -c '%U %a' /var/lib/gemini-adapter/state.db*"); strings.ReplaceAll(owners, "gemini 600\n", "") != "" {
		t.Errorf("the state belongs to:\n%s", owners)
	}
	if said := r.on("journalctl -o cat -u gemini-adapter | grep -i 'state' | grep '\"level\":\"\\(ERROR\\|WARN\\)' || true"); said != "" {
		t.Errorf("the adapter complains of its state:\n%s", said)
	}
}

// usageIn is what the state in an archive says was used.
func usageIn(t *testing.T, r *rig, archive string) []store.Usage {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	key, err := manage.LoadBackupKey(filepath.Join(r.home, ".config/gca/backup-key.txt"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := manage.ReadArchive(f, version, key)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := a.File("var/lib/gemini-adapter/state.db")
	if !ok {
		t.Fatal("the archive has no state")
	}
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := store.OpenSQLite(path, store.DefaultLimits(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	rows, err := s.Usage("", "~")
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return rows
}

// put copies a file to the server.
func (r *rig) put(from, to string) {
	r.t.Helper()
	f, err := os.Open(from)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	cmd := r.server.Command(r.t.Context(), "sh", "-c", "umask 077; cat >"+to)
	cmd.Stdin = f
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
}

// testRestoreBack has the adapter fail to start with what is restored.
func testRestoreBack(t *testing.T, r *rig, file string) {
	r.ok(nil, r.verb(words("config set"), "MAX_RETRIES=5")...)
	r.on(`mkdir /etc/systemd/system/gemini-adapter.service.d
printf '[Service]\nExecStartPre=/bin/sh -c "! grep -q MAX_RETRIES=4 /etc/gemini-adapter/adapter.env"\n' >/etc/systemd/system/gemini-adapter.service.d/picky.conf
echo mine >/var/lib/gemini-adapter/usage.db
systemctl daemon-reload`)
	before := r.on(everything + "\nsha256sum /var/lib/gemini-adapter/usage.db")
	r.fails(nil, exitRolledBack, "everything was put back", r.verb(words("restore"), "--yes", file)...)
	if after := r.on(everything + "\nsha256sum /var/lib/gemini-adapter/usage.db"); after != before {
		t.Errorf("a restore that failed left something:\n%s", differ(before, after))
	}
	r.serves()
	r.on("rm -r /etc/systemd/system/gemini-adapter.service.d; systemctl daemon-reload")
}

func testRestoreElsewhere(t *testing.T, r *rig, file, plain string) {
	const held = "cd /etc/gemini-adapter; sha256sum adapter.env keys tokens; cat /var/lib/gemini-adapter/usage.db"
	r.put(plain, "/root/again.tar.gz")
	r.on("gemini-manage restore --yes /root/again.tar.gz 2>&1")
	before := r.on(held)
	other := newRig(t, ready()...)
	other.home = r.home
	got := other.ok(nil, other.verb(words("restore"), "--yes", file)...)
	for _, want := range []string{"http://" + other.server.Addr, "the same keys and the same tokens", "DNS"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the restore did not print %q:\n%s", want, got.out)
		}
	}
	for _, wrong := range []string{"nothing had to be changed", "what was there before"} {
		if strings.Contains(got.out+got.err, wrong) {
			t.Errorf("where no adapter was the restore said %q:\n%s%s", wrong, got.out, got.err)
		}
	}
	if after := other.on(held); after != before {
		t.Errorf("the other server has:\n%s", differ(before, after))
	}
	other.serves()
	if tested := other.ok(nil, "test"); !strings.Contains(tested.out, "connected    http://"+other.server.Addr) {
		t.Errorf("the same token at the new address:\n%s", tested.out)
	}
	if other.on("gemini-manage config get PORT") != "9100\n" {
		t.Error("the port did not move along")
	}
	sudoer := other.as("sudoer")
	if got := sudoer.typed(nil, []answer{{"Make sudoer@", "y"}, {"Password of sudoer for sudo", lab.SudoerPassword}}, sudoer.verb(words("restore"), file)...); got.code != 0 {
		t.Errorf("by sudo with a password: exit code %d\n%s", got.code, got.out)
	}
	const release = "readlink /opt/gemini-adapter/current; ls /opt/gemini-adapter/releases"
	installed := other.on(release)
	other.gca = otherRelease(t, other.gca)
	again := other.ok(nil, other.verb(words("restore"), "--yes", "--json", file)...)
	var said restoreResult
	if err := json.Unmarshal([]byte(again.out), &said); err != nil || said.URL != "http://"+other.server.Addr || said.Schema != 1 || said.Safety == "" || said.ClientToken != "" {
		t.Errorf("restore --json printed %s (%v)", again.out, err)
	}
	if now := other.on(release); now != installed {
		t.Errorf("a restore changed the release from\n%sto\n%s", installed, now)
	}
}

// otherRelease is the same program with another hash.
func otherRelease(t *testing.T, gca string) string {
	t.Helper()
	text, err := os.ReadFile(gca)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "gca")
	if err := os.WriteFile(file, append(text, '\n'), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// testRestoreHalf has a server without an adapter refuse what only the archive's state brings about.
func testRestoreHalf(t *testing.T, r *rig, file string) {
	other := newRig(t, ready()...)
	other.home = r.home
	other.on(`mkdir -p /etc/systemd/system/gemini-adapter.service.d
printf '[Service]\nExecStartPre=/bin/sh -c "! [ -e /var/lib/gemini-adapter/usage.db ]"\n' >/etc/systemd/system/gemini-adapter.service.d/picky.conf`)
	other.fails(nil, exitRolledBack, "stays: it serves at http://"+other.server.Addr+" with the archive's settings, keys and tokens, but without its state",
		other.verb(words("restore"), "--yes", file)...)
	other.serves()
	if got := other.on("gemini-manage config get PORT; ls -A /var/lib/gemini-adapter | grep -v ^state.db || true"); got != "9100\n" {
		t.Errorf("it has %q", got)
	}
}
