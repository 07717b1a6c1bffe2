package main

import (
	"context"
	"errors"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// Exit codes, which scripts rely on.
const (
	exitOK             = 0
	exitFailed         = 1
	exitUsage          = 2
	exitPartial        = 3
	exitAuth           = 4
	exitHostKey        = 5
	exitUnreachable    = 6
	exitRefused        = 7
	exitLocked         = 8
	exitRolledBack     = 9
	exitRollbackFailed = 10
	exitPending        = 20 // of a plan: something would change
	exitInterrupted    = 130
)

// usageError is a mistake on the command line, or an answer that is missing where nobody can be asked.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// statusError carries an exit code that needs no words, since the reason was already shown.
type statusError struct{ code int }

func (e *statusError) Error() string { return "" }

// exitCode maps every error that a command can return.
func exitCode(err error) int {
	var usage *usageError
	var status *statusError
	var ssh *remote.Error
	var deploy *provision.Error
	var asked *client.Error
	var full *manage.SpaceError
	var partly *manage.CopyError
	var bare *noAdapterError
	var deploying *deployingError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &status):
		return status.code
	case errors.Is(err, manage.ErrNotRoot):
		return exitAuth
	case errors.As(err, &deploy):
		return deployCode(deploy.Kind)
	case errors.As(err, &ssh):
		return sshCode(ssh.Kind)
	case errors.As(err, &partly):
		return exitPartial
	case errors.As(err, &deploying):
		return exitLocked
	case errors.As(err, &full), errors.As(err, &bare), errors.Is(err, manage.ErrNotInstalled):
		return exitRefused
	case errors.As(err, &asked):
		return hopCode(asked.Hop)
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailed
}

func sshCode(kind remote.Kind) int {
	switch kind {
	case remote.KindAuth, remote.KindSudo:
		return exitAuth
	case remote.KindHostKey:
		return exitHostKey
	case remote.KindUnreachable:
		return exitUnreachable
	}
	return exitFailed
}

func hopCode(hop string) int {
	switch hop {
	case client.HopName, client.HopNetwork:
		return exitUnreachable
	case client.HopToken:
		return exitAuth
	}
	return exitFailed
}

func deployCode(kind provision.Kind) int {
	switch kind {
	case provision.KindRefused:
		return exitRefused
	case provision.KindLocked:
		return exitLocked
	case provision.KindRolledBack:
		return exitRolledBack
	case provision.KindRollbackFailed:
		return exitRollbackFailed
	case provision.KindInterrupted:
		return exitInterrupted
	case provision.KindCut:
		return exitUnreachable
	case provision.KindPartial:
		return exitPartial
	}
	return exitFailed
}

// complaint is what the person reads of err, "" if nothing is left to say. It may hold words of a server.
func complaint(err error) string {
	var deploy *provision.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &deploy):
		return visible(deploy.Error())
	case errors.Is(err, manage.ErrNotRoot):
		return visible(err.Error()) + "\nhint: the same command with sudo in front; from a laptop, at a terminal and without --no-input, gca asks for the password"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return visible(err.Error())
}
