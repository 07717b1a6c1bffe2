package remote

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

const secret = "correct horse"

// person answers prompts, and remembers what was asked.
type person struct {
	password string
	answers  []string
	err      error
	asked    []string
}

func (p *person) prompts() Prompts {
	return Prompts{
		Password: func(user, host string) ([]byte, error) {
			p.asked = append(p.asked, "password of "+user+"@"+host)
			return []byte(p.password), p.err
		},
		Challenge: func(instruction string, questions []string, echo []bool) ([]string, error) {
			p.asked = append(p.asked, fmt.Sprint(instruction, questions, echo))
			return p.answers, p.err
		},
	}
}

// passwordServer accepts the secret by the method password, and counts the tries.
func passwordServer(t *testing.T) (*server, *int) {
	t.Helper()
	home(t)
	s := newServer(t)
	tries := 0
	s.config.PublicKeyCallback = nil
	s.config.PasswordCallback = func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		tries++
		if string(given) != secret {
			return nil, errors.New("wrong")
		}
		return nil, nil
	}
	return s, &tries
}

// asking makes a server ask the questions, one after the other; it accepts want.
func asking(s *server, instruction string, questions, want []string, echo bool) {
	s.config.PasswordCallback = nil
	s.config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		for i, question := range questions {
			answers, err := ask("", instruction, []string{question}, []bool{echo})
			if err != nil {
				return nil, err
			}
			if len(answers) != 1 || answers[0] != want[i] {
				return nil, errors.New("wrong")
			}
		}
		return nil, nil
	}
}

func TestPassword(t *testing.T) {
	s, tries := passwordServer(t)
	who := person{password: secret}
	if _, err := logIn(t, s.start(), Options{Prompts: who.prompts()}); err != nil {
		t.Error(err)
	}
	if *tries != 1 || !slices.Equal(who.asked, []string{"password of tester@127.0.0.1"}) {
		t.Errorf("%d tries, asked %q", *tries, who.asked)
	}
}

// A wrong password reaches the server once: not by a second prompt, and not by
// another method of the same login.
func TestPassword_Wrong(t *testing.T) {
	s, tries := passwordServer(t)
	who := person{password: "wrong"}
	_, err := logIn(t, s.start(), Options{Prompts: who.prompts()})
	wantError(t, err, KindAuth, "permission denied", "refuses the password of tester", "tried once", "hint: ")
	if *tries != 1 || len(who.asked) != 1 {
		t.Errorf("%d tries, asked %q", *tries, who.asked)
	}
	if strings.Contains(err.Error(), "wrong") {
		t.Errorf("the password is in: %v", err)
	}

	s, tries = passwordServer(t)
	byPassword := s.config.PasswordCallback
	asking(s, "", []string{"Password: "}, []string{secret}, false)
	s.config.PasswordCallback = byPassword
	who = person{password: "wrong"}
	_, err = logIn(t, s.start(), Options{Prompts: who.prompts()})
	wantError(t, err, KindAuth, "refuses the password of tester")
	if *tries != 0 || len(who.asked) != 1 {
		t.Errorf("after PAM refused it, %d tries by the other method; asked %q", *tries, who.asked)
	}
}

func TestPassword_NobodyToAsk(t *testing.T) {
	s, tries := passwordServer(t)
	_, err := logIn(t, s.start(), Options{})
	wantError(t, err, KindAuth, "accepts no keys, only: password", "nobody to ask")
	if *tries != 0 {
		t.Errorf("%d tries", *tries)
	}
}

// Ctrl-C at a prompt ends it all, and is returned as it is.
func TestPassword_Interrupted(t *testing.T) {
	s, tries := passwordServer(t)
	who := person{err: context.Canceled}
	_, err := logIn(t, s.start(), Options{Prompts: who.prompts()})
	if !errors.Is(err, context.Canceled) || *tries != 0 || len(who.asked) != 1 {
		t.Errorf("got %v, %d tries, asked %q", err, *tries, who.asked)
	}

	s, _ = passwordServer(t)
	path := filepath.Join(t.TempDir(), "key")
	public, _ := writeKey(t, path, "secret")
	s.config.PublicKeyCallback = s.authorize
	s.allow(public)
	prompts := who.prompts()
	prompts.Passphrase = func(string) ([]byte, error) { return nil, context.Canceled }
	who.asked = nil
	_, err = logIn(t, s.start(), Options{IdentityFile: path, Prompts: prompts})
	if !errors.Is(err, context.Canceled) || len(who.asked) != 0 {
		t.Errorf("at the passphrase: got %v, then asked %q", err, who.asked)
	}
}

func TestChallenge(t *testing.T) {
	f := func(instruction string, questions, want []string, who person, asked ...string) {
		t.Helper()
		s, _ := passwordServer(t)
		asking(s, instruction, questions, want, false)
		if _, err := logIn(t, s.start(), Options{Prompts: who.prompts()}); err != nil {
			t.Error(err)
		}
		if !slices.Equal(who.asked, asked) {
			t.Errorf("asked %q, want %q", who.asked, asked)
		}
	}
	f("", []string{"Password: "}, []string{secret}, person{password: secret}, "password of tester@127.0.0.1")
	f("", []string{"tester's password:"}, []string{secret}, person{password: secret}, "password of tester@127.0.0.1")
	f("Look\x1b[2J at the token", []string{"Code:"}, []string{"42"}, person{answers: []string{"42"}}, "Look[2J at the token[Code:] [false]")
	f("", []string{"Password: ", "Verification code: "}, []string{secret, "42"}, person{password: secret, answers: []string{"42"}},
		"password of tester@127.0.0.1", "[Verification code:] [false]")
	f("", []string{"New password: "}, []string{"x"}, person{answers: []string{"x"}}, "[New password:] [false]")
}

func TestChallenge_Refused(t *testing.T) {
	f := func(questions, want []string, who person, parts ...string) {
		t.Helper()
		s, _ := passwordServer(t)
		asking(s, "", questions, want, true)
		_, err := logIn(t, s.start(), Options{Prompts: who.prompts()})
		wantError(t, err, KindAuth, parts...)
		if len(who.asked) != 1 {
			t.Errorf("asked %q", who.asked)
		}
	}
	f([]string{"Code: "}, []string{"42"}, person{answers: []string{"41"}}, "refuses the answers", "tried once")
	f([]string{"Code: ", "Code: "}, []string{"42", "42"}, person{answers: []string{"42"}}, "refuses the answers") // asked again is refused

	s, _ := passwordServer(t)
	asking(s, "", []string{"Code: "}, []string{"42"}, true)
	_, err := logIn(t, s.start(), Options{Prompts: Prompts{Password: (&person{}).prompts().Password}})
	wantError(t, err, KindAuth, `asks "Code:", and there is nobody to ask`)
}

// More than one proof: what was accepted is not shown again.
func TestMultiFactor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	public, _ := writeKey(t, path, "")
	s, tries := passwordServer(t)
	second := ssh.ServerAuthCallbacks{PasswordCallback: s.config.PasswordCallback}
	s.config.PasswordCallback = nil
	s.config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !samePublicKey(key, public) {
			return nil, errors.New("another key")
		}
		return nil, &ssh.PartialSuccessError{Next: second}
	}
	s.start()
	who := person{password: secret}
	conn, err := Dial(t.Context(), s.host(), Options{IdentityFile: path, AcceptNew: true, Prompts: who.prompts()})
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.Describe(); !strings.HasSuffix(got, ", key "+path+" and password") || *tries != 1 {
		t.Errorf("%s, %d tries", got, *tries)
	}
	if _, err := conn.Redial(t.Context(), ""); err != nil || len(who.asked) != 1 {
		t.Errorf("redial: %v, asked %q", err, who.asked)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}

	who = person{password: "wrong"}
	*tries = 0
	_, err = Dial(t.Context(), s.host(), Options{IdentityFile: path, AcceptNew: true, Prompts: who.prompts()})
	wantError(t, err, KindAuth, "refuses the password of tester")
	if *tries != 1 || strings.Contains(err.Error(), "every key") {
		t.Errorf("%d tries: %v", *tries, err)
	}
}

func TestPasswordQuestion(t *testing.T) {
	f := func(question string, want bool) {
		t.Helper()
		if got := passwordQuestion.MatchString(printable(question)); got != want {
			t.Errorf("%q: %v", question, got)
		}
	}
	f("Password: ", true)
	f("password:", true)
	f("Password for root@vps:", true)
	f("root@vps's password: ", true)
	f("One-time password: ", false)
	f("New password: ", false)
	f("Password & verification code: ", false)
	f("Verification code: ", false)
	f("", false)
}
