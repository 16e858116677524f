package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"tallyman/models"
)

// modelRun runs "tallyman model" as a user would and returns what it prints.
func modelRun(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	parser, err := kong.New(&modelCmd{}, kong.Writers(&out, &out), kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	k, err := parser.Parse(args)
	if err != nil {
		return out.String(), err
	}
	err = k.Run()
	return out.String(), err
}

func mustModelRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := modelRun(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// lateLoads is a table in which risk depends on days, zone and nothing else.
func lateLoads(seed uint64, rows int) string {
	r := rand.New(rand.NewPCG(seed, 0))
	var b strings.Builder
	b.WriteString("id,days,zone,noise,late\n")
	for i := range rows {
		days, zone := r.IntN(40), []string{"A", "B", "C, cold"}[r.IntN(3)]
		risk := float64(days) / 60
		if zone != "A" {
			risk += 0.25
		}
		late := "No"
		if r.Float64() < risk {
			late = "Yes"
		}
		text := strconv.Itoa(days)
		if r.IntN(20) == 0 {
			text = ""
		}
		fmt.Fprintf(&b, "%d,%s,%q,%.3f,%s\n", i, text, zone, r.Float64(), late)
	}
	return b.String()
}

func fitted(t *testing.T, args ...string) (model, table string) {
	t.Helper()
	table = write(t, "train.csv", lateLoads(1, 3000))
	model = filepath.Join(t.TempDir(), "m.json")
	mustModelRun(t, append([]string{"fit", "--csv", table, "--label", "late", "--out", model, "--trees", "60"}, args...)...)
	return model, table
}

func TestFitReportsHowGoodTheModelIs(t *testing.T) {
	report := filepath.Join(t.TempDir(), "r.json")
	fitted(t, "--json", report, "--valid", write(t, "valid.csv", lateLoads(2, 1500)))
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if auc := got["auc"].(float64); auc < 0.68 || auc > 0.85 {
		t.Errorf("auc is %v", auc)
	}
	for field, want := range map[string]float64{"rows": 3000, "features": 4, "measured_rows": 1500} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	for _, field := range []string{"fit_seconds", "predict_seconds", "average_precision", "logloss", "brier", "ece", "best_iteration"} {
		if v, ok := got[field].(float64); !ok || v < 0 {
			t.Errorf("%s is %v", field, got[field])
		}
	}
}

func TestPredictGivesEachRowItsProbabilityAndReasons(t *testing.T) {
	model, _ := fitted(t)
	fresh := write(t, "fresh.csv", "zone,extra,noise,days,id\nB,x,0.5,39,1\nA,x,0.5,0,2\nunheard of,x,0.5,,3\n")
	out := filepath.Join(t.TempDir(), "p.csv")
	mustModelRun(t, "predict", "--model", model, "--csv", fresh, "--out", out, "--explain", "2")
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if !slices.Equal(rows[0], []string{"probability", "reason_1", "reason_2"}) {
		t.Errorf("header is %v", rows[0])
	}
	high, _ := strconv.ParseFloat(rows[1][0], 64)
	low, _ := strconv.ParseFloat(rows[2][0], 64)
	if high < 0.5 || low > 0.3 {
		t.Errorf("probabilities are %v and %v", high, low)
	}
	if !strings.HasPrefix(rows[1][1], "days = 39 (+") || !strings.HasPrefix(rows[1][2], "zone = B (+") {
		t.Errorf("reasons are %q", rows[1][1:])
	}
}

func TestSameDataSameBytesForAnyThreads(t *testing.T) {
	a, _ := fitted(t, "--threads", "1")
	b, _ := fitted(t, "--threads", "2")
	x, _ := os.ReadFile(a)
	y, _ := os.ReadFile(b)
	if len(x) == 0 || !bytes.Equal(x, y) {
		t.Errorf("%d and %d bytes differ", len(x), len(y))
	}
}

func TestConvertKeepsThePredictions(t *testing.T) {
	model, table := fitted(t)
	ubj, back := filepath.Join(t.TempDir(), "m.ubj"), filepath.Join(t.TempDir(), "back.json")
	mustModelRun(t, "convert", model, ubj)
	mustModelRun(t, "convert", ubj, back)
	x, _ := os.ReadFile(model)
	y, _ := os.ReadFile(back)
	if !bytes.Equal(x, y) {
		t.Error("JSON to UBJSON and back changes the file")
	}
	if out := mustModelRun(t, "compare", model, ubj, "--csv", table, "--resamples", "20"); strings.Count(out, "no clear difference") != 2 {
		t.Errorf("a converted model differs:\n%s", out)
	}
}

func TestEvalShowAndCompare(t *testing.T) {
	good, table := fitted(t)
	poor, _ := fitted(t, "--trees", "1", "--depth", "1", "--no-early-stopping", "--calibration", "none")
	eval := mustModelRun(t, "eval", "--model", good, "--csv", table)
	for _, want := range []string{"3000 rows", "AUC 0.8", "lift", "Overall accuracy"} {
		if !strings.Contains(eval, want) {
			t.Errorf("eval does not say %q:\n%s", want, eval)
		}
	}
	show := mustModelRun(t, "show", good, "--csv", table)
	days, noise := strings.Index(show, "\ndays"), strings.Index(show, "\nnoise")
	if days < 0 || noise < days || !strings.Contains(show, "calibrator  beta") || !strings.Contains(show, "binary:logistic") {
		t.Errorf("show:\n%s", show)
	}
	if tree := mustModelRun(t, "show", poor, "--tree", "0"); strings.Count(tree, "leaf") != 2 {
		t.Errorf("a stump is shown as\n%s", tree)
	}
	if out := mustModelRun(t, "compare", poor, good, "--csv", table, "--resamples", "50"); strings.Count(out, "better") != 2 {
		t.Errorf("compare:\n%s", out)
	}
}

func TestMonotoneIsKept(t *testing.T) {
	model, _ := fitted(t, "--monotone", "days:+,noise:-")
	m, err := readModel(model)
	if err != nil {
		t.Fatal(err)
	}
	row := []float32{0, 0, 1, 0.5}
	before := float32(-100)
	for days := range 60 {
		row[1] = float32(days)
		margin := m.Margin(row)
		if margin < before {
			t.Fatalf("margin falls to %v at %d days", margin, days)
		}
		before = margin
	}
}

func TestAModelTrainedElsewhereTakesColumnsInOrder(t *testing.T) {
	const name = "../../models/testdata/xgboost/logistic"
	table := write(t, "t.csv", "p,q,r,s,t,u\n1,2,3,4,5,6\n,,,,,\n")
	out := filepath.Join(t.TempDir(), "p.csv")
	mustModelRun(t, "predict", "--model", name+".ubj", "--csv", table, "--out", out)
	m, err := readModel(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(out)
	want := m.Predict([]float32{1, 2, 3, 4, 5, 6})
	if !strings.HasPrefix(string(got), "probability\n"+strconv.FormatFloat(want, 'g', -1, 64)+"\n") {
		t.Errorf("got %s, want %v first", got, want)
	}
}

func TestWrongTablesAreRefusedWithAReason(t *testing.T) {
	tests := []struct{ name, csv, label, want string }{
		{"no such label", "a,b\n1,0\n", "c", `no column "c"; there are a, b`},
		{"empty", "", "a", "the file is empty"},
		{"header only", "a,y\n", "y", "dataset has 0 rows"},
		{"one cell is garbage", "a,y\n1,0\n2,1\nx7,0\n", "y", `line 4, column a: "x7" is not a number, but 2 other cells are`},
		{"infinite", "a,y\n1,0\n-Inf,1\n", "y", `line 3: column a: "-Inf" is not a finite 32-bit number`},
		{"too large", "a,y\n1e99,0\n", "y", `column a: "1e99" is not a finite`},
		{"blank label", "a,y\n1,0\n2,\n", "y", `line 3: label y is ""`},
		{"three labels", "a,y\n1,lo\n2,mid\n3,hi\n", "y", "label y has the values"},
		{"label 2", "a,y\n1,0\n2,2\n", "y", `line 3: label y is "2", want 0 or 1`},
		{"ragged", "a,y\n1,0\n2\n", "y", "wrong number of fields"},
		{"a column named twice", "a,a,y\n1,2,0\n", "y", `column "a" is named twice`},
		{"nothing but the label", "y\n1\n0\n", "y", `"y" is the only column`},
		{"semicolons", "a;y\n1;0\n", "y", `there are a;y alone; are the cells separated by commas?`},
		{"no text at all", "\xff\xfe,y\n1,0\n", "y", "the name of column 1 is not UTF-8 text; is this a CSV file?"},
		{"Latin-1", "a,y\nK\xe4se,0\n", "y", `line 2: column a: "K\xe4se" is not UTF-8 text`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "m.json")
			_, err := modelRun(t, "fit", "--csv", write(t, "t.csv", tt.csv), "--label", tt.label, "--out", out, "--no-early-stopping", "--no-calibration")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a model was written")
			}
		})
	}
	model, _ := fitted(t)
	_, err := modelRun(t, "predict", "--model", model, "--csv", write(t, "t.csv", "days,zone\n1,A\n"), "--out", "-")
	if err == nil || !strings.Contains(err.Error(), `no column "id", which the model needs`) {
		t.Errorf("error is %v", err)
	}
}

func TestWhatCannotBeReadOrWrittenIsNamed(t *testing.T) {
	model, table := fitted(t)
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, "cut.csv.gz", gzipped(t, text)[:2000])
	headerOnly := write(t, "h.csv", "id,days,zone,noise,late\n")
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"fit", "--csv", "nowhere.csv", "--label", "late", "--out", "m.json"}, "nowhere.csv: no such file"},
		{[]string{"fit", "--csv", table, "--label", "late", "--out", "nowhere/m.json"}, "nowhere/m.json cannot be written: there is no folder nowhere"},
		{[]string{"fit", "--csv", cut, "--label", "late", "--out", "m.json"}, "cut.csv.gz: the gzipped file ends too early"},
		{[]string{"fit", "--csv", table, "--label", "late", "--out", "m.json", "--monotone", "dasy:+"}, `--monotone: no column "dasy"; there are id, days`},
		{[]string{"fit", "--csv", table, "--label", "late", "--out", table}, "train.csv would be overwritten"},
		{[]string{"fit", "--csv", table, "--label", "late", "--out", "m.json", "--json", "./m.json"}, "m.json would be overwritten"},
		{[]string{"fit", "--csv", table, "--label", "late", "--out", "."}, ". cannot be written: it is a folder"},
		{[]string{"predict", "--model", model, "--csv", table, "--out", model}, "would be overwritten"},
		{[]string{"eval", "--model", model, "--csv", table, "--label", "late", "--json", table}, "train.csv would be overwritten"},
		{[]string{"eval", "--model", model, "--csv", headerOnly}, "h.csv: no rows below the header"},
		{[]string{"eval", "--model", table, "--csv", table}, "train.csv: model: neither JSON nor UBJSON"},
		{[]string{"show", model, "--tree", "9999"}, "tree 9999 does not exist"},
	}
	for _, tt := range tests {
		if _, err := modelRun(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: error is %v, want one with %q", tt.args, err, tt.want)
		}
	}
}

func gzipped(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGzippedFilesAreReadWhateverTheirName(t *testing.T) {
	model, table := fitted(t)
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	zipped := mustModelRun(t, "eval", "--model", model, "--csv", write(t, "zipped.csv", gzipped(t, text)))
	plain := mustModelRun(t, "eval", "--model", model, "--csv", write(t, "plain.csv.gz", string(text)))
	after := func(out string) string { _, rest, _ := strings.Cut(out, "\n"); return rest } // the first line has the time
	if after(zipped) != after(plain) || !strings.Contains(plain, "AUC 0.8") {
		t.Errorf("gzipped:\n%s\nplain:\n%s", zipped, plain)
	}
}

func TestUnknownTextsAreCounted(t *testing.T) {
	s := tableSchema{Categories: map[string][]string{"zone": {"A", "B"}}}
	columns := s.columns([]string{"zone"})
	for i, cell := range []string{"A", "", "C", "B", "D"} {
		x, err := columns[0].encode(i+2, cell)
		if known := cell == "A" || cell == "B"; err != nil || (x == x) != known {
			t.Errorf("%q is %v, %v", cell, x, err)
		}
	}
	var out bytes.Buffer
	columns[0].warn(&out, "t.csv", 5)
	if want := `t.csv: column zone: 2 of 5 rows hold a text that the model does not know, first "C" in line 4; they count as missing` + "\n"; out.String() != want {
		t.Errorf("warning is %q", out.String())
	}
}

func TestTypesComeFromTheWholeColumn(t *testing.T) {
	text := "blank_first,code,word,empty,y\n,10,NA,,0\n5,10,red,,1\nNA,20,,,0\n"
	features, s, err := scanTable(readOnce(write(t, "t.csv", text)), "y", []string{"code"})
	if err != nil {
		t.Fatal(err)
	}
	kinds := s.kinds(features)
	want := []models.Kind{models.Numeric, models.Categorical, models.Categorical, models.Numeric}
	if !slices.Equal(kinds, want) {
		t.Errorf("kinds are %v, want %v", kinds, want)
	}
	if !slices.Equal(s.Categories["code"], []string{"10", "20"}) || !slices.Equal(s.Categories["word"], []string{"NA", "red"}) {
		t.Errorf("categories are %v", s.Categories)
	}
}
