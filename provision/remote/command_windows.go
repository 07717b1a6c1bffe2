package remote

import (
	"os/exec"
	"syscall"
)

// shellCommand runs a line as it stands: cmd.exe has quoting rules of its own.
func shellCommand(line string) *exec.Cmd {
	cmd := exec.Command("cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: "cmd.exe /d /s /c \"" + line + "\""}
	return cmd
}

// endCommand fails only for a program that has ended already.
func endCommand(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
