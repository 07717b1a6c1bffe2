package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const behind = "nginx+gca" // ours, through Nginx as it is deployed

// behindNginx puts Nginx before an adapter, with the site that a deploy writes (its text is kept for tests, for port 80 and an
// adapter at port 8000) at an address of its own. What both use counts.
func (f *family) behindNginx(site string, c candidate) (candidate, error) {
	text, err := os.ReadFile(site)
	if err != nil {
		return candidate{}, err
	}
	addr, err := freeAddress()
	if err != nil {
		return candidate{}, err
	}
	here := string(text)
	for _, change := range [][2]string{
		{"listen 80 default_server;", "listen " + addr + " default_server;"}, {"listen [::]:80 default_server;", ""},
		{"server 127.0.0.1:8000 ", "server " + c.addr + " "}, {"/var/log/nginx/", f.dir + "/"}, {"/var/lib/gca-acme", f.dir},
	} {
		if !strings.Contains(here, change[0]) {
			return candidate{}, fmt.Errorf("%s has no %q: it is not the site that a deploy writes", site, change[0])
		}
		here = strings.ReplaceAll(here, change[0], change[1])
	}
	around := "worker_processes auto;\nworker_rlimit_nofile 65536;\npid " + f.dir + "/nginx.pid;\nevents { worker_connections 16384; }\nhttp {\n" +
		"sendfile on;\ntcp_nopush on;\ntypes_hash_max_size 2048;\ngzip on;\n" // as Debian has it
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		around += kind + "_temp_path " + filepath.Join(f.dir, kind) + ";\n"
	}
	conf := filepath.Join(f.dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(around+here+"}\n"), 0o600); err != nil {
		return candidate{}, err
	}
	pid, err := f.start("nginx", addr, nil, "nginx", "-p", f.dir, "-c", conf, "-g", "daemon off;")
	if err != nil {
		return candidate{}, errors.Join(err, errors.New("hint: apt-get install nginx-light"))
	}
	workers, err := children(pid)
	return candidate{name: behind, addr: addr, token: c.token, pid: c.pid, more: workers}, err
}

// children are the processes that a process started.
func children(pid int) (all []int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, fmt.Errorf("cannot find Nginx's workers: %w", err)
	}
	for _, word := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		all = append(all, child)
	}
	return all, nil
}
