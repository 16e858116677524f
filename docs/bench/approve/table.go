package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

//go:embed peer.sql
var peerScript []byte

// printTables writes the medians of a file of results as Markdown.
func printTables(w io.Writer, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	groups := map[string][]result{}
	var order []string
	for line := range bytes.Lines(text) {
		var r result
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		key := fmt.Sprint(r.Part, r.Program, r.Clients)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], r)
	}
	at := func(key string) result { return median(groups[key]) }
	fmt.Fprint(w, "## Approvals\n\n| clients | | per second | p50 ms | p95 ms | p99 ms | CPU ms each, client + server | rows |\n|---|---|---|---|---|---|---|---|\n")
	for _, key := range order {
		if r := at(key); r.Part == "approve" {
			fmt.Fprintf(w, "| %d | %s | %.0f | %.1f | %.1f | %.1f | %.2f + %.2f | %.0f |\n",
				r.Clients, r.Program, r.rate(), r.P50, r.P95, r.P99, r.Client, r.Server, r.Rows)
		}
	}
	fmt.Fprint(w, "\n| clients | Tallyman's transactions per second over pgbench's | by processor time |\n|---|---|---|\n")
	for _, key := range order {
		if r := at(key); r.Part == "approve" && r.Program == "tallyman" {
			p := at(fmt.Sprint(r.Part, "pgbench", r.Clients))
			fmt.Fprintf(w, "| %d | %.2f | %.2f |\n", r.Clients, r.rate()/p.rate(), (p.Client+p.Server)/(r.Client+r.Server))
		}
	}
	fmt.Fprint(w, "\n## What the audit entry adds\n\n| clients | approvals | to the mean | to the median | median without it, ms |\n|---|---|---|---|---|\n")
	for _, key := range order {
		if r := at(key); r.Part == "audit" {
			fmt.Fprintf(w, "| %d | %d | %.0f %% | %.0f %% | %.1f |\n", r.Clients, r.Count, r.Adds, r.Adds50, r.P50)
		}
	}
	fmt.Fprint(w, "\n## Commands\n\n| | entries or steps | s | per second | CPU s, program + PostgreSQL |\n|---|---|---|---|---|\n")
	for _, key := range order {
		if r := at(key); r.Part == "commands" {
			fmt.Fprintf(w, "| %s | %d | %.2f | %.0f | %.1f + %.1f |\n", r.Program, r.Count, r.Seconds, r.rate(), r.ClientSeconds, r.ServerSeconds)
		}
	}
	return nil
}

// median is the result with the median time; of two, the quicker one.
func median(all []result) result {
	if len(all) == 0 {
		return result{}
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b result) int {
		switch {
		case a.Seconds < b.Seconds:
			return -1
		case a.Seconds > b.Seconds:
			return 1
		}
		return 0
	})
	return sorted[(len(sorted)-1)/2]
}
