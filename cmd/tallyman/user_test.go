package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A password comes from a pipe or file as it is, without the end of its line.
func TestReadPassword(t *testing.T) {
	for text, want := range map[string]string{
		"correct horse battery\n": "correct horse battery", "no end of line": "no end of line", " blanks stay \r\nnext line": " blanks stay ", "": "",
	} {
		name := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readPassword(in, io.Discard)
		if err != nil || got != want {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
		_ = in.Close()
	}
}
