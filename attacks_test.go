package tallyman

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// attacks is how many there are.
const attacks = 66

// Every attack of docs/attacks.md has a test, and every test that it names exists.
func TestEveryAttackHasItsTest(t *testing.T) {
	text, err := os.ReadFile("docs/attacks.md")
	if err != nil {
		t.Fatal(err)
	}
	row, named := regexp.MustCompile(`(?m)^\| (\d+) \|.*$`), regexp.MustCompile("`([a-z0-9]+) (Test\\w+)(/[^`]+)?`")
	n := 0
	for _, line := range row.FindAllStringSubmatch(string(text), -1) {
		if n++; line[1] != fmt.Sprint(n) {
			t.Fatalf("attack %s is in the place of %d", line[1], n)
		}
		tests := named.FindAllStringSubmatch(line[0], -1)
		if len(tests) == 0 {
			t.Errorf("attack %d has no test", n)
		}
		for _, test := range tests {
			if pkg, name, part := test[1], test[2], strings.TrimPrefix(test[3], "/"); !exists(t, pkg, name, part) {
				t.Errorf("attack %d: there is no %s in %s with a part %q", n, name, pkg, part)
			}
		}
	}
	if n != attacks {
		t.Errorf("%d attacks of %d are listed", n, attacks)
	}
}

// exists reports whether a package has a test and, among the names of its parts,
// this one.
func exists(t *testing.T, pkg, name, part string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	test, found := false, part == ""
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		test = test || strings.Contains(string(source), "func "+name+"(")
		found = found || strings.Contains(string(source), `"`+part+`"`)
	}
	return test && found
}
