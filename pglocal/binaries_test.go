//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeInstall makes a folder whose postgres only knows its version.
func fakeInstall(t *testing.T, dir, version string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewestBinariesComeFirst(t *testing.T) {
	root := openDir(t)
	folder := func(name string) string { return filepath.Join(root, name) }
	fakeInstall(t, folder("14"), "14.19 (Debian 14.19-1)")
	fakeInstall(t, folder("18"), "18beta2")
	fakeInstall(t, folder("16"), "16.4 (Homebrew)")
	fakeInstall(t, folder("broken"), "who knows")
	fakeInstall(t, folder("links/real"), "17.1")
	for _, program := range []string{"postgres", "initdb"} {
		if err := os.Symlink(filepath.Join("real", program), filepath.Join(folder("links"), program)); err != nil {
			t.Fatal(err)
		}
	}
	dirs := []string{folder("14"), folder("absent"), folder("links"), folder("16"), folder("broken"), folder("18"), folder("links/real")}
	var got []string
	for _, b := range installed(t.Context(), dirs, account{}) {
		got = append(got, strings.ReplaceAll(b.String(), root+"/", ""))
	}
	want := []string{"18beta2 in 18", "17.1 in links/real", "16.4 in 16", "14.19 in 14"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("installed (-want +got):\n%s", diff)
	}
}

func TestChooseTakesWhatTheDataNeeds(t *testing.T) {
	all := []binaries{{"/v17", "17.2", 17}, {"/v16", "16.4", 16}, {"/v14", "14.19", 14}}
	for _, c := range []struct {
		name  string
		all   []binaries
		major int
		want  string
		err   string
	}{
		{"new data gets the newest", all, 0, "/v17", ""},
		{"old data gets its own version", all, 16, "/v16", ""},
		{"even one too old for new data", all, 14, "/v14", ""},
		{"a missing version is named with its package", all, 15, "", "postgresql-15"},
		{"and so is what is there", all, 15, "", "17.2 in /v17"},
		{"nothing installed", nil, 0, "", "sudo apt-get install postgresql"},
		{"nothing new enough", all[2:], 0, "", "found: 14.19 in /v14"},
		{"the other way is named", nil, 0, "", "DATABASE_URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(c.all, c.major, "/data")
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil || got.dir != c.want {
				t.Errorf("chose %v, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestDataOfAnotherVersionIsRefused(t *testing.T) {
	dir := sharedHome(t)
	stop(t, begin(t, dir))
	version := filepath.Join(dir, "data", "PG_VERSION")
	was, err := os.ReadFile(version)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Config{Dir: dir})
	wantError(t, err, dir, "written by PostgreSQL 9", "install PostgreSQL 9")
	if err := os.WriteFile(version, was, 0o600); err != nil {
		t.Fatal(err)
	}
	begin(t, dir) // nothing was harmed, and the lock was given back
}
