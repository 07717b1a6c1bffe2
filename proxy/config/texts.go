package config

import (
	"errors"
	"fmt"
)

// Texts are what the three files of a configuration folder hold; "" is a file that is not there.
type Texts struct{ Env, Keys, Tokens string }

// Parse reads texts without the environment: what a deploy asks before it changes anything. Whether there are keys and tokens
// at all is for the caller to judge. The error joins all faults, each with file, line and rule; secrets are never in it.
func (t Texts) Parse() (*Config, error) {
	cfg, err := ParseEnv(t.Env)
	if err != nil {
		return nil, inFile(EnvFile, err)
	}
	keys, keysErr := ParseKeys(t.Keys)
	tokens, tokensErr := ParseTokens(t.Tokens)
	if err := errors.Join(inFile(KeysFile, keysErr), inFile(TokensFile, tokensErr)); err != nil {
		return nil, err
	}
	if cfg.Tokens, err = joinTokens(cfg.Tokens, tokens); err != nil {
		return nil, err
	}
	cfg.Keys = append(cfg.Keys, keys...)
	cfg.dedupe()
	return cfg, nil
}

func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}
