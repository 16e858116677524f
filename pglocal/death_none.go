//go:build darwin || netbsd || openbsd || dragonfly

package pglocal

import "syscall"

// dieWithProgram does nothing here: the next Start stops what was left behind.
func dieWithProgram(*syscall.SysProcAttr, syscall.Signal) {}
