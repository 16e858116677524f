#!/bin/sh
# Makes this machine ready and says what it does: setup.sh demo | test | check.
#
# demo needs Go and PostgreSQL; test a Chromium too; check also git, make and a
# C compiler (for the race detector). What is missing is installed with the
# system's package manager where that needs no password, else it is named and the
# script ends with 1. Where nothing is missing it does nothing. With DATABASE_URL
# set, PostgreSQL is not looked for.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-demo}
oldest=15 # PostgreSQL, as in pglocal

say() { printf '%s\n' "setup: $*" >&2; }

# privileged runs a command as root, or fails where that takes a password.
privileged() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif sudo -n true 2>/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

manager() {
	for m in apt-get dnf apk pacman zypper brew; do
		if command -v "$m" >/dev/null; then
			echo "$m"
			return
		fi
	done
}

# install_packages PACKAGE…: by the names of this machine's package manager.
install_packages() {
	if [ "$(manager)" != brew ] && ! privileged true; then
		return 1
	fi
	say "installing $* with $(manager)"
	case $(manager) in
	apt-get)
		refresh_apt
		privileged env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
		;;
	dnf) privileged dnf install -y -q "$@" >&2 ;;
	apk) privileged apk add --quiet "$@" >&2 ;;
	pacman) privileged pacman -Sy --noconfirm --needed "$@" >&2 ;;
	zypper) privileged zypper --non-interactive --quiet install "$@" >&2 ;;
	brew) brew install --quiet "$@" >&2 ;;
	*) return 1 ;;
	esac
}

refreshed=
refresh_apt() {
	if [ -z "$refreshed" ]; then
		privileged apt-get update -qq </dev/null >/dev/null
		refreshed=yes
	fi
}

# has_postgres looks where pglocal looks.
has_postgres() {
	old_ifs=$IFS
	IFS=:
	set -- $PATH
	IFS=$old_ifs
	for dir in "$@" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* /usr/lib/postgresql*/bin \
		/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
		/home/linuxbrew/.linuxbrew/opt/postgresql*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
		if [ -x "$dir/postgres" ]; then
			major=$("$dir/postgres" --version | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
			if [ "${major:-0}" -ge "$oldest" ]; then
				return 0
			fi
		fi
	done
	return 1
}

install_postgres() {
	case $(manager) in
	apt-get) install_postgres_apt ;;
	dnf | zypper) install_packages postgresql-server ;;
	apk | pacman) install_packages postgresql ;;
	brew) install_packages postgresql@17 ;;
	*) return 1 ;;
	esac
}

# Debian's package would start a server of its own on port 5432. Tallyman needs
# only the programs, so that is switched off for the moment.
install_postgres_apt() {
	conf=/etc/postgresql-common/createcluster.conf
	if [ -e "$conf" ]; then
		install_packages postgresql
		return
	fi
	install_packages postgresql-common || return 1
	privileged sed -i.tallyman 's/^#*create_main_cluster.*/create_main_cluster = false/' "$conf"
	installed=0
	install_packages postgresql || installed=1
	privileged mv "$conf.tallyman" "$conf"
	return $installed
}

has_browser() {
	for b in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable chrome headless_shell; do
		if command -v "$b" >/dev/null; then
			return 0
		fi
	done
	[ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] || [ -x /Applications/Chromium.app/Contents/MacOS/Chromium ]
}

install_browser() {
	case $(manager) in
	apt-get) install_packages chromium-headless-shell || install_packages chromium ;; # not every Debian has the lighter one
	brew) install_packages --cask google-chrome ;;
	*) install_packages chromium ;;
	esac
}

need_go() {
	wanted=$(sed -n 's/^go //p' go.mod)
	if ! command -v go >/dev/null; then
		say "Go $wanted or newer is missing: https://go.dev/dl/ (and put its bin folder on PATH)"
		exit 1
	fi
	if ! problem=$(go list -m 2>&1 >/dev/null); then
		say "Go $wanted or newer is needed: https://go.dev/dl/"
		say "$problem"
		exit 1
	fi
}

need_postgres() {
	if [ -n "${DATABASE_URL:-}" ] || has_postgres; then
		return
	fi
	install_postgres || true
	if has_postgres; then
		return
	fi
	say "PostgreSQL $oldest or newer is missing and could not be installed from here. Install it:
  Debian, Ubuntu   sudo apt-get install postgresql
  Fedora           sudo dnf install postgresql-server
  Alpine           sudo apk add postgresql
  macOS            brew install postgresql@17
  anything else    https://www.postgresql.org/download/
or set DATABASE_URL to a PostgreSQL server you already have."
	exit 1
}

need_browser() {
	if has_browser; then
		return
	fi
	install_browser || true
	if has_browser; then
		return
	fi
	say "A Chromium or Chrome for the browser tests is missing and could not be installed from here. Install it:
  Debian           sudo apt-get install chromium-headless-shell
  Fedora           sudo dnf install chromium
  Alpine           sudo apk add chromium
  macOS            brew install --cask google-chrome
  anything else    https://www.google.com/chrome/
or run the tests that need none: go test -short ./..."
	exit 1
}

need_tools() {
	for tool in git make; do
		if ! command -v "$tool" >/dev/null; then
			install_packages "$tool" || true
		fi
	done
	if ! command -v cc >/dev/null && ! command -v gcc >/dev/null; then
		case $(manager) in
		apt-get) install_packages gcc libc6-dev || true ;;
		apk) install_packages gcc musl-dev || true ;;
		*) install_packages gcc || true ;;
		esac
	fi
	for tool in git make gcc; do
		if ! command -v "$tool" >/dev/null; then
			say "$tool is missing and could not be installed from here: install it with your package manager"
			exit 1
		fi
	done
}

need_go
need_postgres
case $purpose in
demo) ;;
test) need_browser ;;
check)
	need_browser
	need_tools
	;;
*)
	say "unknown purpose $purpose: demo, test or check"
	exit 1
	;;
esac
