//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package pglocal

import (
	"context"
	"errors"
)

var errUnsupported = errors.New("no private PostgreSQL on this system: set DATABASE_URL to a server you have")

// Server cannot be had on this system.
type Server struct{ Version string }

// Start says that this system needs DATABASE_URL.
func Start(context.Context, Config) (*Server, error) { return nil, errUnsupported }

// Remove says that this system needs DATABASE_URL.
func Remove(context.Context, Config) error { return errUnsupported }

// DSN is never reached.
func (s *Server) DSN() string { return "" }

// Exited is never reached.
func (s *Server) Exited() <-chan error { return nil }

// Stop is never reached.
func (s *Server) Stop(context.Context) error { return nil }
