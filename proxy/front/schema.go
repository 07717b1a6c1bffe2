package front

import (
	"bytes"
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	// emptySchema is a function without parameters.
	emptySchema = `{"type":"object","properties":{}}`
	// someObject stands where a schema would go on without end.
	someObject = `{"type":"object"}`

	maxSchema      = 256 << 10 // bytes of one schema, before and after; the largest that clients send have a tenth of it
	maxSchemaDepth = 30        // schemas within schemas; Google stops reading JSON at 100 levels
	inlineBudget   = 128 << 10 // bytes of definitions copied to where they are used
	inlineCost     = 64        // of one copy, beside its bytes
	searchBudget   = 2 << 20   // bytes looked through for what references lead to
)

// CleanSchema makes a function's JSON Schema, of any draft, one that Gemini takes as parametersJsonSchema: an object at the
// root, the keywords that Gemini honours at the places where schemas stand, references that it can follow. What the others
// say is left out, or said in the description. Properties keep their names and their order. The result is the same for the
// same bytes, and cleaning it again changes nothing. What is no schema, or one of more than 256 KiB, becomes a function
// without parameters.
func CleanSchema(raw json.RawMessage) json.RawMessage {
	d, root := readSchema(raw)
	if root == nil {
		return json.RawMessage(emptySchema)
	}
	root = d.flatten(root)
	root.normalise()
	root.asParameters()
	if out := d.cleanRoot(root); len(out) <= maxSchema {
		return out
	}
	return json.RawMessage(emptySchema)
}

// CleanOutput is CleanSchema for the schema of an answer, whose root may be of any type. It is nil if raw is no schema.
func CleanOutput(raw json.RawMessage) json.RawMessage {
	d, root := readSchema(raw)
	if root == nil {
		return nil
	}
	root = d.flatten(root)
	root.normalise()
	if out := d.cleanRoot(root); len(out) <= maxSchema {
		return out
	}
	return json.RawMessage(someObject)
}

// readSchema reads a schema's root; nil if it is none.
func readSchema(raw json.RawMessage) (*schemaDoc, *schemaNode) {
	raw = bytes.Clone(bytes.TrimSpace(raw)) // the walk may mend it in place
	if len(raw) > maxSchema || len(raw) == 0 || raw[0] != '{' {
		return nil, nil
	}
	d := &schemaDoc{raw: raw, budget: inlineBudget, search: searchBudget}
	w := gemini.NewWalker(raw)
	root := readNode(w, 0)
	if w.Done() != nil {
		return nil, nil
	}
	return d, root
}

// asParameters makes a root the schema of an object; one that is of another type is no set of parameters.
func (n *schemaNode) asParameters() {
	if len(n.types) > 0 && !n.is("object") {
		*n = schemaNode{}
	}
	if len(n.types) == 0 && n.properties == nil {
		n.properties = []schemaProperty{}
	}
	n.types = []string{"object"}
}
