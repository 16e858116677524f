//go:build ignore

// Command data writes the tables of the XGBoost comparison as raw
// little-endian float32: NAME.train.x, NAME.train.y, NAME.test.x, NAME.test.y
// and NAME.cols, the number of columns.
//
//	go run data.go -out DIR [-data TALLYMAN_DATA/tabular] [-seeds 3] [-rows 1000000]
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

type table struct {
	cols int
	x, y []float32
}

func (t table) rows() int { return len(t.y) }

func main() {
	out := flag.String("out", "", "directory to write to")
	data := flag.String("data", "", "directory of the public tables; empty skips them")
	seeds := flag.Int("seeds", 3, "number of splits of each table")
	rows := flag.Int("rows", 1_000_000, "training rows of the large synthetic table")
	flag.Parse()
	log.SetFlags(0)
	split(*out, "synthetic", synthetic(*rows+*rows/5, 1), *rows)
	for seed := range *seeds {
		split(*out, fmt.Sprintf("synthetic200k.%d", seed+1), synthetic(300_000, uint64(seed+11)), 200_000)
	}
	if *data == "" {
		return
	}
	for _, t := range []struct {
		name, label, drop string
		files             []string
	}{
		{"backorders", "went_on_backorder", "sku", []string{"backorders.csv.gz"}},
		{"adult", "label", "", []string{"adult_train.csv.gz", "adult_test.csv.gz"}},
		{"credit_default", "label", "", []string{"credit_default.csv.gz"}},
		{"higgs7k", "label", "", []string{"higgs7k_train.csv.gz", "higgs7k_test.csv.gz"}},
	} {
		all := read(*data, t.files, t.label, t.drop)
		for seed := range *seeds {
			shuffled := shuffle(all, uint64(seed+1))
			split(*out, fmt.Sprintf("%s.%d", t.name, seed+1), shuffled, shuffled.rows()*7/10)
		}
	}
}

// synthetic is a warehouse-like table of 30 columns: quantities and values
// (log-normal), movement counts, ordinal classes, days since something, three
// per cent missing, and two per cent of rows positive.
func synthetic(rows int, seed uint64) table {
	random := rand.New(rand.NewPCG(seed, 30))
	const cols = 30
	t := table{cols: cols, x: make([]float32, rows*cols), y: make([]float32, rows)}
	for r := range rows {
		x := t.x[r*cols : (r+1)*cols]
		for c := range x {
			x[c] = cell(random, c)
		}
		if random.Float64() < 1/(1+math.Exp(-risk(x))) {
			t.y[r] = 1
		}
		for c := range x {
			if random.Float64() < 0.03 {
				x[c] = float32(math.NaN())
			}
		}
	}
	return t
}

func cell(random *rand.Rand, c int) float32 {
	switch {
	case c < 12: // quantities, values
		return float32(math.Exp(random.NormFloat64()))
	case c < 18: // counts of movements
		return float32(math.Floor(math.Exp(1.5 * random.NormFloat64())))
	case c < 24: // classes
		return float32(random.IntN(3 + 2*(c-18)))
	default: // days since
		return float32(math.Floor(random.ExpFloat64() * 30))
	}
}

func risk(x []float32) float64 {
	ln := func(c int) float64 { return math.Log(float64(x[c])) }
	move := func(c int) float64 { return math.Log1p(float64(x[c])) }
	s := -6.1 + 0.7*ln(0) - 0.5*ln(1) + 0.4*ln(2)*ln(3) + 0.3*math.Abs(ln(4))
	s += 0.6*move(12) - 0.3*move(13) + 0.25*move(14)*float64(x[18])
	s += 0.02*float64(x[24]) + 0.01*float64(x[25])*math.Tanh(ln(5))
	if x[19] == 2 && x[26] > 20 {
		s += 1
	}
	return s
}

// read loads tables with a header line; text becomes integers in the order
// of appearance, blanks become NaN.
func read(dir string, files []string, label, drop string) table {
	var t table
	codes := map[[2]string]float32{}
	next := map[string]float32{}
	for _, name := range files {
		header, records := readCSV(filepath.Join(dir, name))
		for _, record := range records {
			for c, text := range record {
				switch header[c] {
				case drop:
				case label:
					t.y = append(t.y, labelOf(text))
				default:
					t.x = append(t.x, number(header[c], text, codes, next))
				}
			}
		}
	}
	t.cols = len(t.x) / len(t.y)
	return t
}

func readCSV(path string) (header []string, records [][]string) {
	f, err := os.Open(path)
	check(err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(err)
	records, err = csv.NewReader(z).ReadAll()
	check(err)
	return records[0], records[1:]
}

func labelOf(text string) float32 {
	if slices.Contains([]string{"1", "1.0", "Yes"}, text) {
		return 1
	}
	return 0
}

func number(column, text string, codes map[[2]string]float32, next map[string]float32) float32 {
	if text == "" {
		return float32(math.NaN())
	}
	if v, err := strconv.ParseFloat(text, 32); err == nil {
		return float32(v)
	}
	key := [2]string{column, text}
	if _, known := codes[key]; !known {
		codes[key] = next[column]
		next[column]++
	}
	return codes[key]
}

func shuffle(t table, seed uint64) table {
	s := table{cols: t.cols}
	for _, r := range rand.New(rand.NewPCG(seed, 7)).Perm(t.rows()) {
		s.x = append(s.x, t.x[r*t.cols:(r+1)*t.cols]...)
		s.y = append(s.y, t.y[r])
	}
	return s
}

func split(dir, name string, t table, train int) {
	write(filepath.Join(dir, name+".train.x"), t.x[:train*t.cols])
	write(filepath.Join(dir, name+".train.y"), t.y[:train])
	write(filepath.Join(dir, name+".test.x"), t.x[train*t.cols:])
	write(filepath.Join(dir, name+".test.y"), t.y[train:])
	check(os.WriteFile(filepath.Join(dir, name+".cols"), []byte(strconv.Itoa(t.cols)), 0o644))
	positives := 0.0
	for _, y := range t.y {
		positives += float64(y)
	}
	log.Printf("%s: %d + %d rows, %d columns, %.2f %% positive",
		name, train, t.rows()-train, t.cols, 100*positives/float64(t.rows()))
}

func write(path string, values []float32) {
	f, err := os.Create(path)
	check(err)
	w := bufio.NewWriterSize(f, 1<<20)
	check(binary.Write(w, binary.LittleEndian, values))
	check(w.Flush())
	check(f.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
