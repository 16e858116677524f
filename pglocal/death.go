//go:build linux || freebsd

package pglocal

import "syscall"

// dieWithProgram has the system send sig to the child when the thread that
// started it ends, and the program with it.
func dieWithProgram(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
