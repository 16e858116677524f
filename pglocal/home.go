//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// shelter is where root keeps homes whose own place the server's account cannot
// reach, such as below a home directory closed to others.
const shelter = "/var/lib/tallyman"

// openHome returns the real path of the cluster's home, made when absent, and
// the account that its server runs as.
func openHome(dir string, log *slog.Logger) (string, account, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", account{}, err
	}
	home, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if isLink(dir) {
			return "", account{}, fmt.Errorf("PostgreSQL directory %s is a link to a place that is gone: "+
				"remove the link to begin anew", dir)
		}
		return makeHome(dir, log)
	}
	if err != nil {
		return "", account{}, fmt.Errorf("PostgreSQL directory: %w", err)
	}
	a, err := accountFor(home)
	if err != nil {
		return "", account{}, err
	}
	empty, err := isEmpty(home)
	if err != nil {
		return "", account{}, err
	}
	closed := closedTo(a, home)
	switch {
	case closed == "":
		return home, a, nil
	case empty && os.Remove(dir) == nil:
		return makeHome(dir, log)
	default:
		return "", account{}, fmt.Errorf("PostgreSQL directory %s: %s may not enter %s: allow it (chmod o+x %s), "+
			"or choose another directory", home, a.name, closed, closed)
	}
}

// isEmpty refuses a directory that holds anything but a cluster.
func isEmpty(home string) (bool, error) {
	entries, err := os.ReadDir(home)
	if err != nil {
		return false, fmt.Errorf("PostgreSQL directory: %w", err)
	}
	if len(entries) == 0 {
		return true, nil
	}
	if _, err := os.Lstat(filepath.Join(home, ownerLock)); err != nil {
		return false, fmt.Errorf("PostgreSQL directory %s holds other files: choose an empty or a new directory", home)
	}
	return false, nil
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// makeHome makes dir, or a home elsewhere and dir a link to it.
func makeHome(dir string, log *slog.Logger) (string, account, error) {
	a, err := accountFor(dir)
	if err != nil {
		return "", account{}, err
	}
	above := filepath.Dir(dir)
	err = os.MkdirAll(above, 0o755)
	if err == nil {
		above, err = filepath.EvalSymlinks(above)
	}
	if err != nil {
		return "", account{}, fmt.Errorf("PostgreSQL directory: %w", err)
	}
	closed := closedTo(a, above)
	if closed == "" {
		home := filepath.Join(above, filepath.Base(dir))
		if err := mkdirFor(a, home); err != nil {
			return "", account{}, fmt.Errorf("PostgreSQL directory: %w", err)
		}
		return home, a, nil
	}
	home, err := makeShelter(a, dir)
	if err != nil {
		return "", account{}, fmt.Errorf("PostgreSQL directory %s: account %s may not enter %s, and no other place: %w",
			dir, a.name, closed, err)
	}
	log.Info("PostgreSQL data placed elsewhere, as its account may not enter a directory above",
		slog.String("data", home), slog.String("account", a.name), slog.String("closed", closed))
	return home, a, nil
}

// mkdirFor makes a directory that belongs to the program and that a may enter,
// whatever the umask.
func mkdirFor(a account, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if a.drop {
		return os.Chmod(dir, 0o755)
	}
	return nil
}

func makeShelter(a account, dir string) (string, error) {
	root := shelter
	if within(dir, os.TempDir()) || within(dir, "/tmp") {
		root = "/tmp"
	} else if err := mkdirFor(a, root); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	home, err := os.MkdirTemp(root, "tallyman-*")
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.Chmod(home, 0o755), os.Symlink(home, dir)); err != nil {
		return "", errors.Join(err, os.Remove(home))
	}
	return home, nil
}

func within(path, dir string) bool {
	return strings.HasPrefix(path+"/", filepath.Clean(dir)+"/")
}

// dataVersion returns the major version of the data in home, 0 when there is none.
func dataVersion(home string) (int, error) {
	text, err := os.ReadFile(filepath.Join(home, "data", "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(filepath.Join(home, "data")); err == nil {
			return 0, fmt.Errorf("%s/data is no PostgreSQL data: PG_VERSION is missing; "+
				"restore it from a backup, or choose another directory", home)
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("version of the PostgreSQL data: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("version of the PostgreSQL data in %s: %w", home, err)
	}
	return major, nil
}
