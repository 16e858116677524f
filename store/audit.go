package store

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"tallyman/audit"
)

// auditLock is the advisory lock of the one process that grows the tree.
const auditLock = 0x7461_6c6c_7961_7564 // "tallyaud"

const (
	// AuditBatch is the largest number of entries that get their places at once.
	AuditBatch = 4096

	// checkpointPause is the shortest time between two checkpoints.
	checkpointPause = time.Second
)

// ErrForeignAuditKey says that the log's checkpoints are signed by another key
// than this process has: entries get their places, but it does not sign.
var ErrForeignAuditKey = errors.New("the audit log is signed by another key")

// SequenceAudit gives entries that have none their places in the tree, at most
// [AuditBatch], and signs a checkpoint of the tree unless the last one is younger
// than a second. It returns how many got a place: none where another process is
// at it. Either everything of it is there afterwards or nothing.
//
// It goes by what has no place yet and not by a cursor over numbers, since
// transactions commit in another order than they draw them.
func (db *DB) SequenceAudit(ctx context.Context, signer *audit.Signer) (int, error) {
	placed := 0
	var unsigned error
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var leads bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock($1)`, int64(auditLock)).Scan(&leads); err != nil || !leads {
			return err
		}
		var size int64
		if err := tx.QueryRow(ctx, `select coalesce(max(n) + 1, 0) from audit_leaf`).Scan(&size); err != nil {
			return err
		}
		var err error
		if placed, err = placeEntries(ctx, tx, size); err != nil {
			return err
		}
		unsigned, err = signCheckpoint(ctx, tx, size+int64(placed), signer)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sequence the audit log: %w", err)
	}
	return placed, unsigned
}

func placeEntries(ctx context.Context, tx pgx.Tx, size int64) (int, error) {
	rows, _ := tx.Query(ctx, `
		select u.id, u.stream, u.seq, e.leaf
		from audit_unsequenced u
		join audit_entry e using (stream, seq)
		order by u.id
		limit $1`, AuditBatch)
	var ids, at []int64
	var streams []string
	var seqs []int32
	var leaves []audit.Hash
	var id int64
	var stream string
	var seq int32
	var leaf []byte
	_, err := pgx.ForEachRow(rows, []any{&id, &stream, &seq, &leaf}, func() error {
		ids, streams, seqs = append(ids, id), append(streams, stream), append(seqs, seq)
		at = append(at, size+int64(len(leaves)))
		leaves = append(leaves, audit.Hash(leaf))
		return nil
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	grown, err := audit.Grow(size, leaves, nodes(ctx, tx))
	if err != nil {
		return 0, err
	}
	hashes := make([][]byte, len(leaves))
	for i := range hashes {
		for range bits.TrailingZeros64(uint64(at[i]+1)) + 1 {
			hashes[i], grown = append(hashes[i], grown[0][:]...), grown[1:]
		}
	}
	q := &pgx.Batch{}
	q.Queue(`
		insert into audit_leaf (n, stream, seq, hashes)
		select n, stream, seq, hashes
		from unnest($1::bigint[], $2::text[], $3::int[], $4::bytea[]) as x (n, stream, seq, hashes)`, at, streams, seqs, hashes)
	q.Queue(`delete from audit_unsequenced where id = any ($1)`, ids)
	return len(ids), tx.SendBatch(ctx, q).Close()
}

// nodes reads stored hashes of the tree. One stands beside the last entry below it.
func nodes(ctx context.Context, q querier) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]audit.Hash, error) {
		levels, beside := make([]int, len(indexes)), make([]int64, len(indexes))
		for i, x := range indexes {
			level, place := tlog.SplitStoredHashIndex(x)
			levels[i], beside[i] = level, (place+1)<<level-1
		}
		rows, _ := q.Query(ctx, `
			select substr(l.hashes, wanted.level * 32 + 1, 32)
			from unnest($1::bigint[], $2::int[]) with ordinality as wanted (n, level, place)
			join audit_leaf l using (n)
			order by wanted.place`, beside, levels)
		stored, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil {
			return nil, err
		}
		hashes := make([]audit.Hash, len(indexes))
		for i := range hashes {
			if i >= len(stored) || copy(hashes[i][:], stored[i]) < tlog.HashSize {
				return nil, &audit.Fault{Index: -1, What: "hashes of the tree are missing"}
			}
		}
		return hashes, nil
	})
}

// signCheckpoint signs the tree where it grew beyond a last checkpoint that is a
// second old. It does not sign what the last checkpoint is not the beginning of.
func signCheckpoint(ctx context.Context, tx pgx.Tx, size int64, signer *audit.Signer) (unsigned, err error) {
	last, made, now, err := lastCheckpoint(ctx, tx)
	if err != nil || size == last.Size || now.Sub(made) < checkpointPause {
		return nil, err
	}
	if last.Size > 0 {
		if !slices.ContainsFunc(signer.Public(), func(k string) bool { return slices.Contains(last.Keys, k) }) {
			return fmt.Errorf("%w: %s; this process has %s", ErrForeignAuditKey, last.Keys, signer.Public()), nil
		}
		root, err := tlog.TreeHash(last.Size, nodes(ctx, tx))
		if err != nil {
			return nil, err
		}
		if root != last.Root {
			return &audit.Fault{Index: -1, What: fmt.Sprintf("the tree is not the one that was signed with %d entries: it is not signed on", last.Size)}, nil
		}
	}
	root, err := tlog.TreeHash(size, nodes(ctx, tx))
	if err != nil {
		return nil, err
	}
	note, err := signer.Sign(audit.Checkpoint{Size: size, Root: root, At: now})
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `insert into audit_checkpoint (size, root, note, created_at) values ($1, $2, $3, $4)`, size, root[:], note, now)
	return nil, err
}

// lastCheckpoint returns the newest checkpoint, empty when there is none, when
// it was made, and the database's time.
func lastCheckpoint(ctx context.Context, q querier) (c audit.Checkpoint, made, now time.Time, err error) {
	var note []byte
	err = q.QueryRow(ctx, `
		select c.note, c.created_at, clock_timestamp()
		from audit_checkpoint c
		order by size desc
		limit 1`).Scan(&note, &made, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		now, err = clock(ctx, q)
		return c, made, now, err
	}
	if err == nil {
		c, err = audit.ReadCheckpoint(note)
	}
	return c, made, now, err
}

// Checkpoint returns the newest signed checkpoint, or an [ErrNotFound].
func (db *DB) Checkpoint(ctx context.Context) ([]byte, error) {
	var note []byte
	err := db.pool.QueryRow(ctx, `select note from audit_checkpoint order by size desc limit 1`).Scan(&note)
	return note, notFound(err)
}

// DueAnchor returns the newest checkpoint where a place outside the database
// should have it: it has none, or its last is older than every and there is a
// newer one. Otherwise the note is empty.
func (db *DB) DueAnchor(ctx context.Context, place string, every time.Duration) (size int64, note []byte, err error) {
	err = db.pool.QueryRow(ctx, `
		select size, note
		from audit_checkpoint newest
		where size = (select max(size) from audit_checkpoint) and not anchored ? $1
			and not exists (
				select from audit_checkpoint
				where (anchored ->> $1)::timestamptz > clock_timestamp() - $2::interval)`, place, every).Scan(&size, &note)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, nil
	}
	return size, note, err
}

// Anchored remembers that a place outside the database has a checkpoint.
func (db *DB) Anchored(ctx context.Context, size int64, place string) error {
	_, err := db.pool.Exec(ctx, `
		update audit_checkpoint
		set anchored = anchored || jsonb_build_object($2::text, clock_timestamp())
		where size = $1`, size, place)
	return err
}
