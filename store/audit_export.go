package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"tallyman/audit"
)

// AuditPart says what to export: some streams, what was written in a time, or,
// when it is empty, the whole log.
type AuditPart struct {
	Streams  []string
	From, To time.Time // [From, To)
	Anchors  [][]byte  // checkpoints that somebody keeps, to be proved consistent
}

func (p *AuditPart) whole() bool { return len(p.Streams) == 0 && p.From.IsZero() && p.To.IsZero() }

// ErrNoCheckpoint says that nothing is signed yet.
var ErrNoCheckpoint = errors.New("no checkpoint of the audit log is signed yet: a running service signs one within a second")

// ExportAudit writes entries that the newest checkpoint covers as a bundle that
// can be checked without this database, and returns how many.
func (db *DB) ExportAudit(ctx context.Context, w io.Writer, p AuditPart) (int64, error) {
	var n int64
	err := db.readAudit(ctx, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `select note from audit_checkpoint order by size`)
		notes, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil {
			return err
		}
		if len(notes) == 0 {
			return ErrNoCheckpoint
		}
		last, err := audit.ReadCheckpoint(notes[len(notes)-1])
		if err != nil {
			return err
		}
		e := exporter{tx: tx, part: p, size: last.Size}
		var end int64
		if n, end, err = e.count(ctx); err != nil {
			return err
		}
		if !p.whole() {
			if notes, err = worthShowing(notes, end, p.Anchors); err != nil {
				return err
			}
		}
		if e.out, err = audit.NewBundle(w, !p.whole(), len(notes), n); err != nil {
			return err
		}
		if err := e.checkpoints(ctx, notes); err != nil {
			return err
		}
		if err := e.entries(ctx, db); err != nil {
			return err
		}
		return e.out.Close()
	})
	if err != nil {
		return 0, fmt.Errorf("export of the audit log: %w", err)
	}
	return n, nil
}

// worthShowing leaves of all checkpoints those that a part needs: the first, the
// ones where keys change, the first that covers the part, the newest, and those
// that the anchors are.
func worthShowing(notes [][]byte, end int64, anchors [][]byte) ([][]byte, error) {
	sizes := map[int64]bool{}
	for _, a := range anchors {
		c, err := audit.ReadCheckpoint(a)
		if err != nil {
			return nil, err
		}
		sizes[c.Size] = true
	}
	var shown [][]byte
	var keys []string
	covered := false
	for i, note := range notes {
		c, err := audit.ReadCheckpoint(note)
		if err != nil {
			return nil, err
		}
		covers := !covered && c.Size >= end
		if covers || i == len(notes)-1 || sizes[c.Size] || !slices.Equal(keys, c.Keys) {
			shown = append(shown, note)
		}
		keys, covered = c.Keys, covered || covers
	}
	return shown, nil
}

type exporter struct {
	tx   pgx.Tx
	part AuditPart
	size int64 // of the newest checkpoint
	out  *audit.BundleWriter
}

// selected is the condition on audit_leaf l and audit_entry e.
const selected = `l.n < $1
	and ($2::text[] is null or l.stream = any ($2))
	and ($3::timestamptz is null or e.at >= $3)
	and ($4::timestamptz is null or e.at < $4)`

func (e *exporter) args() []any {
	return []any{e.size, e.part.Streams, present(e.part.From, !e.part.From.IsZero()), present(e.part.To, !e.part.To.IsZero())}
}

// count returns how many entries there are, and the size of a tree that has all of them.
func (e *exporter) count(ctx context.Context) (n, end int64, err error) {
	if e.part.whole() {
		err = e.tx.QueryRow(ctx, `select count(*), coalesce(max(n) + 1, 0) from audit_leaf where n < $1`, e.size).Scan(&n, &end)
		return n, end, err
	}
	err = e.tx.QueryRow(ctx, `
		select count(*), coalesce(max(l.n) + 1, 0)
		from audit_leaf l
		join audit_entry e using (stream, seq)
		where `+selected, e.args()...).Scan(&n, &end)
	return n, end, err
}

func (e *exporter) checkpoints(ctx context.Context, notes [][]byte) error {
	before := int64(0)
	for _, note := range notes {
		c, err := audit.ReadCheckpoint(note)
		if err != nil {
			return err
		}
		if err := e.out.Checkpoint(note); err != nil {
			return err
		}
		if before > 0 && !e.part.whole() {
			proof, err := tlog.ProveTree(c.Size, before, nodes(ctx, e.tx))
			if err != nil {
				return err
			}
			if err := e.out.Consistency(before, c.Size, proof); err != nil {
				return err
			}
		}
		before = c.Size
	}
	return nil
}

func (e *exporter) entries(ctx context.Context, db *DB) error {
	if e.part.whole() {
		return e.whole(ctx, db)
	}
	return e.some(ctx)
}

// whole writes every entry.
func (e *exporter) whole(ctx context.Context, db *DB) error {
	_, err := newPlacedEntries(e.tx, e.size).each(ctx, db, func(k *placeChunk) error {
		for i := range k.places {
			if err := k.there(i); err != nil {
				return err
			}
			if err := e.out.Entry(k.first+int64(i), k.places[i].entry, nil); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// exportChunk is how many entries of a part are read at once.
const exportChunk = 1000

// some writes those that were selected, each with its proof.
func (e *exporter) some(ctx context.Context) error {
	for next := int64(0); ; {
		rows, _ := e.tx.Query(ctx, `
			select l.n, e.body
			from audit_leaf l
			join audit_entry e using (stream, seq)
			where `+selected+` and l.n >= $5
			order by l.n
			limit $6`, append(e.args(), next, exportChunk)...)
		chunk, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
			N    int64
			Body []byte
		}])
		if err != nil || len(chunk) == 0 {
			return err
		}
		for _, x := range chunk {
			proof, err := tlog.ProveRecord(e.size, x.N, nodes(ctx, e.tx))
			if err != nil {
				return err
			}
			r := audit.Read(x.Body)
			if err := e.out.Entry(x.N, &r, proof); err != nil {
				return err
			}
			next = x.N + 1
		}
	}
}
