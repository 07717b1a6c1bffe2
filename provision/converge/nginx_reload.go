package converge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	nginxPID        = "/run/nginx.pid" // by Debian's and Ubuntu's nginx.conf and unit
	nginxReloadTime = 30 * time.Second
)

// reloadNginx returns when no worker of before takes connections any more. `systemctl reload` returns as soon as the signal
// is sent; Nginx then starts new workers and, 100 ms later at the earliest, tells the old ones to leave, which go on by
// the settings of before until then (ngx_master_process_cycle in src/os/unix/ngx_process_cycle.c).
func reloadNginx(ctx context.Context, s *system) error {
	old, err := nginxWorkers(&s.reader)
	if err != nil {
		return err
	}
	if err := s.systemctl(ctx, "reload", nginxUnit); err != nil {
		return err
	}
	late := time.After(nginxReloadTime)
	for {
		now, err := nginxWorkers(&s.reader)
		if err != nil || !slices.ContainsFunc(old, func(pid string) bool { return slices.Contains(now, pid) }) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late:
			return fmt.Errorf("nginx did not take up its new settings within %s of a reload", nginxReloadTime)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// nginxWorkers are the process ids of the workers that take connections; those that leave have another title.
func nginxWorkers(s *reader) ([]string, error) {
	master, err := s.readText(nginxPID)
	if master = strings.TrimSpace(master); err != nil || master == "" {
		return nil, err
	}
	children, err := readProcess(s, master, "task/"+master+"/children")
	if err != nil {
		return nil, err
	}
	var workers []string
	for _, pid := range strings.Fields(children) {
		title, err := readProcess(s, pid, "cmdline")
		if err != nil {
			return nil, err
		}
		if strings.Trim(title, "\x00 ") == "nginx: worker process" {
			workers = append(workers, pid)
		}
	}
	return workers, nil
}

// readProcess reads a file of a process; of one that has ended it is empty.
func readProcess(s *reader, pid, name string) (string, error) {
	text, err := s.readText("/proc/" + pid + "/" + name)
	if errors.Is(err, syscall.ESRCH) {
		return "", nil
	}
	return text, err
}
