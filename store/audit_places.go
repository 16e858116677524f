package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"tallyman/audit"
)

// placesAtOnce is how many places of the tree are read at once.
const placesAtOnce = 4096

// placedEntries reads the log in the order of its places, on one state of the
// database: places and hashes as they are [numbered], and entries by [entryScan].
// What the scan does not have when its place comes is found through the index.
type placedEntries struct {
	size   int64 // places to read
	hashes bool  // those of the tree too

	places, nodes numbered
	scan          *entryScan

	using sync.Mutex // of tx
	tx    pgx.Tx
}

func newPlacedEntries(tx pgx.Tx, size int64, hashes bool) *placedEntries {
	return &placedEntries{
		size: size, hashes: hashes, tx: tx, scan: newEntryScan(),
		places: numbered{table: "audit_leaf", columns: "n, stream, seq"},
		nodes:  numbered{table: "audit_node", columns: "n, hash"},
	}
}

// placeChunk is a part of the log as the database has it. Where a place is gone, it
// ends before that.
type placeChunk struct {
	first, end int64
	places     []place
	text       []byte       // all streams
	nodes      []audit.Hash // of the entries that should be there
	gone       error        // what is missing of them
	failed     error
}

// place says which entry stands at an index.
type place struct {
	start, end int // of its stream in text
	seq        int
	entry      *audit.Record // nil when it is gone
}

func (k *placeChunk) stream(p *place) []byte { return k.text[p.start:p.end] }

// there says what is missing of the i-th place.
func (k *placeChunk) there(i int) error {
	at := k.first + int64(i)
	if i >= len(k.places) {
		return &audit.Fault{Index: at, What: "no entry has this place any more: it was removed"}
	}
	if x := &k.places[i]; x.entry == nil {
		return &audit.Fault{Index: at, What: fmt.Sprintf("entry %d of %s is gone: it was removed", x.seq, k.stream(x))}
	}
	return nil
}

// each calls visit for one chunk after the other and returns how many entries there
// are, those included that have no place. The transaction can export its snapshot.
func (p *placedEntries) each(ctx context.Context, db *DB, visit func(*placeChunk) error) (entries int64, err error) {
	if db.pool.Stat().MaxConns() < 2 {
		return 0, errors.New("the audit log is read over two connections: set pool_max_conns in the database URL to 2 or more")
	}
	var snapshot string
	if err := p.tx.QueryRow(ctx, `select pg_export_snapshot()`).Scan(&snapshot); err != nil {
		return 0, err
	}
	chunks, used := make(chan *placeChunk, 1), make(chan *placeChunk, 2)
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(p.scan.chunks)
		p.scan.failed = db.readAudit(reading, func(tx pgx.Tx) error {
			if _, err := tx.Exec(reading, `set transaction snapshot '`+snapshot+`'`); err != nil {
				return err
			}
			return p.scan.readAll(reading, tx)
		})
		return p.scan.failed
	})
	group.Go(func() error {
		defer close(chunks)
		return p.readPlaces(reading, chunks, used)
	})
	group.Go(func() (err error) {
		entries, err = p.visitAll(reading, chunks, used, visit)
		return err
	})
	err = group.Wait()
	return entries, err
}

func (p *placedEntries) visitAll(ctx context.Context, chunks <-chan *placeChunk, used chan<- *placeChunk, visit func(*placeChunk) error) (entries int64, err error) {
	for k := range chunks {
		if k.failed != nil {
			return 0, k.failed
		}
		if err := p.find(ctx, k); err != nil {
			return 0, err
		}
		if err := visit(k); err != nil {
			return 0, err
		}
		p.scan.release()
		select {
		case used <- k:
		default:
		}
	}
	return p.scan.rest()
}

// readPlaces reads chunks ahead of the visits, into used ones where there are some.
func (p *placedEntries) readPlaces(ctx context.Context, out chan<- *placeChunk, used <-chan *placeChunk) error {
	for first := int64(0); first < p.size; first += placesAtOnce {
		k := &placeChunk{}
		select {
		case k = <-used:
		default:
		}
		k.first, k.end = first, min(first+placesAtOnce, p.size)
		k.failed = p.read(ctx, k)
		select {
		case out <- k:
		case <-ctx.Done():
			return ctx.Err()
		}
		if k.failed != nil {
			return k.failed
		}
	}
	return nil
}

func (p *placedEntries) read(ctx context.Context, k *placeChunk) error {
	p.using.Lock()
	defer p.using.Unlock()
	k.text, k.places, k.nodes, k.gone = k.text[:0], k.places[:0], k.nodes[:0], nil
	err := p.places.fetch(ctx, p.tx, k.end-k.first, func(raw [][]byte) error {
		seq, err := number(raw[2], "audit_leaf.seq", k.first+int64(len(k.places)))
		start := len(k.text)
		k.text = append(k.text, raw[1]...)
		k.places = append(k.places, place{start: start, end: len(k.text), seq: int(seq)})
		return err
	})
	if err != nil || !p.hashes {
		return err
	}
	first, last := tlog.StoredHashCount(k.first), tlog.StoredHashCount(k.end)
	err = p.nodes.fetch(ctx, p.tx, last-first, func(raw [][]byte) error {
		if len(raw[1]) == tlog.HashSize && k.gone == nil {
			k.nodes = append(k.nodes, audit.Hash(raw[1]))
		} else if k.gone == nil {
			k.gone = errHashGone(first + int64(len(k.nodes)))
		}
		return nil
	})
	if n := int64(len(k.nodes)); n < last-first && k.gone == nil {
		k.gone = errHashGone(first + n)
	}
	return err
}

// find fills in the entries of a chunk.
func (p *placedEntries) find(ctx context.Context, k *placeChunk) (err error) {
	var missed []int
	var streams []string
	var seqs []int
	for i := range k.places {
		x := &k.places[i]
		if x.entry, err = p.scan.take(k.stream(x), x.seq, k.first+int64(i)); err != nil {
			return err
		}
		if x.entry == nil {
			missed, streams, seqs = append(missed, i), append(streams, string(k.stream(x))), append(seqs, x.seq)
		}
	}
	if len(missed) == 0 {
		return nil
	}
	p.using.Lock()
	defer p.using.Unlock()
	rows, _ := p.tx.Query(ctx, `
		select wanted.place, e.body
		from unnest($1::text[], $2::int[]) with ordinality wanted (stream, seq, place)
		cross join lateral (
			select body
			from audit_entry
			where stream = wanted.stream and seq = wanted.seq
			limit 1) e`, streams, seqs)
	var at int
	var body []byte
	_, err = pgx.ForEachRow(rows, []any{&at, &body}, func() error {
		record := audit.Read(bytes.Clone(body))
		k.places[missed[at-1]].entry = &record
		return nil
	})
	return err
}
