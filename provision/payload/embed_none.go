//go:build !payloads

package payload

import (
	"embed"
	"io/fs"
)

// A gca that is built from source carries nothing.
func embedded() fs.FS { return embed.FS{} }
