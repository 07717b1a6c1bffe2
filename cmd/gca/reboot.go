package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

const (
	bootFile    = "/proc/sys/kernel/random/boot_id"
	bootTime    = 5 * time.Minute // for a server to be there again
	bootPause   = 3 * time.Second // between two logins that are tried
	bootRefused = 2               // logins that may be refused meanwhile: a system that goes or comes lets nobody but root in

	// The command has ended before the reboot begins, so its end is heard.
	rebootLine = "cat " + bootFile + " && systemd-run --quiet --on-active=1s --timer-property=AccuracySec=100ms systemctl reboot"
)

// bootID is what the kernel says of one boot.
var bootID = regexp.MustCompile(`^[0-9a-f-]{36}$`)

// rebootThere reboots a server, and returns when its adapter serves again, on the server and, where it did before, from here.
func (f *sshFlags) rebootThere(ctx context.Context, io *streams, target string, site converge.Site, release string) (err error) {
	host, opts, err := f.parse(ctx, target, io)
	if err != nil {
		return err
	}
	seen := provision.Answers(ctx, host, site, release)
	conn, err := remote.Dial(ctx, host, opts)
	if err != nil {
		return err
	}
	defer func() {
		closed := conn.Close()
		if err == nil && !isUnreachable(closed) { // its other end is gone
			err = closed
		}
	}()
	screenLine(io, "rebooting "+target)
	var said bytes.Buffer
	if err := conn.RunRoot(ctx, remote.Cmd{Line: rebootLine, Stdout: manage.AtMost(&said, 100)}); err != nil {
		return fmt.Errorf("%s could not be told to reboot: %w\nhint: systemctl reboot   # on the server", target, err)
	}
	before := strings.TrimSpace(said.String())
	if !bootID.MatchString(before) {
		return fmt.Errorf("the server's boot cannot be told from the next one: %.100q\nhint: gca status %s", before, f.named(target))
	}
	if err := awaitBoot(ctx, conn, target, before); err != nil {
		return err
	}
	screenLine(io, target+" is there again")
	if seen != nil {
		screenLine(io, "the adapter could not be reached from here before the reboot either, so it was asked on the server alone")
		return nil
	}
	if failed := provision.Await(ctx, host, site, release); failed != nil {
		return &provision.Error{Kind: provision.KindFailed, Message: failed.Message + " since the reboot", Err: failed.Err, Hint: "gca doctor " + f.named(target)}
	}
	return nil
}

// awaitBoot logs in anew until the server has another boot than before, in which the adapter runs.
func awaitBoot(ctx context.Context, conn *remote.Conn, target, before string) error {
	line := fmt.Sprintf(`[ "$(cat %s)" != %s ] && systemctl is-active --quiet %s`, bootFile, before, manage.ServiceUnit)
	waiting, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	refused := 0
	var last error
	for {
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return &provision.Error{Kind: provision.KindInterrupted, Message: "the server was told to reboot", Hint: "gca status " + target + " shows whether it serves again"}
			}
			return &provision.Error{Kind: provision.KindCut, Message: fmt.Sprintf("%s was told to reboot, and does not serve again after %s", target, bootTime), Err: last,
				Hint: "your provider's console shows how far it has come; then gca doctor " + target}
		case <-time.After(bootPause):
		}
		ran, err := conn.Redial(waiting, line)
		var ssh *remote.Error
		var exit *remote.ExitError
		switch {
		case ran:
			return nil
		case err == nil:
			return fmt.Errorf("%s was told to reboot; this login cannot be made anew without you, so it was not waited for\nhint: gca status %s", target, target)
		case errors.As(err, &exit), isUnreachable(err), waiting.Err() != nil:
		case errors.As(err, &ssh) && (ssh.Kind == remote.KindAuth || ssh.Kind == remote.KindSudo) && refused < bootRefused:
			refused++
		default:
			return err
		}
		last = err
	}
}

func isUnreachable(err error) bool {
	var ssh *remote.Error
	return errors.As(err, &ssh) && ssh.Kind == remote.KindUnreachable
}
