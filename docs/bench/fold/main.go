// Command fold times the feature fold over a simulated year of movements, with
// a vector read at every count, and writes the same movements for a peer.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"tallyman/features"
	"tallyman/warehouse"
)

func main() {
	n := flag.Int("events", 10_000_000, "how many events")
	threads := flag.Int("threads", 2, "threads of the fold")
	rows := flag.String("rows", "", "write what each event does to a position to this CSV file instead of folding")
	flag.Parse()
	debug.SetGCPercent(400) // as the commands that replay a history do
	if *rows != "" {
		check(write(*rows, *n))
		return
	}
	check(fold(*n, *threads))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fold:", err)
		os.Exit(1)
	}
}

// events yields n events of a year over n/10 positions at four sites: half
// picks, a tenth counts. A SKU has two of two hundred locations.
func events(n int, yield func(*warehouse.Event) error) error {
	rng := rand.New(rand.NewPCG(1, 1))
	names := func(prefix string, n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = prefix + strconv.Itoa(i)
		}
		return list
	}
	sites, skus, users := names("S", 4), names("K", max(1, n/80)), names("u", 60)
	locations := make([]warehouse.Location, 200)
	for i := range locations {
		locations[i] = warehouse.Location(fmt.Sprintf("%c-%d", 'A'+i/10, i))
	}
	mix := []warehouse.Type{
		warehouse.Pick, warehouse.Pick, warehouse.Pick, warehouse.Pick, warehouse.Pick,
		warehouse.Putaway, warehouse.Receipt, warehouse.PickException, warehouse.Adjustment, warehouse.Count,
	}
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	step := 365 * 24 * time.Hour / time.Duration(n)
	for i := range n {
		sku, which := rng.IntN(len(skus)), rng.IntN(2)
		here, there := locations[(sku*7+which*101)%200], locations[(sku*7+(1-which)*101)%200]
		e := warehouse.Event{
			Type: mix[rng.IntN(len(mix))], OccurredAt: start.Add(time.Duration(i) * step).Truncate(time.Microsecond),
			Site: warehouse.Site(sites[rng.IntN(4)]), SKU: warehouse.SKU(skus[sku]), User: warehouse.User(users[rng.IntN(60)]),
			Qty: warehouse.Some(warehouse.Qty(1+rng.IntN(20)) * warehouse.Unit),
		}
		switch e.Type {
		case warehouse.Pick:
			e.From = here
		case warehouse.Putaway:
			e.From, e.To = here, there
		case warehouse.Receipt:
			e.To = here
		default:
			e.Location = here
		}
		if err := yield(&e); err != nil {
			return err
		}
	}
	return nil
}

// fold prints one JSON object: time, processor time, and sums of features for
// comparison with the peer.
func fold(n, threads int) error {
	state := features.NewState()
	facts := make([]features.Fact, 0, n)
	err := events(n, func(e *warehouse.Event) error {
		facts = append(facts, state.Encode(e))
		return nil
	})
	if err != nil {
		return err
	}
	schema := features.NewSchema(features.PositionSubject)
	runtime.GC()
	began, used := time.Now(), cpu()
	examples, err := state.Replay(context.Background(), facts, &schema, threads)
	if err != nil {
		return err
	}
	out := map[string]any{"program": "tallyman", "events": n, "vectors": len(examples), "features": schema.Width()}
	out["seconds"], out["cpu"] = time.Since(began).Seconds(), (cpu() - used).Seconds()
	sums := map[string]float64{}
	for _, name := range []string{
		"moves_7", "moves_28", "moves_90", "moves_365", "exceptions_28", "exceptions_90", "adjusts_90", "adjust_qty_90",
		"out_30", "out_mean", "out_trend", "out_spread", "in_30", "in_mean", "in_trend",
	} {
		column := schema.Index(name)
		for i := range examples {
			if x := float64(examples[i].Vector[column]); x == x {
				sums[name] += x
			}
		}
	}
	out["sums"] = sums
	return json.NewEncoder(os.Stdout).Encode(out)
}

func cpu() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// write writes a row for every position that an event touches: instant in
// microseconds, position by numbers, what it was (m move, x pick exception, a
// adjustment, c count) and the signed quantity.
func write(path string, n int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprintln(w, "t,site,sku,location,kind,qty")
	err = events(n, func(e *warehouse.Event) error {
		row := func(l warehouse.Location, kind string, qty warehouse.Qty) error {
			_, err := fmt.Fprintf(w, "%d,%s,%s,%s,%s,%d\n", e.OccurredAt.UnixMicro(), e.Site[1:], e.SKU[1:], l[2:], kind, qty)
			return err
		}
		switch e.Type {
		case warehouse.Pick:
			return row(e.From, "m", -e.Qty.Qty)
		case warehouse.Receipt:
			return row(e.To, "m", e.Qty.Qty)
		case warehouse.Putaway:
			if err := row(e.From, "m", -e.Qty.Qty); err != nil {
				return err
			}
			return row(e.To, "m", e.Qty.Qty)
		case warehouse.PickException:
			return row(e.Location, "x", e.Qty.Qty)
		case warehouse.Count:
			return row(e.Location, "c", e.Qty.Qty)
		default:
			return row(e.Location, "a", e.Qty.Qty)
		}
	})
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}
