package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"tallyman/audit"
)

// binaryRow has values sent as PostgreSQL has them.
var binaryRow = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// placesAtOnce is how many places of the tree are read at once.
const placesAtOnce = 4096

// placedEntries reads the log in the order of its places, on one state of the
// database: places through their index, and entries by [entryScan]. What the scan
// does not have when its place comes is found through the index.
type placedEntries struct {
	size  int64 // places to read
	nodes bool  // the hashes of the tree too
	scan  *entryScan

	using sync.Mutex // of tx
	tx    pgx.Tx
}

// placeChunk is a part of the log as the database has it.
type placeChunk struct {
	first, end int64
	nodes      []audit.Hash // of the entries that should be there
	gone       error        // what is missing of them
	text       []byte       // all streams
	places     []place
	failed     error
}

// place says which entry stands at an index.
type place struct {
	n          int64
	start, end int // of its stream in text
	seq        int
	entry      *audit.Record // nil when it is gone
}

func (k *placeChunk) stream(p *place) []byte { return k.text[p.start:p.end] }

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
	p.scan = newEntryScan()
	chunks := make(chan *placeChunk, 1)
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error {
		return db.readAudit(reading, func(tx pgx.Tx) error {
			if _, err := tx.Exec(reading, `set transaction snapshot '`+snapshot+`'`); err != nil {
				return err
			}
			return p.scan.run(reading, tx)
		})
	})
	group.Go(func() error {
		defer close(chunks)
		return p.readPlaces(reading, chunks)
	})
	group.Go(func() error {
		entries, err = p.visitAll(reading, chunks, visit)
		return err
	})
	return entries, group.Wait()
}

func (p *placedEntries) visitAll(ctx context.Context, chunks <-chan *placeChunk, visit func(*placeChunk) error) (entries int64, err error) {
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
	}
	return p.scan.rest()
}

// readPlaces reads chunks ahead of the visits.
func (p *placedEntries) readPlaces(ctx context.Context, out chan<- *placeChunk) error {
	for first := int64(0); first < p.size; first += placesAtOnce {
		k := &placeChunk{first: first, end: min(first+placesAtOnce, p.size)}
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

func (p *placedEntries) read(ctx context.Context, k *placeChunk) (err error) {
	p.using.Lock()
	defer p.using.Unlock()
	if p.nodes {
		k.nodes, err = storedHashes(ctx, p.tx, tlog.StoredHashCount(k.first), tlog.StoredHashCount(k.end))
		if f, ok := errors.AsType[*audit.Fault](err); ok {
			k.gone = f
		} else if err != nil {
			return err
		}
	}
	k.places = make([]place, 0, k.end-k.first)
	rows, _ := p.tx.Query(ctx, `select n, stream, seq from audit_leaf where n >= $1 and n < $2 order by n`, binaryRow, k.first, k.end)
	defer rows.Close()
	for rows.Next() {
		raw := rows.RawValues()
		x := place{n: int64(binary.BigEndian.Uint64(raw[0])), seq: int(int32(binary.BigEndian.Uint32(raw[2]))), start: len(k.text)}
		k.text = append(k.text, raw[1]...)
		x.end = len(k.text)
		k.places = append(k.places, x)
	}
	return rows.Err()
}

// find fills in the entries of a chunk.
func (p *placedEntries) find(ctx context.Context, k *placeChunk) (err error) {
	var missed []int
	var streams []string
	var seqs []int
	for i := range k.places {
		x := &k.places[i]
		if x.entry, err = p.scan.take(k.stream(x), x.seq, x.n); err != nil {
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
