package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpu is processor time, which says more than wall time when the machine has
// other work.
type cpu struct {
	client time.Duration
	server time.Duration // of PostgreSQL's processes; 0 when they are not this program's or not on Linux
}

func (c cpu) sub(d cpu) cpu { return cpu{c.client - d.client, c.server - d.server} }

// cpuNow reads what was used so far.
func cpuNow() cpu {
	var self syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	c := cpu{client: time.Duration(self.Utime.Nano() + self.Stime.Nano())}
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
			c.server += p.own + p.ended
		case processes[p.parent].parent == me:
			c.server += p.own
		}
	}
	return c
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
