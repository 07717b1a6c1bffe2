package manage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Every secret of the settings, however it is written down, is masked wherever it stands; the rest is left.
func TestBundle_mask(t *testing.T) {
	texts := config.Texts{
		Env: "GEMINI_API_KEYS=hidden-key-1, hidden-key-2\nADMIN_TOKEN='hidden-admin'\nPROXY_URL=http://user:hidden%2Fpassword@proxy.example:3128\n" +
			"ALERT_SLACK_URL=https://hooks.slack.com/services/hidden-hook\nALERT_SMTP_URL=smtp://me@example.com:hidden-mail@smtp.example.com\nPORT=8000\nBACKUP_S3_SECRET=hidden\"s3\n",
		Keys:   "# a comment\nhidden-key-3 proxy=socks5://hidden-user@10.0.0.1:1080 label=spare\n",
		Tokens: "sha256:hiddenhash00 name=laptop\n",
	}
	stands := []string{
		"hidden-key-1", "hidden-key-2", "hidden-admin", "hidden/password", "hidden%2Fpassword", "https://hooks.slack.com/services/hidden-hook", "/services/hidden-hook",
		"smtp://me@example.com:hidden-mail@", "hidden-key-3", "hidden-user", "hiddenhash00", `hidden"s3`, `{"x":"hidden\"s3"}`, "hidden%22s3",
		"AIzaSyhidden0123456789abcdef", "Authorization: Bearer hidden.token.0123456789", "gca-hidden0123456789012345678901",
	}
	b := &Bundle{}
	for _, text := range stands {
		b.add("logs/x.txt", []byte("before "+text+" after"))
	}
	b.add("settings.txt", []byte("PORT=8000 spare laptop proxy.example"))
	if err := b.mask(secretsOf(texts)); err != nil {
		t.Fatal(err)
	}
	for i, part := range b.Parts[:len(stands)] {
		if text := string(part.Content); strings.Contains(text, "hidden") || !strings.HasPrefix(text, "before ") || !strings.HasSuffix(text, " after") {
			t.Errorf("%q became %q", stands[i], text)
		}
	}
	if text := string(b.Parts[len(stands)].Content); text != "PORT=8000 spare laptop proxy.example" {
		t.Errorf("what is no secret became %q", text)
	}
	if b.Masked < len(stands) {
		t.Errorf("%d places were masked", b.Masked)
	}
	if old := secretsOf(texts, config.Texts{Env: "ADMIN_TOKEN=hidden-admin-of-before\n"}); len(old[0]) < len("hidden-admin-of-before") || !slices.Contains(old, "hidden-admin-of-before") {
		t.Errorf("of settings of before: %q", old)
	}
	torn := secretsOf(config.Texts{Env: "ADMIN_TOKEN='never closed\nno line at all\n"})
	if !slices.Contains(torn, "never closed") {
		t.Errorf("of settings that cannot be read: %q", torn)
	}
}

// Whatever the settings and the logs hold: no secret is left, or nothing is written.
func FuzzBundle_mask(f *testing.F) {
	f.Add("ADMIN_TOKEN=hidden-admin\nPROXY_URL=http://user:pass%2Fword@proxy:1\n", "key-1111 proxy=socks5://u@h:1\n", []byte("Bearer hidden.token.0123456789 key-1111 pass/word"))
	f.Add("ADMIN_TOKEN=****\n", "", []byte("********"))
	f.Add("ALERT_SLACK_URL=https://a/b\xff\n", "# a\n", []byte("\xff/b"))
	f.Fuzz(func(t *testing.T, env, keys string, content []byte) {
		secrets := secretsOf(config.Texts{Env: env, Keys: keys})
		b := &Bundle{}
		b.add("log.txt", slices.Clone(content))
		if b.mask(secrets) != nil {
			return
		}
		for _, secret := range secrets {
			if bytes.Contains(b.Parts[0].Content, []byte(secret)) {
				t.Errorf("%q is left in %q", secret, b.Parts[0].Content)
			}
		}
		if looksSecret.Match(b.Parts[0].Content) {
			t.Errorf("what looks like a secret is left in %q", b.Parts[0].Content)
		}
	})
}

func TestBundle_Save(t *testing.T) {
	b := &Bundle{Masked: 2}
	b.add("versions.txt", []byte("gca 1\n"))
	b.add("logs/large.txt", bytes.Repeat([]byte("0123456789abcdef"), maxPart/16+1))
	b.add("doctor.json", printed(func(io.Writer) error { return errors.New("systemd is away") }))
	file := filepath.Join(t.TempDir(), BundleName("tokyo", time.Unix(0, 0)))
	if err := b.Save(file); err != nil {
		t.Fatal(err)
	}
	if err := b.Save(file); err == nil {
		t.Error("a bundle that was there was overwritten")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || filepath.Base(file) != "gca-bundle-tokyo-19700101T000000Z.tar.gz" {
		t.Errorf("%v, %v", info, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int{}
	for archive := tar.NewReader(zipped); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		sizes[header.Name] = len(text)
	}
	if len(sizes) != 3 || sizes["gca-bundle/versions.txt"] != 6 || sizes["gca-bundle/logs/large.txt"] != maxPart || sizes["gca-bundle/doctor.json"] < 20 {
		t.Errorf("it holds %v", sizes)
	}
	var list strings.Builder
	if err := b.Print(&list); err != nil || !strings.Contains(list.String(), "logs/large.txt") || !strings.Contains(list.String(), "2 places where a secret stood are masked") {
		t.Errorf("%v\n%s", err, list.String())
	}
}
