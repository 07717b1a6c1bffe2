//go:build !linux

package lab

import (
	"context"
	"errors"
	"os"
	"syscall"
)

var errPlatform = errors.New("lab servers need Linux; use a Debian or Ubuntu machine, virtual or not")

func checkPlatform() error { return errPlatform }

func lockTools(context.Context) (*os.File, error) { return nil, errPlatform }

func holderAttr() *syscall.SysProcAttr { return nil }

// RunHolder does nothing here: this platform boots no servers.
func RunHolder() {}

// List fails: this platform boots no servers.
func List(context.Context) ([]*Server, error) { return nil, errPlatform }

// Down fails: this platform boots no servers.
func Down(context.Context, ...string) ([]*Server, error) { return nil, errPlatform }

func takeSeat(context.Context) (*os.File, error) { return nil, errPlatform }
