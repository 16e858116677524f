//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// longestLog is when the server's log is put aside, at a start.
const longestLog = 16 << 20

func serverLog(home string) (*os.File, error) {
	const name = "server.log"
	path := filepath.Join(home, name)
	info, err := os.Lstat(path)
	if err == nil && info.Size() > longestLog {
		err = os.Rename(path, path+".1")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("log of PostgreSQL: %w", err)
	}
	f, err := openFile(home, name, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return nil, fmt.Errorf("log of PostgreSQL: %w", err)
	}
	return f, nil
}

// logSince returns the end of what the server wrote since begin.
func logSince(f *os.File, begin int64) string {
	text, err := io.ReadAll(io.NewSectionReader(f, begin, longestLog))
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "\n" + strings.Join(lines[max(0, len(lines)-10):], "\n")
}
