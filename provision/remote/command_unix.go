//go:build unix

package remote

import (
	"os/exec"
	"syscall"
)

// shellCommand runs a line as ssh does, in a process group of its own.
func shellCommand(line string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", "exec "+line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// endCommand ends the whole group; one that has ended already is as good.
func endCommand(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
