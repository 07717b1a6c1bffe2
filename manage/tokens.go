package manage

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// adminName is what the admin token is called that is made here.
const adminName = "admin"

// TokenList are the tokens of this server; the tokens themselves are kept nowhere.
type TokenList struct {
	Schema int          `json:"schema"`
	Tokens []TokenEntry `json:"tokens"`
	Used   bool         `json:"used"` // the adapter answered, and the figures of today are there
}

// TokenEntry is one token, and what it used today, a day that began at midnight in Los Angeles.
type TokenEntry struct {
	Name     string `json:"name"`
	Role     string `json:"role"`               // client, admin
	Limits   string `json:"limits"`             // as the file tokens has them
	Settings bool   `json:"settings,omitempty"` // it stands in adapter.env
	Requests int64  `json:"requests"`
	Used     int64  `json:"used_tokens"` // in and out
	USD      string `json:"usd"`
}

// ListTokens reads the files of this server and asks the running adapter what was used.
func ListTokens(ctx context.Context) (*TokenList, error) { return hereSecrets().listTokens(ctx) }

func (f secretFiles) listTokens(ctx context.Context) (*TokenList, error) {
	texts, err := readTextsIn(f.dir)
	if err != nil {
		return nil, err
	}
	cfg, err := texts.Parse()
	if err != nil {
		return nil, err
	}
	file, err := config.ParseTokens(texts.Tokens)
	if err != nil {
		return nil, err
	}
	used, asked := f.usedToday(ctx)
	list := &TokenList{Schema: 1, Tokens: []TokenEntry{}, Used: asked}
	for _, token := range cfg.Tokens {
		e := used[token.Name]
		e.Name, e.Role, e.Limits, e.Settings = token.Name, "client", token.Limits.String(), lineOf(file, token.Name) < 0
		if token.Admin {
			e.Role = "admin"
		}
		e.USD = config.Dollars(e.costMicro)
		list.Tokens = append(list.Tokens, e.TokenEntry)
	}
	return list, nil
}

// tokenUse is an entry that figures are being added to.
type tokenUse struct {
	TokenEntry
	costMicro int64
}

// usedToday sums the usage of each token; not asked is an adapter that does not answer.
func (f secretFiles) usedToday(ctx context.Context) (used map[string]tokenUse, asked bool) {
	day := keys.Day(time.Now())
	rows, err := first(f.adapters, func(one control.Client) ([]control.Usage, error) { return one.Usage(ctx, day, day) })
	used = make(map[string]tokenUse)
	for _, row := range rows {
		sum := used[row.Token]
		sum.Requests += row.Requests
		sum.Used += row.Prompt + row.Output + row.Thoughts
		sum.costMicro += row.CostMicro
		used[row.Token] = sum
	}
	return used, err == nil
}

// Print shows the list to a person.
func (l *TokenList) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "NAME\tROLE\tLIMITS"
	if l.Used {
		head += "\tREQUESTS TODAY\tTOKENS\tUSD"
	}
	fmt.Fprintln(table, head)
	for _, t := range l.Tokens {
		limits := t.Limits
		if limits == "" {
			limits = "none"
		}
		if t.Settings {
			limits += " (in adapter.env)"
		}
		line := t.Name + "\t" + t.Role + "\t" + limits
		if l.Used {
			line += fmt.Sprintf("\t%d\t%d\t%s", t.Requests, t.Used, t.USD)
		}
		fmt.Fprintln(table, line)
	}
	return table.Flush()
}

// MadeToken is a token that was made just now, shown once and kept nowhere.
type MadeToken struct {
	Name string
	converge.Secret
	Live bool // in force now; else from the adapter's start on
}

// AddToken makes a client's token. Its name must be free; the error wraps ErrSettings if it is not, or none.
func AddToken(ctx context.Context, name string, limits config.Limits) (MadeToken, error) {
	return hereSecrets().addToken(ctx, name, limits)
}

func (f secretFiles) addToken(ctx context.Context, name string, limits config.Limits) (MadeToken, error) {
	made := MadeToken{Name: name, Secret: converge.NewToken()}
	token := config.Token{Name: name, Hash: config.HashToken(made.Reveal()), Limits: limits}
	if err := CheckTokenName(name); err != nil {
		return made, err
	}
	live, err := f.edit(ctx, config.TokensFile, "a new token, with gemini-manage tokens add", func(texts config.Texts) (string, error) {
		cfg, err := texts.Parse()
		if err != nil {
			return "", err
		}
		if lineOf(cfg.Tokens, name) >= 0 {
			return "", refusedToken("there is a token %s already\nhint: choose another name, or first: gemini-manage tokens revoke %s", name, name)
		}
		return withLine(texts.Tokens, token), nil
	})
	made.Live = live
	return made, err
}

// RevokeToken takes a client's token out of the file tokens; requests that are under way go on. The last client's token goes
// only if that is meant.
func RevokeToken(ctx context.Context, name string, last bool) (live bool, err error) {
	return hereSecrets().revokeToken(ctx, name, last)
}

func (f secretFiles) revokeToken(ctx context.Context, name string, last bool) (live bool, err error) {
	return f.edit(ctx, config.TokensFile, "a token's end, with gemini-manage tokens revoke", func(texts config.Texts) (string, error) {
		cfg, err := texts.Parse()
		if err != nil {
			return "", err
		}
		file, err := config.ParseTokens(texts.Tokens)
		if err != nil {
			return "", err
		}
		at, clients := lineOf(cfg.Tokens, name), 0
		for _, token := range cfg.Tokens {
			if !token.Admin {
				clients++
			}
		}
		switch {
		case at < 0:
			return "", refusedToken("there is no token %s\nhint: gemini-manage tokens list shows them all", name)
		case cfg.Tokens[at].Admin:
			return "", refusedToken("%s is the admin token\nhint: gemini-manage tokens rotate-admin makes another in its place", name)
		case lineOf(file, name) < 0:
			return "", refusedToken("%s stands in adapter.env\nhint: gemini-manage config set CLIENT_TOKENS=- takes a new list", name)
		case clients == 1 && !cfg.HasAdmin():
			return "", refusedToken("%s is the last token, and the adapter does not start without any\nhint: gemini-manage tokens add makes another first", name)
		case clients == 1 && !last:
			return "", refusedToken("%s is the last client token: without it only the admin token gets in, and the next deploy makes a new one\nhint: gemini-manage tokens add makes another first; --yes revokes it all the same", name)
		}
		return withoutLines(texts.Tokens, func(t config.Token) bool { return t.Name == name }), nil
	})
}

// RotateAdmin makes a new admin token in the place of those in the file tokens, which end at once.
func RotateAdmin(ctx context.Context) (MadeToken, error) { return hereSecrets().rotateAdmin(ctx) }

func (f secretFiles) rotateAdmin(ctx context.Context) (MadeToken, error) {
	made := MadeToken{Name: adminName, Secret: converge.NewToken()}
	live, err := f.edit(ctx, config.TokensFile, "a new admin token, with gemini-manage tokens rotate-admin", func(texts config.Texts) (string, error) {
		cfg, err := texts.Parse()
		if err != nil {
			return "", err
		}
		rest := withoutLines(texts.Tokens, func(t config.Token) bool { return t.Admin })
		for n := 2; takenBy(cfg.Tokens, made.Name); n++ {
			made.Name = fmt.Sprintf("%s-%d", adminName, n)
		}
		return withLine(rest, config.Token{Name: made.Name, Hash: config.HashToken(made.Reveal()), Admin: true}), nil
	})
	made.Live = live
	return made, err
}

// takenBy reports whether a client's token has the name.
func takenBy(all []config.Token, name string) bool {
	at := lineOf(all, name)
	return at >= 0 && !all[at].Admin
}

// AdminSetting reports whether ADMIN_TOKEN is set in adapter.env, which rotate-admin does not change.
func AdminSetting() bool {
	text, err := os.ReadFile(EnvFile)
	if err != nil {
		return false // whatever it is, the commands that need the file say so
	}
	cfg, err := config.ParseEnv(string(text))
	return err == nil && cfg.HasAdmin()
}

// CheckTokenName judges a name for a token.
func CheckTokenName(name string) error {
	if err := config.CheckName(name); err != nil {
		return &settingsError{fmt.Errorf("the token's name: %w", err)}
	}
	return nil
}

func refusedToken(format string, args ...any) error {
	return &settingsError{fmt.Errorf(format, args...)}
}

func lineOf(all []config.Token, name string) int {
	for i := range all {
		if all[i].Name == name {
			return i
		}
	}
	return -1
}

func withLine(text string, token config.Token) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + token.Line() + "\n"
}

// withoutLines takes the lines of some tokens out of a tokens file; comments stay.
func withoutLines(text string, gone func(config.Token) bool) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if one, err := config.ParseTokens(line); err == nil && len(one) == 1 && gone(one[0]) {
			continue
		}
		b.WriteString(line)
	}
	if b.Len() == 0 {
		return "# Tokens of the Gemini adapter, one a line.\n" // an empty file would count as none that was kept
	}
	return b.String()
}
