package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"tallyman/audit"
)

// placedEntries reads the log in the order of its places, on one state of the
// database: places by [placeCursor], and entries by [entryScan]. What the scan does
// not have when its place comes is found through the index.
type placedEntries struct {
	size   int64 // places to read
	places placeCursor
	scan   *entryScan

	using sync.Mutex // of tx
	tx    pgx.Tx
}

func newPlacedEntries(tx pgx.Tx, size int64) *placedEntries {
	return &placedEntries{
		size: size, tx: tx, scan: newEntryScan(),
		places: placeCursor{blocksAtOnce: 64, placesAtOnce: 4096}, // about as many
	}
}

// placeChunk is a part of the log as the database has it.
type placeChunk struct {
	first  int64
	places []place
	text   []byte // all streams and hashes
	failed error  // why there is no more
}

// place says which entry stands at an index.
type place struct {
	start, mid, end int // of its stream and of its hashes in text
	seq             int
	entry           *audit.Record // nil when it is gone
}

func (k *placeChunk) stream(p *place) []byte { return k.text[p.start:p.mid] }

// hashes appends what the tree has stored with a place.
func (k *placeChunk) hashes(p *place, to []audit.Hash) []audit.Hash {
	for h := range slices.Chunk(k.text[p.mid:p.end], tlog.HashSize) {
		var whole audit.Hash
		copy(whole[:], h)
		to = append(to, whole)
	}
	return to
}

// there says whether the i-th place has its entry.
func (k *placeChunk) there(i int) error {
	if x := &k.places[i]; x.entry == nil {
		return &audit.Fault{Index: k.first + int64(i), What: fmt.Sprintf("entry %d of %s is gone: it was removed", x.seq, k.stream(x))}
	}
	return nil
}

// each calls visit for one chunk after the other and returns how many entries there
// are, those included that have no place. The transaction can export its snapshot.
func (p *placedEntries) each(ctx context.Context, db *DB, visit func(*placeChunk) error) (entries int64, err error) {
	if db.pool.Stat().MaxConns() < 2 {
		return 0, errors.New("the audit log is read over two connections: set pool_max_conns in the database URL to 2 or more")
	}
	if err := p.places.open(ctx, p.tx); err != nil {
		return 0, err
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
		err := p.find(ctx, k)
		if err == nil {
			err = visit(k)
		}
		if err = cmp.Or(err, k.failed); err != nil {
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
// What fails is the last chunk, since a fault before it is to be told first.
func (p *placedEntries) readPlaces(ctx context.Context, out chan<- *placeChunk, used <-chan *placeChunk) error {
	for done := p.size == 0; !done; {
		k := &placeChunk{}
		select {
		case k = <-used:
		default:
		}
		k.failed = p.read(ctx, k)
		done = k.failed != nil || p.places.next >= p.size
		select {
		case out <- k:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *placedEntries) read(ctx context.Context, k *placeChunk) error {
	p.using.Lock()
	defer p.using.Unlock()
	k.first, k.text, k.places = p.places.next, k.text[:0], k.places[:0]
	for more := true; more && len(k.places) == 0; {
		var err error
		more, err = p.places.read(ctx, p.tx, func(raw [][]byte) error {
			seq, err := number(raw[2], "audit_leaf.seq", k.first+int64(len(k.places)))
			if err != nil {
				return err
			}
			x := place{start: len(k.text), mid: len(k.text) + len(raw[1]), seq: int(seq)}
			k.text = append(append(k.text, raw[1]...), raw[3]...)
			x.end = len(k.text)
			k.places = append(k.places, x)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(k.places) == 0 {
		return &audit.Fault{Index: k.first, What: "no entry has this place any more: it was removed"}
	}
	k.places = k.places[:min(int64(len(k.places)), p.size-k.first)]
	return nil
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
