// Package cpu reads how much processor time a benchmark and its PostgreSQL used,
// which says more than the clock when the machine has other work.
package cpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Time is processor time.
type Time struct {
	Client time.Duration // of this program
	Server time.Duration // of PostgreSQL's processes; 0 when they are not this program's or not on Linux
}

// Sub returns the difference.
func (t Time) Sub(u Time) Time { return Time{t.Client - u.Client, t.Server - u.Server} }

// Now reads what was used so far.
func Now() Time {
	var self syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	t := Time{Client: time.Duration(self.Utime.Nano() + self.Stime.Nano())}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	processes := make(map[int]process, len(files))
	for _, name := range files {
		if p, pid, err := readProcess(name); err == nil {
			processes[pid] = p
		}
	}
	for _, p := range processes {
		switch me := os.Getpid(); {
		case p.parent == me: // the postmaster, with its sessions that ended
			t.Server += p.own + p.ended
		case processes[p.parent].parent == me:
			t.Server += p.own
		}
	}
	return t
}

type process struct {
	parent     int
	own, ended time.Duration
}

// readProcess reads /proc/PID/stat; see proc(5).
func readProcess(name string) (process, int, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return process{}, 0, err
	}
	pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
	if err != nil {
		return process{}, 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var parent int
	var ticks [4]int64 // utime, stime, cutime, cstime, in hundredths of a second
	_, err = fmt.Sscan(strings.Join(append(fields[1:2:2], fields[11:15]...), " "), &parent, &ticks[0], &ticks[1], &ticks[2], &ticks[3])
	const tick = time.Second / 100
	return process{parent, time.Duration(ticks[0]+ticks[1]) * tick, time.Duration(ticks[2]+ticks[3]) * tick}, pid, err
}
