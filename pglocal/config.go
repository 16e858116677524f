// Package pglocal runs a private PostgreSQL from the binaries installed on this
// machine, so that a newcomer needs one command and no database administrator.
//
// A cluster is a home directory: the data, two lock files, the server's log and
// the socket. One program owns it at a time. The server listens on a unix socket
// in a directory closed to other accounts, never on the network, and ends with
// the program where the operating system offers that; elsewhere the next Start
// stops what was left behind. Committed data survives a kill -9 of either.
//
// The package downloads nothing, upgrades nothing and speaks no SQL to the
// running server. A fleet brings its own PostgreSQL through DATABASE_URL, which
// is the caller's to look at.
package pglocal

import (
	"log/slog"
	"strings"
)

// Config says where the cluster lives.
type Config struct {
	// Dir is the cluster's home, made when absent. When the program is root and
	// the server's account cannot enter the folders above Dir, Dir becomes a
	// link to a home under /var/lib/tallyman (under /tmp for a temporary Dir).
	Dir string

	// Log hears what a user may wonder about: a first initialisation, a home
	// placed elsewhere, a leftover server. Nil is silence. What the server
	// itself has to say goes to server.log in the home.
	Log *slog.Logger
}

// An InUseError says that another process owns the cluster. Who only wants to
// use it may connect to that process's server for as long as it runs.
type InUseError struct {
	Home    string
	Process string
	DSN     string
}

func (e *InUseError) Error() string {
	return "PostgreSQL directory " + e.Home + " is in use by process " + e.Process + ": stop that process, " +
		"or choose another directory"
}

// As returns a server's address for another of its roles. The cluster's owner,
// whom [Server.DSN] names, is a superuser: who connects as a lesser role has no
// way back to it. Whoever reaches the socket may be any role.
func As(dsn, role string) string {
	return strings.Replace(dsn, "//tallyman@", "//"+role+"@", 1)
}
