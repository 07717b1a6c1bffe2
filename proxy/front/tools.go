package front

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// The modes of gemini.FunctionCallingConfig.
const (
	ModeAuto      = "AUTO"
	ModeAny       = "ANY"
	ModeNone      = "NONE"
	ModeValidated = "VALIDATED"
)

const (
	maxTools    = 512 // functionDeclarations of one request (Google's SDK)
	maxToolName = 64
)

// Tool is a function that the client declares. Schema is its JSON Schema, nil if it gave none.
type Tool struct {
	Name        string
	Description gemini.Text
	Schema      json.RawMessage
	Custom      bool // made by CustomTool
}

// ToolChoice is what the client wants of its tools. Mode "" is nothing said; Names, with ModeAny and ModeValidated, are the
// tools that may be called, Param the field that names them.
type ToolChoice struct {
	Mode  string
	Names []string
	Param string
}

// SetTools declares the client's functions; BuiltIn is set before, and Prepare cleans their schemas. Without functions it sets
// nothing, whatever the choice; ModeNone takes the built-in tools away as well. The error is an *Error: too many of them, or a
// choice that names none of them although there are no built-in tools that it may mean.
func (c *Call) SetTools(tools []Tool, choice ToolChoice) error {
	return c.Declare(NewToolset(tools), choice)
}

// Declare is SetTools for tools that are known from another request.
func (c *Call) Declare(set *Toolset, choice ToolChoice) error {
	if choice.Mode == ModeNone {
		c.BuiltIn = BuiltIn{} // Google knows no other way to forbid them
	}
	c.Tools = set.names
	n := len(set.decls)
	if n > maxTools {
		return Invalidf("tools", "%d tools, Gemini takes %d at most", n, maxTools)
	}
	if n == 0 && c.BuiltIn != (BuiltIn{}) {
		return nil
	}
	var allowed []string
	for _, name := range choice.Names {
		if !c.Tools.declared[name] {
			return Invalidf(choice.Param, "no tool named %q is declared", shorten(name))
		}
		allowed = append(allowed, c.Tools.Upstream(name))
	}
	if n == 0 {
		return nil
	}
	c.Request.Tools, c.declared = set.tools, set
	if choice.Mode != "" {
		c.Request.ToolConfig = &gemini.ToolConfig{FunctionCallingConfig: &gemini.FunctionCallingConfig{Mode: choice.Mode, AllowedFunctionNames: allowed}}
	}
	return nil
}

// SetContents normalises the history and makes it the request's. Calls in a history without declared tools get stubs that
// may not be called: without them the model tends to write calls that cannot be read.
func (c *Call) SetContents(contents []gemini.Content) error {
	c.Request.Contents = c.memory().normalise(contents)
	if len(c.Request.Contents) == 0 {
		return Invalidf("messages", "expected at least one message with content")
	}
	if len(c.Request.Tools) > 0 {
		return nil
	}
	stubs := stubsFor(c.Request.Contents)
	if len(stubs) == 0 {
		return nil
	}
	c.stubbed = true
	c.Request.Tools = []gemini.Tool{{FunctionDeclarations: stubs}}
	c.Request.ToolConfig = &gemini.ToolConfig{FunctionCallingConfig: &gemini.FunctionCallingConfig{Mode: ModeNone}}
	return nil
}

// stubsFor declares the functions that a history calls, as many as Gemini takes.
func stubsFor(contents []gemini.Content) (stubs []gemini.FunctionDeclaration) {
	seen := map[string]bool{}
	for _, content := range contents {
		for _, p := range content.Parts {
			if p.FunctionCall == nil || seen[p.FunctionCall.Name] || len(stubs) == maxTools {
				continue
			}
			seen[p.FunctionCall.Name] = true
			stubs = append(stubs, gemini.FunctionDeclaration{
				Name: p.FunctionCall.Name, ParametersJSONSchema: json.RawMessage(someObject),
			})
		}
	}
	return stubs
}

// ToolNames maps the client's tool names to names that Gemini takes, and back. The zero value is ready. Once decoded it is
// only read.
type ToolNames struct {
	shared   bool              // with others: it is copied before it changes
	upstream map[string]string // by the client's name
	client   map[string]string // by the upstream name
	declared map[string]bool   // by the client's name
	custom   map[string]bool   // by the client's name
}

// newToolNames makes room for n tools.
func newToolNames(n int) ToolNames {
	return ToolNames{
		upstream: make(map[string]string, n), client: make(map[string]string, n),
		declared: make(map[string]bool, n), custom: map[string]bool{},
	}
}

// own makes n fit to be changed.
func (n *ToolNames) own() {
	if n.upstream == nil {
		*n = newToolNames(0)
	}
	if n.shared {
		*n = ToolNames{upstream: maps.Clone(n.upstream), client: maps.Clone(n.client), declared: maps.Clone(n.declared), custom: maps.Clone(n.custom)}
	}
}

// Declare adds a tool of this request and returns its upstream name.
func (n *ToolNames) Declare(name string, custom bool) string {
	n.own()
	if n.declared[name] = true; custom || n.custom[name] {
		n.custom[name] = custom
	}
	return n.Upstream(name)
}

// Custom reports whether the tool that the client knows by name is one of CustomTool.
func (n *ToolNames) Custom(name string) bool { return n.custom[name] }

// Upstream is the name that Gemini gets, the same in every request: the name itself where it is allowed, else a shortened
// form with a hash of the whole. It takes part in the mapping from now on.
func (n *ToolNames) Upstream(name string) string {
	if up, ok := n.upstream[name]; ok {
		return up
	}
	n.own()
	up := allowedName(name, name)
	for salt := name; ; {
		if other, taken := n.client[up]; !taken || other == name {
			break
		}
		salt += "'"
		up = hashedName(name, salt)
	}
	n.upstream[name], n.client[up] = up, name
	return up
}

// Client is the client's name of a function that the model called. Models put "default_api." before a name at times, and
// change its case; a name that fits no tool is passed on.
func (n *ToolNames) Client(upstream string) string {
	if name, ok := n.client[upstream]; ok {
		return name
	}
	for _, prefix := range []string{"default_api.", "default_api:"} {
		if rest, ok := strings.CutPrefix(upstream, prefix); ok {
			if name, ok := n.declaredAs(rest); ok {
				return name
			}
		}
	}
	if name, ok := n.declaredAs(upstream); ok {
		return name
	}
	return upstream
}

// declaredAs finds the declared tool of an upstream name, in whichever case; of two the first in the alphabet.
func (n *ToolNames) declaredAs(upstream string) (found string, ok bool) {
	if name := n.client[upstream]; n.declared[name] {
		return name, true
	}
	for up, name := range n.client {
		if n.declared[name] && strings.EqualFold(up, upstream) && (!ok || name < found) {
			found, ok = name, true
		}
	}
	return found, ok
}

func allowedName(name, salt string) string {
	if len(name) > maxToolName || name == "" || !isNameStart(name[0]) {
		return hashedName(name, salt)
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return hashedName(name, salt)
		}
	}
	return name
}

// hashedName keeps what is readable of name and ends in a hash of salt.
func hashedName(name, salt string) string {
	sum := sha256.Sum256([]byte(salt))
	suffix := "_" + hex.EncodeToString(sum[:4])
	b := []byte(name[:min(len(name), maxToolName-len(suffix)-1)])
	for i, c := range b {
		if !isNameByte(c) {
			b[i] = '_'
		}
	}
	if len(b) == 0 || !isNameStart(b[0]) {
		b = append([]byte{'_'}, b...)
	}
	return string(b) + suffix
}

func isNameStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isNameByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '.' || c == ':' || c == '-'
}

// shorten cuts a client's word for a message.
func shorten(s string) string {
	if len(s) <= 100 {
		return s
	}
	return strings.ToValidUTF8(s[:100], "") + "…"
}
