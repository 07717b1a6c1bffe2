//go:build payloads

package payload

import (
	"embed"
	"io/fs"
)

// What make payloads has built; it is never committed.
//
//go:embed carried/linux-*.zst
var files embed.FS

func embedded() fs.FS { return files }
