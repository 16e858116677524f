//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who the server runs as: the program's own account, or an
// unprivileged one when the program is root, which PostgreSQL refuses to be.
type account struct {
	name     string
	uid, gid int
	drop     bool // the program is root and must become this account
}

// accountFor finds the account for a home. One that exists keeps its owner.
func accountFor(home string) (account, error) {
	data := filepath.Join(home, "data")
	if self := os.Geteuid(); self != 0 {
		if uid, _, err := ownerOf(data); err == nil && uid != self {
			return account{}, fmt.Errorf("the PostgreSQL data in %s belongs to uid %d and this program runs as uid %d: "+
				"run it as the owner or as root, or choose another directory", data, uid, self)
		}
		return account{name: "uid " + strconv.Itoa(self), uid: self, gid: os.Getegid()}, nil
	}
	for _, path := range []string{data, home} {
		if uid, gid, err := ownerOf(path); err == nil && uid != 0 {
			return account{name: "uid " + strconv.Itoa(uid), uid: uid, gid: gid, drop: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseInt(u.Uid, 10, 64)
		gid, err2 := strconv.ParseInt(u.Gid, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, fmt.Errorf("account %s: %w", name, err)
		}
		// macOS writes nobody's numbers as -2.
		return account{name: name, uid: int(uint32(uid)), gid: int(uint32(gid)), drop: true}, nil
	}
	return account{}, errors.New("the program is root, PostgreSQL refuses to be, and this machine has neither " +
		"an account postgres nor nobody: run as an ordinary user, or set DATABASE_URL")
}

func ownerOf(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return int(owner.Uid), int(owner.Gid), nil
}

// closedTo returns the first folder on the way into dir, from the top, that a
// may not enter by its permission bits, or "" when the way is free.
func closedTo(a account, dir string) string {
	if !a.drop {
		return ""
	}
	if parent := filepath.Dir(dir); parent != dir {
		if closed := closedTo(a, parent); closed != "" {
			return closed
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return dir
	}
	enter := fs.FileMode(0o001)
	switch owner := info.Sys().(*syscall.Stat_t); {
	case int(owner.Uid) == a.uid:
		enter = 0o100
	case int(owner.Gid) == a.gid:
		enter = 0o010
	}
	if info.Mode()&enter == 0 {
		return dir
	}
	return ""
}

// privateDir makes dir, or finds it, as a directory of the account alone. What
// somebody else put there is refused.
func (a account) privateDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil && a.drop {
		return os.Lchown(dir, a.uid, a.gid)
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if owner := info.Sys().(*syscall.Stat_t); !info.IsDir() || int(owner.Uid) != a.uid || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is in the way: it is not a directory private to %s; remove it", dir, a.name)
	}
	return nil
}
