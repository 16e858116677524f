//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the oldest PostgreSQL release that Tallyman's schema is written for.
const oldest = 15

const install = `install it:
  Debian, Ubuntu   sudo apt-get install postgresql
  Fedora           sudo dnf install postgresql-server
  Alpine           sudo apk add postgresql
  macOS            brew install postgresql@17
  anything else    https://www.postgresql.org/download/
or set DATABASE_URL to a PostgreSQL server you already have`

// folders hold binaries outside PATH, as the usual packages place them.
var folders = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // PostgreSQL's own packages for Fedora and Red Hat
	"/usr/libexec/postgresql*",                           // Alpine
	"/usr/lib/postgresql*/bin",                           // openSUSE
	"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew, also keg-only
	"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// binaries is one installed PostgreSQL.
type binaries struct {
	dir     string // holds initdb, pg_ctl and postgres
	version string // as the server says it, such as 15.18
	major   int
}

func (b binaries) String() string { return fmt.Sprintf("%s in %s", b.version, b.dir) }

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

// candidates lists the folders that may hold PostgreSQL, PATH first.
func candidates() []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range folders {
		found, _ := filepath.Glob(pattern) // the only error is a bad pattern
		dirs = append(dirs, found...)
	}
	return dirs
}

// installed asks every folder for its PostgreSQL and returns them newest first,
// each once, leaving out those that a could not run.
func installed(ctx context.Context, dirs []string, a account) []binaries {
	var all []binaries
	for _, dir := range dirs {
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			continue
		}
		// PATH often holds links to a folder that has every program.
		if whole := filepath.Dir(program); complete(whole) {
			dir = whole
		}
		known := slices.ContainsFunc(all, func(b binaries) bool { return b.dir == dir })
		if known || !complete(dir) || closedTo(a, dir) != "" {
			continue
		}
		if b, err := versionOf(ctx, dir); err == nil {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b binaries) int { return cmp.Compare(b.major, a.major) })
	return all
}

func complete(dir string) bool {
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err != nil {
			return false
		}
	}
	return true
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

func versionOf(ctx context.Context, dir string) (binaries, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, fmt.Errorf("version of postgres in %s: %w", dir, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return binaries{}, fmt.Errorf("version of postgres in %s: %q is not one", dir, out)
	}
	major, err := strconv.Atoi(string(m[2]))
	return binaries{dir: dir, version: string(m[1]), major: major}, err
}

// choose picks the newest binaries that run data written by major, or any data
// when major is 0.
func choose(all []binaries, major int, data string) (binaries, error) {
	names := make([]string, len(all))
	for i, b := range all {
		names[i] = b.String()
		if b.major == major || major == 0 && b.major >= oldest {
			return b, nil
		}
	}
	found := "none"
	if len(names) > 0 {
		found = strings.Join(names, ", ")
	}
	if major != 0 {
		return binaries{}, fmt.Errorf("the data in %s was written by PostgreSQL %d and opens with no other, "+
			"installed: %s; install PostgreSQL %d (on Debian, Ubuntu: postgresql-%d; on Fedora: postgresql%d-server; "+
			"on Alpine: postgresql%d; with Homebrew: postgresql@%d), or choose another directory to begin anew",
			data, major, found, major, major, major, major, major)
	}
	return binaries{}, fmt.Errorf("no PostgreSQL %d or newer on this machine (found: %s); %s", oldest, found, install)
}
