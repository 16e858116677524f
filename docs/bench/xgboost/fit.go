//go:build ignore

// Command fit trains on the tables of data.go and writes NAME.tallyman.p, the
// probabilities of the test rows, and one line of JSON with what it cost.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tallyman/models"
)

func main() {
	dir := flag.String("dir", "", "directory of the tables")
	name := flag.String("name", "", "table")
	threads := flag.Int("threads", 1, "threads")
	profile := flag.String("cpuprofile", "", "write a CPU profile here")
	flag.Parse()
	log.SetFlags(0)
	runtime.GOMAXPROCS(*threads)
	train, test := load(*dir, *name, "train"), load(*dir, *name, "test")
	p := models.DefaultParams()
	p.Threads = *threads

	debug.FreeOSMemory()
	check(os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
	input := status("VmRSS:")
	if *profile != "" {
		f, err := os.Create(*profile)
		check(err)
		check(pprof.StartCPUProfile(f))
	}
	cpu, wall := cpuSeconds(), time.Now()
	model, _, err := models.Fit(context.Background(), train, nil, p, nil)
	check(err)
	cpu, seconds := cpuSeconds()-cpu, time.Since(wall).Seconds()
	pprof.StopCPUProfile()
	peak := status("VmHWM:") - input

	out := make([]float32, test.X.Rows)
	for r := range out {
		out[r] = float32(model.Predict(test.X.Row(r)))
	}
	f, err := os.Create(filepath.Join(*dir, *name+".tallyman.p"))
	check(err)
	check(binary.Write(f, binary.LittleEndian, out))
	check(f.Close())
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"table": *name, "learner": "tallyman", "threads": *threads,
		"cpu_s": round(cpu), "wall_s": round(seconds), "peak_mb": round(peak / 1024),
	}))
}

func load(dir, name, part string) models.Dataset {
	text, err := os.ReadFile(filepath.Join(dir, name+".cols"))
	check(err)
	cols, err := strconv.Atoi(string(text))
	check(err)
	y := floats(filepath.Join(dir, name+"."+part+".y"))
	d := models.Dataset{Y: y, X: models.Matrix{Rows: len(y), Cols: cols}}
	d.X.Data = floats(filepath.Join(dir, name+"."+part+".x"))
	for c := range cols {
		d.Names = append(d.Names, fmt.Sprintf("f%d", c))
	}
	return d
}

func floats(path string) []float32 {
	b, err := os.ReadFile(path)
	check(err)
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

func cpuSeconds() float64 {
	var r syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

// status reads a memory figure of this process, in kB.
func status(field string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	_, rest, _ := strings.Cut(string(text), field)
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	check(err)
	return kb
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
