package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"tallyman/guardrails"
	"tallyman/pglocal"
)

// alone are the commands that are a service themselves.
var alone = []string{"demo", "serve"}

// beside are arguments with which each command that opens the database does so.
var beside = map[string][]string{
	"import":             {"EVENTS"},
	"train":              nil,
	"site list":          nil,
	"site set":           {"DC-1", "--zone", "America/Chicago"},
	"event conflicts":    nil,
	"key add":            {"wms"},
	"key list":           nil,
	"key revoke":         {"aaaaaaaa"},
	"policy simulate":    {"POLICY"},
	"policy apply":       {"POLICY", "--author", "anna@example.com"},
	"policy rejudge":     {"st_x", "--by", "anna@example.com"},
	"policy show":        nil,
	"target add":         {"wms", "--url", "https://wms.example.com"},
	"target list":        nil,
	"target test":        {"none"},
	"target pause":       {"none", "--reason", "r"},
	"target resume":      {"none"},
	"target rotate":      {"none"},
	"switch throw":       {"--all", "--reason", "r"},
	"switch freeze":      {"--from", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z", "--reason", "r"},
	"switch list":        nil,
	"switch lift":        {"1"},
	"deadletter list":    nil,
	"deadletter replay":  {"st_x", "--by", "anna@example.com", "--reason", "r"},
	"deadletter answer":  {"st_x", "--applied", "--by", "anna@example.com", "--reason", "r"},
	"deadletter resolve": {"st_x", "--by", "anna@example.com", "--reason", "r"},
	"doctor":             nil,
	"triage suspects":    {"--alone"},
	"triage refit":       nil,
	"user add":           {"anna", "--name", "Anna"},
	"user role":          {"anna", "supervisor", "--site", "DC-1"},
	"user ref":           {"anna"},
	"user password":      {"anna"},
	"user disable":       {"anna"},
	"user list":          nil,
	"audit verify":       nil,
	"audit export":       {"--out", "OUT"},
	"audit prove":        {"st_x"},
}

// A service has the private PostgreSQL. Whatever an operator does, above all
// throwing a switch, works beside it.
func TestCommandsRunBesideAService(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL, which -short leaves out")
	}
	t.Setenv("DATABASE_URL", "")
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := pglocal.Remove(context.WithoutCancel(t.Context()), pglocal.Config{Dir: filepath.Join(dir, "postgres")}); err != nil {
			t.Error(err)
		}
	})
	service := database{Dir: dir}
	_, closeAll, err := service.open(t.Context(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	if _, _, err := service.open(t.Context(), quiet()); !inUse(err) {
		t.Fatalf("a second service: %v", err)
	}
	files := map[string]string{"EVENTS": "", "POLICY": string(guardrails.DefaultPolicy().Source), "OUT": ""}
	for name, content := range files {
		files[name] = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(files[name], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range openers(t) {
		args, known := beside[command]
		if !known {
			t.Errorf("nobody has tried %q beside a service; add it", command)
			continue
		}
		t.Run(command, func(t *testing.T) {
			all := append(strings.Fields(command), "--dir", dir)
			for _, a := range args {
				if file, ok := files[a]; ok {
					a = file
				}
				all = append(all, a)
			}
			if err := run(t.Context(), all); inUse(err) {
				t.Errorf("does not run beside a service: %v", err)
			} else if err != nil {
				t.Log(err)
			}
		})
	}
}

func inUse(err error) bool {
	used, ok := errors.AsType[*pglocal.InUseError](err)
	return ok && used != nil
}

// openers are the commands that open the database and are not a service.
func openers(t *testing.T) []string {
	t.Helper()
	parser, err := kong.New(&program{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, leaf := range parser.Model.Leaves(true) {
		name := strings.TrimPrefix(leaf.FullPath(), parser.Model.Name+" ")
		opens := slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "dir" && f.Default == ".data" }) &&
			slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "database-url" })
		if opens && !slices.Contains(alone, name) {
			names = append(names, name)
		}
	}
	return names
}
