package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/warehouse"
)

// batch is what one intake transaction takes in: rows ready to be copied, so
// that nothing is left to compute while the head is locked.
type batch struct {
	rows   []stagedRow
	events []byte             // rows of event for a binary COPY
	bodies []byte             // canonical JSON, which is what is hashed
	months map[time.Time]bool // first days, UTC
	month  monthSpan          // of the last row
}

type stagedRow struct {
	source, id, site string
	currency         warehouse.Currency
	occurredAt       int64
	hash             [sha256.Size]byte
	eventEnd         int // where its row ends in events
	bodyEnd          int
	outcome          Outcome
}

// monthSpan spares computing a calendar for every row: neighbours share months.
type monthSpan struct{ from, to int64 }

func (b *batch) reset() {
	b.rows, b.events, b.bodies = b.rows[:0], b.events[:0], b.bodies[:0]
	clear(b.months)
	b.month = monthSpan{}
}

func (b *batch) add(e *warehouse.Event) {
	start := len(b.bodies)
	b.bodies = e.AppendJSON(b.bodies)
	b.events = appendEventRow(b.events, e)
	b.rows = append(b.rows, stagedRow{
		source: string(e.Source), id: e.ID, site: string(e.Site), currency: e.Cost.Currency,
		occurredAt: pgMicros(e.OccurredAt),
		hash:       sha256.Sum256(b.bodies[start:]),
		eventEnd:   len(b.events), bodyEnd: len(b.bodies),
	})
	b.addMonth(e.OccurredAt)
}

func (b *batch) addMonth(t time.Time) {
	if at := t.UnixMicro(); b.month.from <= at && at < b.month.to {
		return
	}
	t = t.UTC()
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	if b.months == nil {
		b.months = make(map[time.Time]bool)
	}
	b.months[first] = true
	b.month = monthSpan{first.UnixMicro(), first.AddDate(0, 1, 0).UnixMicro()}
}

func (b *batch) row(i int) []byte {
	start := 0
	if i > 0 {
		start = b.rows[i-1].eventEnd
	}
	return b.events[start:b.rows[i].eventEnd]
}

func (b *batch) body(i int) []byte {
	start := 0
	if i > 0 {
		start = b.rows[i-1].bodyEnd
	}
	return b.bodies[start:b.rows[i].bodyEnd]
}

// accept answers every row with Accepted, until something says otherwise.
func (b *batch) accept() {
	for i := range b.rows {
		b.rows[i].outcome = Outcome{Answer: Accepted}
	}
}

// findKeys answers the rows whose key is in the database. The head is locked,
// so nobody can add one afterwards.
func (b *batch) findKeys(ctx context.Context, tx pgx.Tx) error {
	sources, ids := make([]string, len(b.rows)), make([]string, len(b.rows))
	for i := range b.rows {
		sources[i], ids[i] = b.rows[i].source, b.rows[i].id
	}
	// The limit keeps the planner to one index probe per key.
	rows, _ := tx.Query(ctx, `
		select i.n - 1, k.seq, k.hash
		from unnest($1::text[], $2::text[]) with ordinality as i (source, id, n)
		cross join lateral (
			select seq, hash
			from event_key
			where source = i.source and id = i.id
			limit 1) as k`, sources, ids)
	var i int
	var seq Seq
	var hash []byte
	_, err := pgx.ForEachRow(rows, []any{&i, &seq, &hash}, func() error {
		b.rows[i].outcome = answerTo(&b.rows[i], seq, hash)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for events that are there: %w", err)
	}
	return nil
}

// number gives every accepted row its place after the head and returns how many
// there are. A checked key that comes twice in the batch is accepted once.
func (b *batch) number(head eventHead, in intake) int {
	type key struct{ source, id string }
	first := make(map[key]int)
	recordedAt := pgMicros(head.recordedAt)
	seq := head.seq
	for i := range b.rows {
		r := &b.rows[i]
		if r.outcome.Answer != Accepted {
			continue
		}
		if in.checked {
			if j, again := first[key{r.source, r.id}]; again {
				r.outcome = answerTo(r, b.rows[j].outcome.Seq, b.rows[j].hash[:])
				continue
			}
			first[key{r.source, r.id}] = i
		}
		seq++
		r.outcome.Seq = seq
		knownAt := r.occurredAt
		if !in.history {
			knownAt = max(knownAt, recordedAt)
		}
		stampEventRow(b.row(i), seq, recordedAt, knownAt)
	}
	return int(seq - head.seq)
}

// answerTo answers a row whose key the event seq holds.
func answerTo(r *stagedRow, seq Seq, hash []byte) Outcome {
	if bytes.Equal(hash, r.hash[:]) {
		return Outcome{Duplicate, seq}
	}
	return Outcome{Conflict, seq}
}

var copyHeader = append([]byte("PGCOPY\n\xff\r\n\x00"), 0, 0, 0, 0, 0, 0, 0, 0)

var copyTrailer = []byte{0xff, 0xff}

// copyIn copies the accepted rows into event_key, where a key that is there
// fails the batch early, and into event.
func (b *batch) copyIn(ctx context.Context, tx pgx.Tx) error {
	keys, events := slices.Clone(copyHeader), []io.Reader{bytes.NewReader(copyHeader)}
	start, end := 0, 0 // of a run of accepted rows
	for i := range b.rows {
		r := &b.rows[i]
		if r.outcome.Answer != Accepted {
			continue
		}
		keys = binary.BigEndian.AppendUint16(keys, 4)
		keys = appendText(keys, r.source)
		keys = appendText(keys, r.id)
		keys = appendInt64(keys, int64(r.outcome.Seq))
		keys = appendBytes(keys, r.hash[:])
		if rowStart := r.eventEnd - len(b.row(i)); rowStart != end {
			events = append(events, bytes.NewReader(b.events[start:end]))
			start = rowStart
		}
		end = r.eventEnd
	}
	keys = append(keys, copyTrailer...)
	events = append(events, bytes.NewReader(b.events[start:end]), bytes.NewReader(copyTrailer))
	c := tx.Conn().PgConn()
	if _, err := c.CopyFrom(ctx, bytes.NewReader(keys), `copy event_key (source, id, seq, hash) from stdin (format binary)`); err != nil {
		return fmt.Errorf("copy event keys: %w", err)
	}
	if _, err := c.CopyFrom(ctx, io.MultiReader(events...), `copy event (`+eventColumns+`) from stdin (format binary)`); err != nil {
		return fmt.Errorf("copy events: %w", err)
	}
	return nil
}

// siteRows are the sites of the accepted rows, as columns.
type siteRows struct {
	codes      []string
	currencies []string
	lastSeqs   []int64
}

func (b *batch) touched() siteRows {
	var s siteRows
	at := make(map[string]int)
	for i := range b.rows {
		r := &b.rows[i]
		if r.outcome.Answer != Accepted {
			continue
		}
		n, ok := at[r.site]
		if !ok {
			n = len(s.codes)
			at[r.site] = n
			s.codes = append(s.codes, r.site)
			s.currencies = append(s.currencies, string(warehouse.NoCurrency))
			s.lastSeqs = append(s.lastSeqs, 0)
		}
		s.lastSeqs[n] = int64(r.outcome.Seq)
		if s.currencies[n] == string(warehouse.NoCurrency) && r.currency != "" {
			s.currencies[n] = string(r.currency)
		}
	}
	return s
}
