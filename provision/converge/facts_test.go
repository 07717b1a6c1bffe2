package converge

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

func testWant(t testing.TB) Want {
	return Want{
		Version: "1.2.3", SHA256: testSum, Templates: templates(t), Keys: NewSecret("AIzaSyTest1\nAIzaSyTest2"),
		Settings: []Setting{{Name: "HOST", Value: "127.0.0.1"}, {Name: "PORT", Value: "8000", Default: true}},
	}
}

// readTestSettings reads as the adapter does.
func readTestSettings(files SettingsFiles) (Settings, error) {
	cfg, err := config.Texts(files).Parse()
	if err != nil {
		return Settings{}, err
	}
	return Settings{Port: cfg.Port, MaxBody: cfg.MaxBody, DrainTimeout: cfg.DrainTimeout, Keys: len(cfg.Keys),
		ClientToken: cfg.Clients(), AdminToken: cfg.HasAdmin(), PlainChosen: cfg.TLSName == config.TLSOff,
		TLSName: strings.TrimPrefix(cfg.TLSName, config.TLSOff), ACMEDirectory: cfg.ACMEDirectory.String()}, nil
}

// freshFacts are those of a new Debian.
func freshFacts() Facts {
	return Facts{
		OS: OSRelease{ID: "debian", Version: "12"}, Systemd: 252, IPv6: true, Credentials: true,
		Hardware: Hardware{OpenFiles: 1 << 20, Memory: 4 << 30, FileSystem: "ext4", DiskFree: 50 << 30, VarFree: 50 << 30},
		Sysctls:  stockSysctls(), Paths: map[string]PathState{releasesDir: {Kind: PathDir}}, Units: map[string]UnitState{},
		SSHPorts: []int{22, 2222}, Listeners: []Listener{{Port: 22, Address: "0.0.0.0", Program: "sshd", PID: 9}},
		Firewall: Firewall{UFW: UFWAbsent}, ReleaseSHA: testSum,
	}
}

// stockSysctls are a new Debian's.
func stockSysctls() map[string]Sysctl {
	values := map[string]Sysctl{}
	for _, w := range wantedSysctls() {
		values[w.Key] = Sysctl{Value: "stock", Writable: true}
	}
	return values
}

// after is what facts become when the plan has been carried out.
func after(f Facts, p Plan) Facts {
	f.Paths, f.Units, f.Sysctls = maps.Clone(f.Paths), maps.Clone(f.Units), maps.Clone(f.Sysctls)
	gemini := Owner{999, 998}
	ids := func(user, group string) (int, int) {
		o := f.RootOwner
		if user == serviceUser {
			o.UID = gemini.UID
		}
		if group == serviceUser {
			o.GID = gemini.GID
		}
		return o.UID, o.GID
	}
	for _, step := range p.steps {
		switch op := step.op.(type) {
		case packageStep:
			f.Dpkg.Installed = slices.Concat(f.Dpkg.Installed, op.names)
			f.Paths[nginxBinary], f.Nginx = PathState{Kind: PathFile}, NginxVersion{1, 22, 1}
			f.Paths[nginxConf] = PathState{Kind: PathFile, Content: []byte("events {\n\tworker_connections 768;\n}\ninclude /etc/nginx/sites-enabled/*;\n")}
			f.Firewall.UFW = UFWInactive
			f.Units[fail2banUnit] = UnitState{Loaded: true, Enabled: true}
			f.Units[ufwUnit] = UnitState{Loaded: true, Enabled: true}
		case userStep:
			f.User = UserState{User: true, Group: true, Owner: gemini}
		case dirStep:
			uid, gid := ids(op.user, op.group)
			f.Paths[op.path] = PathState{Kind: PathDir, Mode: op.mode, UID: uid, GID: gid}
		case fileStep:
			uid, gid := ids(rootUser, op.group)
			f.Paths[op.path] = PathState{Kind: PathFile, Mode: op.mode, UID: uid, GID: gid, Content: op.content}
		case tokenStep:
			uid, gid := ids(rootUser, serviceUser)
			made := madeTokens{}
			if op.client {
				made.client = NewSecret("gca-test")
			}
			if op.admin {
				made.admin = NewSecret("gca-test-admin")
			}
			text := made.after(op.text)
			f.Paths[tokensFile] = PathState{Kind: PathFile, Mode: tokensMode, UID: uid, GID: gid, Content: []byte(text)}
		case linkStep:
			f.Paths[op.path] = PathState{Kind: PathLink, Target: op.target}
		case absentStep:
			delete(f.Paths, op.path)
		case unitStep:
			f.Units[socketUnit] = UnitState{Loaded: true, Active: true, Enabled: true, Listen: "127.0.0.1:8000 (Stream)"}
			f.Units[serviceUnit] = UnitState{Loaded: true, Active: true, Enabled: true}
		case behindStep:
			f.Paths[nextConfig], f.Paths[nextLink] = PathState{Kind: PathLink, Target: restConfig}, PathState{Kind: PathLink, Target: restRelease}
		case nginxStep:
			f.Units[nginxUnit] = UnitState{Loaded: true, Active: true, Enabled: true}
		case connectionsStep:
			st := f.Paths[nginxConf]
			st.Content = []byte(op.edit(string(st.Content)))
			f.Paths[nginxConf] = st
		case sequence:
			for _, part := range op {
				f = after(f, Plan{steps: []Step{{op: part}}})
			}
		case privateStep:
			f.Paths[op.path] = PathState{Kind: PathFile, Mode: 0o600, Content: op.content}
		case certificateStep:
			f.TLS = TLSFacts{}
		case timerStep:
			f.Units[op.unit] = UnitState{Loaded: true, Active: true, Enabled: true}
		case sysctlStep:
			for _, w := range op.values {
				f.Sysctls[w.Key] = Sysctl{Value: w.Value, Writable: true}
			}
		case fail2banStep:
			f.Units[fail2banUnit] = UnitState{Loaded: true, Active: true, Enabled: true}
		case swapStep:
			f.Hardware.Swap = true
			f.Paths[swapFile] = PathState{Kind: PathFile}
		case stateStep:
			f.State = map[string]string{}
			for _, file := range op.files {
				f.State[file.Name] = sumOf(file.Content)
			}
		case stopStep:
			f.Units[serviceUnit], f.Units[socketUnit] = UnitState{}, UnitState{}
		case unfinishedStep:
			f.Dpkg.Unfinished = nil
		case sshdStep:
			f.KeysOnly = true
		case firewallStep:
			f.Firewall.UFW = UFWActive
			f.Firewall.Rules = slices.DeleteFunc(slices.Clone(f.Firewall.Rules), func(r Rule) bool { return slices.Contains(op.close, r) })
			for _, o := range op.open {
				from := strings.NewReplacer(anyIPv4, "", anyIPv6, "").Replace(o.from)
				f.Firewall.Rules = append(f.Firewall.Rules, Rule{To: strconv.Itoa(o.port) + "/tcp", From: from, V6: strings.Contains(o.from, ":")})
			}
			if op.boot {
				f.Units[ufwUnit] = UnitState{Loaded: true, Enabled: true}
			}
		}
	}
	return f
}

// rules let everybody in.
func rules(to ...string) []Rule {
	var all []Rule
	for _, text := range to {
		all = append(all, Rule{To: text})
	}
	return all
}

func ids(p Plan) []string {
	var ids []string
	for _, step := range p.Steps() {
		ids = append(ids, step.ID)
	}
	return ids
}

func mustDiff(t testing.TB, f Facts, w Want) Plan {
	t.Helper()
	p, err := Diff(f, w, readTestSettings)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
