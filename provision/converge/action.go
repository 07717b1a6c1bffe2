package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// opcode names one way to take something back.
type opcode string

const (
	opNone         opcode = ""              // nothing
	opPath         opcode = "path"          // put Path back to Was
	opPurge        opcode = "purge"         // remove the packages Names
	opUserDel      opcode = "userdel"       // remove the users Names
	opGroupDel     opcode = "groupdel"      // remove the groups Names
	opStop         opcode = "stop"          // stop the units Names
	opDisable      opcode = "disable"       // the units Names do not start at boot
	opRestart      opcode = "restart"       // restart the units Names, in order
	opDaemonReload opcode = "daemon-reload" // systemd reads its files again
	opNginxReload  opcode = "nginx-reload"  // Nginx reads its files again, if it runs
	opUFWDisable   opcode = "ufw-disable"
	opUFWReload    opcode = "ufw-reload"
	opUFWForget    opcode = "ufw-forget" // delete the rules that deploys added, but for the ports Names
	opDisarm       opcode = "disarm"     // nothing is left of the dead man's timer
	opSSHReload    opcode = "ssh-reload" // sshd reads its files again, if it runs
	opSysctl       opcode = "sysctl"     // give the kernel back the settings Names, each as key=value
	opSwapOff      opcode = "swap-off"   // stop using the swap files Names

	opHandoverEnd opcode = "handover-end" // stop the handover unit, unless it is the only one that serves
	opHandBack    opcode = "hand-back"    // let the main unit run by what is in force again, without a request lost
)

// action is a line of the journal: plain data, so that a later process can carry it out.
type action struct {
	Op     opcode     `json:"op"`
	Path   string     `json:"path,omitempty"`
	Was    *PathState `json:"was,omitempty"`
	Saved  string     `json:"saved,omitempty"` // file in the journal that holds the content of Was
	Secret bool       `json:"secret,omitempty"`
	Names  []string   `json:"names,omitempty"`

	Seconds int `json:"seconds,omitempty"` // the longest that a stop of Names may take; 0 for the usual
}

// do carries out an action. It may have been carried out before, and what it takes back may never have happened.
func (a action) do(ctx context.Context, s *system) error {
	switch a.Op {
	case opPath:
		return a.restore(s)
	case opPurge:
		return purge(ctx, s, a.Names)
	case opUserDel:
		return a.each(func(name string) error { return s.removeAccount(ctx, "/etc/passwd", "userdel", name) })
	case opGroupDel:
		return a.each(func(name string) error { return s.removeAccount(ctx, "/etc/group", "groupdel", name) })
	case opStop, opDisable, opRestart:
		limit := max(commandTime, time.Duration(a.Seconds)*time.Second)
		return s.systemctlWithin(ctx, limit, string(a.Op), a.Names...)
	case opDaemonReload:
		return s.systemctl(ctx, "daemon-reload")
	case opNginxReload:
		return reloadIfRunning(ctx, s)
	case opUFWDisable:
		_, err := s.run(ctx, "ufw", "--force", "disable")
		return err
	case opUFWReload:
		_, err := s.run(ctx, "ufw", "reload")
		return err
	case opUFWForget:
		return s.forgetRules(ctx, a.Names)
	case opDisarm:
		return s.disarm(ctx)
	case opSSHReload:
		return s.reloadSSH(ctx)
	case opSysctl:
		return s.resetSysctls(a.Names)
	case opSwapOff:
		return s.swapOff(ctx, a.Names)
	case opHandoverEnd:
		return s.endHandover(ctx, time.Duration(a.Seconds)*time.Second)
	case opHandBack:
		return s.handBack(ctx, time.Duration(a.Seconds)*time.Second)
	}
	return fmt.Errorf("the journal has an action %q that this release does not know", a.Op)
}

func (a action) each(f func(string) error) error {
	var errs []error
	for _, name := range a.Names {
		errs = append(errs, f(name))
	}
	return errors.Join(errs...)
}

func (a action) restore(s *system) error {
	if a.Was == nil {
		return fmt.Errorf("the journal does not say what %s was", a.Path)
	}
	file := s.at(a.Path)
	switch a.Was.Kind {
	case PathAbsent:
		if ours(a.Path) {
			return os.RemoveAll(file)
		}
		return removeMade(file)
	case PathFile:
		if a.Saved == "" || strings.Contains(a.Saved, "/") {
			return fmt.Errorf("the journal names %q for the old content of %s", a.Saved, a.Path)
		}
		return s.putBack(openDir+"/"+a.Saved, a.Path, a.Was.Mode, owner{a.Was.UID, a.Was.GID})
	case PathLink:
		return s.relink(a.Path, a.Was.Target)
	case PathDir:
		return errors.Join(os.MkdirAll(file, a.Was.Mode), os.Lchown(file, a.Was.UID, a.Was.GID), os.Chmod(file, a.Was.Mode))
	}
	return fmt.Errorf("%s was neither a file, a link nor a directory", a.Path)
}

// pathReversal takes path back to what it is now.
func (s *system) pathReversal(path string, secret bool) (action, error) {
	was, err := s.look(path)
	if err != nil {
		return action{}, err
	}
	if was.Kind == PathOther {
		return action{}, fmt.Errorf("%s is neither a file, a link nor a directory", path)
	}
	return action{Op: opPath, Path: path, Was: &was, Secret: secret}, nil
}

func (s *system) removeAccount(ctx context.Context, file, command, name string) error {
	if _, found, err := s.idOf(file, name); err != nil || !found {
		return err
	}
	_, err := s.run(ctx, command, name)
	return err
}

func (s *system) systemctl(ctx context.Context, verb string, units ...string) error {
	return s.systemctlWithin(ctx, commandTime, verb, units...)
}

func (s *system) systemctlWithin(ctx context.Context, limit time.Duration, verb string, units ...string) error {
	_, err := s.runLines(ctx, limit, nil, "systemctl", append([]string{verb}, units...)...)
	return err
}
