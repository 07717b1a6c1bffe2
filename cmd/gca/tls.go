package main

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/net/idna"

	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// tlsFlags say how clients are to reach a server.
type tlsFlags struct {
	domain    string
	off       bool
	directory string
	root      string
}

func (f *tlsFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.domain, "domain", "", "get a certificate for `NAME`, a domain name that leads to the server, or its public IP address")
	cmd.Flags().BoolVar(&f.off, "no-tls", false, "serve plain HTTP")
	cmd.Flags().StringVar(&f.directory, "acme-directory", "", "get certificates from the CA with this ACME directory `URL` instead of Let's Encrypt")
	cmd.Flags().StringVar(&f.root, "acme-root", "", "trust the private CA whose root is in this PEM `FILE`")
}

// options reads what can be wrong before a server is touched.
func (f *tlsFlags) options() (provision.TLSOptions, error) {
	o := provision.TLSOptions{Off: f.off, Directory: f.directory}
	if f.off && f.domain != "" {
		return o, &usageError{"--domain and --no-tls exclude each other\nhint: --no-tls alone for plain HTTP"}
	}
	if f.directory != "" && config.Check("ACME_DIRECTORY", f.directory) != nil {
		return o, &usageError{fmt.Sprintf("--acme-directory %s is not a URL of HTTPS\nhint: give it as https://ca.example.com/directory", f.directory)}
	}
	var err error
	if o.Name, err = tlsName(f.domain); err != nil || f.root == "" {
		return o, err
	}
	text, err := os.ReadFile(f.root)
	if err != nil {
		return o, &usageError{err.Error()}
	}
	if _, err := converge.RootPool(string(text)); err != nil || len(text) > maxRoots {
		return o, &usageError{fmt.Sprintf("--acme-root %s is no PEM file of a CA's certificate\nhint: it begins with -----BEGIN CERTIFICATE-----", f.root)}
	}
	o.Roots = string(text)
	return o, nil
}

const maxRoots = 256 << 10 // bytes

// tlsName is a name as certificates have it.
func tlsName(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	if a, err := netip.ParseAddr(given); err == nil {
		return a.Unmap().String(), nil
	}
	name, err := idna.Lookup.ToASCII(given)
	if err == nil {
		err = config.Check("TLS_NAME", name)
	}
	if err != nil || name == config.TLSOff {
		return "", &usageError{fmt.Sprintf("--domain %s is no domain name\nhint: give it as adapter.example.com, without https:// and without a path", given)}
	}
	return name, nil
}
