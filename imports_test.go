package tallyman

// The oracle of these tests is the table below, which the design decides: arrows
// point down only. Sources are read in this process, not through the go command,
// so that a cached result notices when one of them changes.

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "tallyman"

// domain packages do no I/O and know no clock.
var domain = []string{
	"warehouse", "models", "llm", "audit", "features", "guardrails", "counting", "receiving", "fixtures",
	"triage", "training", "scoring",
}

// mayImport says which of our packages each of our packages may import. A package
// that is not listed must not exist. Programs under docs/bench may import all.
var mayImport = map[string][]string{
	".":               nil,
	"warehouse":       nil,
	"models":          nil,
	"llm":             nil,
	"llm/llmtest":     nil,
	"audit":           nil,
	"features":        {"warehouse"},
	"guardrails":      {"warehouse"},
	"counting":        {"warehouse"},
	"receiving":       {"warehouse"},
	"fixtures":        {"warehouse"},
	"triage":          {"warehouse", "models", "llm"},
	"scoring":         {"warehouse", "features", "models"},
	"training":        {"warehouse", "features", "models", "scoring"},
	"store":           withoutLLM(),
	"store/storetest": append([]string{"store", "pglocal"}, domain...),
	"webhook":         {"warehouse"},
	"jobs":            append([]string{"store", "webhook"}, domain...),
	"api":             append([]string{"store"}, withoutLLM()...),
	"web":             append([]string{"store"}, withoutLLM()...),
	"pglocal":         nil,
	"cmd/tallyman":    append([]string{"store", "webhook", "jobs", "api", "web", "pglocal"}, domain...),
	"e2e":             append([]string{"store/storetest", "pglocal", "llm/llmtest"}, domain...),
}

// withoutLLM are the domain packages of what answers requests: it must not be able
// to wait for a language model.
func withoutLLM() []string {
	return slices.DeleteFunc(slices.Clone(domain), func(name string) bool { return name == "llm" })
}

// asksModels are the packages that may hold a client of a language model.
var asksModels = []string{"llm", "jobs", "cmd/tallyman"}

var modelClient = regexp.MustCompile(`\bllm\.(Client|New)\b|\.Choose\(`)

// What labels tickets as they come may shape a question, and has nobody to ask.
func TestTheRequestPathCannotAskALanguageModel(t *testing.T) {
	for name := range files(t) {
		pkg := path.Dir(name)
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || slices.Contains(asksModels, pkg) {
			continue
		}
		source, err := fs.ReadFile(os.DirFS("."), name)
		if err != nil {
			t.Fatal(err)
		}
		if found := modelClient.Find(source); found != nil {
			t.Errorf("%s has %q: only jobs ask language models", name, found)
		}
	}
}

// testsMayImport holds for every package's tests, beside its row: sample worlds,
// a real database and a scripted language model. Go itself forbids what would be
// a cycle.
var testsMayImport = []string{"warehouse", "fixtures", "store", "store/storetest", "pglocal", "llm/llmtest"}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	for name := range files(t) {
		if path.Ext(name) != ".go" {
			continue
		}
		pkg := path.Dir(name)
		if strings.HasPrefix(pkg, "docs/bench/") {
			continue
		}
		allowed, listed := mayImport[pkg]
		if !listed {
			t.Errorf("%s: package %s is not in the table of packages", name, pkg)
			continue
		}
		for _, imported := range ourImports(t, name) {
			switch {
			case slices.Contains(allowed, imported):
			case strings.HasSuffix(name, "_test.go") && (imported == pkg || slices.Contains(testsMayImport, imported)):
			default:
				t.Errorf("%s: package %s may not import %s", name, pkg, imported)
			}
		}
	}
}

func ourImports(t *testing.T, name string) (ours []string) {
	t.Helper()
	source, err := fs.ReadFile(os.DirFS("."), name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if pkg, ok := strings.CutPrefix(imported, module+"/"); ok {
			ours = append(ours, pkg)
		} else if imported == module {
			ours = append(ours, ".")
		}
	}
	return ours
}

// machinePath is a place that exists only where somebody works on Tallyman.
var machinePath = regexp.MustCompile(`/` + `work/(main|shared|\.library)\b|/` + `root/`)

func TestNoFileNamesAPlaceOnOneMachine(t *testing.T) {
	root := os.DirFS(".")
	for name, info := range files(t) {
		if info.Size() > 1<<20 {
			continue // data, not prose
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		if found := machinePath.Find(text); found != nil {
			t.Errorf("%s names %s, which nobody else has", name, found)
		}
	}
}

// files are the repository's own files: not what is built, stored or fetched.
func files(t *testing.T) map[string]fs.FileInfo {
	t.Helper()
	found := map[string]fs.FileInfo{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", ".data", "bin", "node_modules"}, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if entry.Type().IsRegular() && entry.Name() != ".git" { // that of a worktree says where its repository is
			found[name], err = entry.Info()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
