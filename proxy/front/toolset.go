package front

import (
	"slices"
	"sync"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Toolset is what functions that a client declares come to. Nothing in it changes, so that it can be the one of many requests (Known).
type Toolset struct {
	decls []gemini.FunctionDeclaration // as the client has their schemas
	tools []gemini.Tool                // which are decls
	names ToolNames

	mu    sync.Mutex
	clean []gemini.Tool // nil until somebody needs it
}

// NewToolset makes one. The last of two with one name wins.
func NewToolset(tools []Tool) *Toolset {
	if len(tools) == 0 {
		return &Toolset{}
	}
	set := &Toolset{decls: make([]gemini.FunctionDeclaration, 0, len(tools)), names: newToolNames(len(tools))}
	at := make(map[string]int, len(tools))
	for _, t := range tools {
		decl := gemini.FunctionDeclaration{
			Name: set.names.Declare(t.Name, t.Custom), Description: t.Description, ParametersJSONSchema: t.Schema,
		}
		if decl.Description == nil {
			decl.Description = gemini.Text(`""`)
		}
		if i, dup := at[decl.Name]; dup {
			set.decls[i] = decl
			continue
		}
		at[decl.Name] = len(set.decls)
		set.decls = append(set.decls, decl)
	}
	set.names.shared = true
	set.tools = []gemini.Tool{{FunctionDeclarations: set.decls}}
	return set
}

// cleaned is the set with its schemas clean, which does not depend on what schemas remembers.
func (s *Toolset) cleaned(schemas *Schemas) []gemini.Tool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clean == nil {
		s.clean = cleanTools(s.tools, schemas)
	}
	return s.clean
}

// cleanTools is tools with their schemas clean.
func cleanTools(tools []gemini.Tool, schemas *Schemas) []gemini.Tool {
	tools = slices.Clone(tools)
	for i := range tools {
		decls := slices.Clone(tools[i].FunctionDeclarations)
		for j := range decls {
			decls[j].ParametersJSONSchema = schemas.cleaned(decls[j].ParametersJSONSchema)
		}
		tools[i].FunctionDeclarations = decls
	}
	return tools
}
