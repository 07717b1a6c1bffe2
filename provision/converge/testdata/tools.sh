#!/bin/sh
# Stands in for the tools of a server. What it is told is kept in files under root, so that a test can compare them.
set -eu
bin=$(cd "$(dirname "$0")" && pwd)
root=$bin/../root
units=$root/units
sockets=$bin/../sockets
name=$(basename "$0")

active() { [ -e "$units/$1.active" ]; }
show() {
	if active "$1"; then echo ActiveState=active; elif [ -e "$units/$1.failed" ]; then echo ActiveState=failed; else echo ActiveState=inactive; fi
	if [ -e "$units/$1.enabled" ]; then echo UnitFileState=enabled; else echo UnitFileState=disabled; fi
	printf 'Id=%s\n' "$1"
	case $1 in
	gemini-adapter*) if [ -e "$root/etc/systemd/system/$1" ]; then echo LoadState=loaded; else echo LoadState=not-found; fi ;;
	*) echo LoadState=loaded ;;
	esac
	if active "$1"; then printf 'SubState=running\nMainPID=%s\n' "$(cat "$sockets/$1.pid" 2>/dev/null || echo 1)"; else echo SubState=dead; fi
	case $1 in *.socket) sed -n 's/^ListenStream=\(.*\)/Listen=\1 (Stream)/p' "$root/etc/systemd/system/$1" 2>/dev/null || true ;; esac
	echo
}
# systemd keeps a unit as it read it last, and a socket listens where its unit said when it was started.
reread() {
	mkdir -p "$sockets"
	rm -f "$sockets"/*.read
	for unit in "$root"/etc/systemd/system/*.socket; do
		[ ! -e "$unit" ] || cp "$unit" "$sockets/$(basename "$unit").read"
	done
}
listen() {
	case $1 in *.socket) ;; *) return 0 ;; esac
	[ -e "$sockets/$1.read" ] || reread
	sed -n s/^ListenStream=//p "$sockets/$1.read" >"$sockets/$1.listens"
}
each() {
	verb=$1
	shift
	case $1 in --*) shift ;; esac
	for unit; do
		case $verb in
		start | restart)
			[ ! -e "$units/$unit.sick" ] || exit 1
			if [ $verb = restart ] || ! active "$unit"; then
				listen "$unit"
				mkdir -p "$sockets"
				echo $$ >"$sockets/$unit.pid"
			fi
			touch "$units/$unit.active"
			# The service's ExecStartPost.
			[ "$unit" != gemini-adapter.service ] || rm -f "$units/gemini-adapter-handover.service.active"
			;;
		stop) rm -f "$units/$unit.active" "$sockets/$unit.listens" ;;
		enable) touch "$units/$unit.enabled" ;;
		disable) rm -f "$units/$unit.enabled" ;;
		esac
	done
}
install() {
	mkdir -p "$root/etc/nginx/sites-enabled" "$root/etc/nginx/sites-available" "$root/etc/nginx/modules-enabled" "$root/etc/ufw" "$root/usr/sbin"
	printf 'events {\n\tworker_connections 768;\n}\ninclude /etc/nginx/sites-enabled/*;\n' >"$root/etc/nginx/nginx.conf"
	echo stock >"$root/etc/nginx/sites-available/default"
	ln -s ../sites-available/default "$root/etc/nginx/sites-enabled/default"
	echo ENABLED=no >"$root/etc/ufw/ufw.conf"
	: >"$root/etc/ufw/user.rules"
	: >"$root/usr/sbin/nginx"
	mkdir -p "$root/etc/fail2ban/jail.d" "$root/var/lib/dpkg"
	for package in nginx ufw fail2ban python3-systemd unattended-upgrades logrotate; do
		printf 'Package: %s\nStatus: install ok installed\n' $package
		[ $package != nginx ] || printf 'Conffiles:\n /etc/nginx/sites-available/default %s\n' "$(echo stock | md5sum | cut -d' ' -f1)"
		echo
	done >"$root/var/lib/dpkg/status"
	ln -s tools.sh "$bin/ufw"
	each start nginx.service
	each enable nginx.service ufw.service fail2ban.service
}
purge() {
	: >"$root/var/lib/dpkg/status"
	rm -rf "$root/etc/fail2ban" "$root/etc/nginx" "$root/etc/ufw" "$root/usr/sbin/nginx" "$bin/ufw" "$units/nginx.service.active"
	each disable nginx.service ufw.service fail2ban.service
}

case $name in
apt-get)
	case "$*" in
	*--simulate*) printf 'Inst nginx (1.22 Debian [all])\nInst ufw (0.36 Debian [all])\n' ;;
	*" install "*) install ;;
	*" purge "*) purge ;;
	*" update") ;;
	*) exit 64 ;;
	esac
	;;
dpkg | systemd-run | fail2ban-client) ;;
nginx)
	case $* in
	-t*) ! grep -rqs broken "$root/etc/nginx/conf.d" || { printf 'nginx: [warn] first\n2026/11/30 15:59:47 [emerg] 983#983: unknown directive "broken" in /etc/nginx/conf.d/x.conf:1\n' >&2; exit 1; } ;;
	*) echo 'nginx version: nginx/1.22.1' >&2 ;;
	esac
	;;
apt-cache) printf 'nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9+deb12u3\n' ;;
journalctl) echo "the adapter said this" ;;
sshd) echo port 22 ;;
systemctl)
	verb=$1
	shift
	case $verb in
	--version) echo 'systemd 252 (252.39-1~deb12u1)' ;;
	show)
		shift
		for unit; do show "$unit"; done
		;;
	daemon-reload) reread ;;
	reload | is-active) ;;
	*) each "$verb" "$@" ;;
	esac
	;;
groupadd) echo "gemini:x:$(id -g):" >>"$root/etc/group" ;;
useradd) echo "gemini:x:$(id -u):$(id -g)::/var/lib/gemini-adapter:/usr/sbin/nologin" >>"$root/etc/passwd" ;;
userdel) sed -i '/^gemini:/d' "$root/etc/passwd" ;;
groupdel) sed -i '/^gemini:/d' "$root/etc/group" ;;
ufw)
	case "$*" in
	"status verbose")
		grep -q ENABLED=yes "$root/etc/ufw/ufw.conf" || { echo 'Status: inactive'; exit 0; }
		echo 'Status: active'
		sed 's/$/                     ALLOW IN    Anywhere/' "$root/etc/ufw/user.rules"
		;;
	"--force enable") echo ENABLED=yes >"$root/etc/ufw/ufw.conf" ;;
	"--force disable") echo ENABLED=no >"$root/etc/ufw/ufw.conf" ;;
	reload) ;;
	allow*) echo "$2" >>"$root/etc/ufw/user.rules" ;;
	esac
	;;
*) exit 64 ;;
esac
