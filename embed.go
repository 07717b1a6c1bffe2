// Package gca holds the texts that a deploy puts on a server.
package gca

import "embed"

// Templates are the files of the folder templates: systemd units, the Nginx site and what else a deploy renders.
//
//go:embed templates
var Templates embed.FS
