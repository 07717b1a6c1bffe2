package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// swapStep makes a swap file, turns it on, and has it turned on at boot.
type swapStep struct{}

const (
	fstab     = "/etc/fstab"
	fstabLine = swapFile + " none swap sw 0 0\n"
)

func (swapStep) before(_ context.Context, r *run) (reversal, error) {
	table, err := r.sys.pathReversal(fstab, false)
	if err != nil {
		return reversal{}, err
	}
	file, err := r.sys.pathReversal(swapFile, false)
	if err == nil && file.Was.Kind != PathAbsent {
		err = fmt.Errorf("%s is there already, and not ours to replace", swapFile)
	}
	return reversal{Undo: []action{{Op: opSwapOff, Names: []string{swapFile}}, table, file}}, err
}

// apply takes the fast way first. Some file systems leave holes in a file made so, and swapon refuses those.
func (swapStep) apply(ctx context.Context, r *run) error {
	fast := swapOn(ctx, r.sys, "fallocate", "--length", strconv.Itoa(swapBytes), r.sys.at(swapFile))
	if fast != nil {
		r.progress("writing 1 GB of zeros")
		slow := swapOn(ctx, r.sys, "dd", "if=/dev/zero", "of="+r.sys.at(swapFile), "bs=1M", "count="+strconv.Itoa(swapBytes>>20), "conv=fsync")
		if slow != nil {
			return fmt.Errorf("%w\nhint: df -h /", errors.Join(fast, slow))
		}
	}
	text, err := r.sys.readText(fstab)
	if err != nil {
		return err
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return r.sys.addSwapLine(text)
}

// addSwapLine ends the table, which keeps its mode and owner.
func (s *system) addSwapLine(text string) error {
	now, err := s.look(fstab)
	if err != nil {
		return err
	}
	if now.Kind == PathAbsent {
		o, err := s.lookup(rootUser, rootUser)
		if err != nil {
			return err
		}
		now.Mode, now.UID, now.GID = 0o644, o.uid, o.gid
	}
	return s.writeFile(fstab, []byte(text+fstabLine), now.Mode, owner{now.UID, now.GID})
}

// dropSwapLine takes our line out of a table that somebody else has changed too.
func (s *system) dropSwapLine() error {
	now, err := s.state(fstab)
	if err != nil || now.Kind != PathFile {
		return err
	}
	text := strings.Replace(string(now.Content), fstabLine, "", 1)
	return s.writeFile(fstab, []byte(text), now.Mode, owner{now.UID, now.GID})
}

func swapOn(ctx context.Context, s *system, name string, args ...string) error {
	// The file must never have been readable by others: memory ends up in it.
	f, err := os.OpenFile(s.at(swapFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, command := range [][]string{append([]string{name}, args...), {"mkswap", s.at(swapFile)}, {"swapon", s.at(swapFile)}} {
		if _, err := s.run(ctx, command[0], command[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (swapStep) check(_ context.Context, r *run) error {
	text, err := r.sys.readText("/proc/swaps")
	if err == nil && !strings.Contains(text, swapFile) {
		err = fmt.Errorf("%s was turned on, yet the kernel does not use it", swapFile)
	}
	return err
}

// swapOff is for a reversal: what is not in use need not be turned off.
func (s *system) swapOff(ctx context.Context, names []string) error {
	text, err := s.readText("/proc/swaps")
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.Contains(text, name) {
			_, offErr := s.run(ctx, "swapoff", s.at(name))
			err = errors.Join(err, offErr)
		}
	}
	return err
}
