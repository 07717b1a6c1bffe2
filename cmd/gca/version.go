package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/provision/payload"
)

// versionReport is what `version --json` prints, schema 1. Commit and Time are empty where the build knew of no repository.
type versionReport struct {
	Schema   int             `json:"schema"`
	Version  string          `json:"version"`
	Commit   string          `json:"commit,omitempty"`   // 40 hexadecimal digits
	Time     string          `json:"time,omitempty"`     // of the commit, RFC 3339
	Modified bool            `json:"modified,omitempty"` // there were changes beyond the commit
	Go       string          `json:"go"`
	OS       string          `json:"os"`
	Arch     string          `json:"arch"`
	Carries  []versionServer `json:"carries"` // binaries for servers; none where it was built from source
}

// versionServer is a binary for servers.
type versionServer struct {
	Arch   string `json:"arch"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // 64 hexadecimal digits
}

func newVersion(io *streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				_, err := fmt.Fprintln(io.out, "gca", version)
				return err
			}
			report, err := newVersionReport()
			if err != nil {
				return err
			}
			return json.NewEncoder(io.out).Encode(report)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what it was built from and which binaries for servers it carries, as JSON, schema 1")
	return cmd
}

func newVersionReport() (versionReport, error) {
	report := versionReport{Schema: 1, Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Carries: []versionServer{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				report.Commit = s.Value
			case "vcs.time":
				report.Time = s.Value
			case "vcs.modified":
				report.Modified = s.Value == "true"
			}
		}
	}
	carried, err := payload.Carried()
	for _, p := range carried {
		report.Carries = append(report.Carries, versionServer{p.Arch, p.Size, p.SHA256})
	}
	return report, err
}
