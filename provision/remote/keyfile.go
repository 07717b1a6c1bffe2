package remote

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	maxKeyFile       = 64 << 10
	passphraseTrials = 3
)

// identity is one key that can be offered. Its private half may still be locked,
// or in an agent: it is touched only once the server wants the key.
type identity struct {
	name   string // for people: a file, or the agent's comment
	public ssh.PublicKey
	open   func() (ssh.AlgorithmSigner, error)
	locked bool // opening asks for a passphrase
}

// of is the agent's key that a file names too.
func (k *identity) of(file *identity) *identity {
	named := *k
	named.name = file.name + " (agent)"
	return &named
}

// label names the key in a sentence.
func (k *identity) label() string {
	if strings.HasPrefix(k.name, agentKey) {
		return k.name
	}
	if home, err := os.UserHomeDir(); err == nil {
		if rest, found := strings.CutPrefix(k.name, home+string(filepath.Separator)); found {
			return "key ~/" + filepath.ToSlash(rest)
		}
	}
	return "key " + k.name
}

// readKeyFile reads a private key or, where that file is missing (or is itself
// the public half), the public key beside it, whose private half the agent may hold.
func readKeyFile(path string, prompts Prompts) (*identity, error) {
	private := strings.TrimSuffix(path, ".pub")
	raw, err := readBounded(private, maxKeyFile)
	if errors.Is(err, os.ErrNotExist) {
		public, pubErr := readPublicKey(private + ".pub")
		if pubErr != nil {
			return nil, &Error{Kind: KindAuth, Message: "cannot read the key file", Err: err, Hint: "name an existing private key with -i"}
		}
		return &identity{name: private, public: public, open: func() (ssh.AlgorithmSigner, error) {
			return nil, &Error{Kind: KindAuth, Message: "the private half of " + private + ".pub is neither in its file nor in the agent",
				Hint: "ssh-add the private key, or copy it to " + private}
		}}, nil
	}
	if err != nil {
		return nil, &Error{Kind: KindAuth, Message: "cannot read the key file", Err: err, Hint: "chmod 600 " + Quote(private)}
	}
	return parseKeyFile(private, raw, prompts)
}

func parseKeyFile(path string, raw []byte, prompts Prompts) (*identity, error) {
	signer, err := ssh.ParsePrivateKey(raw)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return &identity{name: path, public: signer.PublicKey(), open: func() (ssh.AlgorithmSigner, error) {
			return asAlgorithmSigner(path, signer)
		}}, nil
	case !errors.As(err, &locked):
		return nil, &Error{Kind: KindAuth, Message: path + " is not a private key that can be used", Err: err,
			Hint: "name an OpenSSH or PEM private key with -i; ssh-keygen -t ed25519 makes one"}
	}
	public := locked.PublicKey
	if public == nil {
		// The PEM formats hide the public half too.
		if public, err = readPublicKey(path + ".pub"); err != nil {
			return nil, &Error{Kind: KindAuth, Message: path + " is encrypted, and its public half is missing",
				Hint: fmt.Sprintf("ssh-keygen -y -f %[1]s > %[1]s.pub", Quote(path))}
		}
	}
	return &identity{name: path, public: public, locked: true, open: func() (ssh.AlgorithmSigner, error) {
		return unlock(path, raw, prompts.Passphrase)
	}}, nil
}

// unlock asks for the passphrase. A wrong one never reaches the server.
func unlock(path string, raw []byte, ask func(string) ([]byte, error)) (ssh.AlgorithmSigner, error) {
	hint := "ssh-add " + Quote(path) + " gives it to the agent, which then holds it unlocked"
	if ask == nil {
		return nil, &Error{Kind: KindAuth, Message: path + " is encrypted, and there is no terminal to ask for the passphrase", Hint: hint}
	}
	for range passphraseTrials {
		passphrase, err := ask(path)
		if err != nil {
			return nil, &promptError{err}
		}
		if len(passphrase) == 0 {
			continue // the library has an error of its own for it
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(raw, passphrase)
		clear(passphrase)
		if err == nil {
			return asAlgorithmSigner(path, signer)
		}
		if !errors.Is(err, x509.IncorrectPasswordError) {
			return nil, &Error{Kind: KindAuth, Message: "cannot decrypt " + path, Err: err, Hint: hint}
		}
	}
	return nil, &Error{Kind: KindAuth, Message: fmt.Sprintf("wrong passphrase for %s, %d times", path, passphraseTrials), Hint: hint}
}

func asAlgorithmSigner(name string, signer ssh.Signer) (ssh.AlgorithmSigner, error) {
	able, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, &Error{Kind: KindAuth, Message: fmt.Sprintf("%s: a key of type %s cannot sign", name, signer.PublicKey().Type())}
	}
	return able, nil
}

func readPublicKey(path string) (ssh.PublicKey, error) {
	raw, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(raw)
	return public, err
}

func readBounded(path string, limit int64) (raw []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	raw, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%s: larger than %d bytes", path, limit)
	}
	return raw, err
}

func samePublicKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
