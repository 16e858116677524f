//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"time"
)

// longestSocket is the room a unix socket's path has on the meanest of systems
// (104 bytes with the closing zero on macOS and the BSDs, 108 on Linux).
const longestSocket = 103

const socketFile = ".s.PGSQL.5432"

// plain paths need no quoting in a list of directories or of hosts.
var plain = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// socketDir is the same for every start of a home: in it, or in /tmp under a name
// made from it where its path is too long or too odd.
func socketDir(home string) string {
	dir := filepath.Join(home, "run")
	if len(filepath.Join(dir, socketFile)) <= longestSocket && plain.MatchString(dir) {
		return dir
	}
	sum := sha256.Sum256([]byte(home))
	return "/tmp/tallyman-" + hex.EncodeToString(sum[:8])
}

func dsn(socket string) string {
	return "postgres://tallyman@/postgres?host=" + url.QueryEscape(socket) + "&port=5432&sslmode=disable"
}

// dial succeeds when a server listens in dir.
func dial(ctx context.Context, dir, port string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, ".s.PGSQL."+port))
}
