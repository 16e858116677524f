package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"tallyman/audit"
	"tallyman/store"
	"tallyman/store/storetest"
)

func TestTheLogIsVerifiedWithFewConnections(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	proposeTicket(t, db, "T-1")
	sign(t, db, conn, key)
	for most, works := range map[int]bool{1: false, 2: true, 3: true} {
		few := open(t, with(dsn, "pool_max_conns", fmt.Sprint(most)))
		report, err := verify(t, few, key)
		if works != (err == nil && report.Entries == 1) {
			t.Errorf("with %d connections: %+v, %v", most, report, err)
		}
	}
}

// How rows are on disk is no part of the log: a restored or rewritten table is as good.
func TestTheLogIsVerifiedInAnyOrderOnDisk(t *testing.T) {
	const entries = 160 // on three blocks
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	record(t, db, conn, "a", entries/2)
	note := sign(t, db, conn, key)
	for order, places := range map[string]string{
		"at": "n", "at desc": "n = 130, n", "body": "n <> 5, n % 4, n", "stream, seq desc": "n desc",
	} {
		asSuperuser(t, conn,
			`create temporary table e as select stream, seq, prev, body, at from audit_entry`,
			`create temporary table l as select * from audit_leaf`,
			`delete from audit_leaf`, `delete from audit_entry`, // which leaves blocks without rows
			`insert into audit_entry (stream, seq, prev, body, at) select * from e order by `+order,
			`insert into audit_leaf select * from l order by `+places,
			`drop table e`, `drop table l`)
		if report, err := verify(t, db, key, note); err != nil || report.Entries != entries {
			t.Errorf("entries by %s, places by %s: %+v, %v", order, places, report, err)
		}
		for _, ahead := range []int64{-1000, 0, 1, 1000} {
			if n, err := db.VerifyScan(t.Context(), ahead, key.Public(), [][]byte{note}); err != nil || n != entries {
				t.Errorf("entries by %s, read %d ahead, places by %s: %d, %v", order, ahead, places, n, err)
			}
		}
	}
	asSuperuser(t, conn, `delete from audit_leaf where n = 147`)
	var f *audit.Fault
	if _, err := verify(t, db, key, note); !errors.As(err, &f) || f.Index != 147 {
		t.Errorf("a place that is gone: %v", err)
	}
	if _, err := db.VerifyScan(t.Context(), 1000, key.Public(), [][]byte{note}); !errors.As(err, &f) || f.Index != 147 {
		t.Errorf("a place that is gone, few at a time: %v", err)
	}
	if _, err := db.ExportAudit(t.Context(), &bytes.Buffer{}, store.AuditPart{}); !errors.As(err, &f) || f.Index != 147 {
		t.Errorf("export without a place: %v", err)
	}
}

func TestAnEntryThatIsStoredTwiceIsFound(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	record(t, db, conn, "a", 2)
	note := sign(t, db, conn, key)
	asSuperuser(t, conn, `alter table audit_entry drop constraint audit_entry_pkey cascade`,
		`insert into audit_entry (stream, seq, prev, body, at) select stream, seq, prev, body, at from audit_entry limit 1`)
	var f *audit.Fault
	if _, err := verify(t, db, key, note); !errors.As(err, &f) || !strings.Contains(f.What, "twice") {
		t.Errorf("%v", err)
	}
}

// An account may have fewer connections than the program would take: the second of a
// check is refused.
func TestARefusedConnectionEndsTheCheck(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	proposeTicket(t, db, "T-1")
	sign(t, db, conn, key)
	role := "one_" + strings.ToLower(rand.Text())
	exec(t, conn, `create role `+role+` login password 'one' connection limit 1 in role `+store.AppRole)
	one := open(t, with(with(dsn, "user", role), "password", "one"))
	t.Cleanup(func() {
		one.Close()
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), `drop role `+role); err != nil {
			t.Error(err)
		}
	})
	if _, err := verify(t, one, key); !refusedFor(err, "53300") { // too_many_connections
		t.Errorf("verify: %v", err)
	}
	if _, err := one.ExportAudit(t.Context(), io.Discard, store.AuditPart{}); !refusedFor(err, "53300") {
		t.Errorf("export: %v", err)
	}
}

// Behind a pooler of connections the address names a mode without prepared statements.
func TestTheLogIsVerifiedInEveryModeOfQueries(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	record(t, db, conn, "a", 3)
	note := sign(t, db, conn, key)
	proposeTicket(t, db, "T-1")
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		other := open(t, with(dsn, "default_query_exec_mode", mode))
		if report, err := verify(t, other, key, note); err != nil || report.Entries != 6 || report.Waiting != 1 {
			t.Errorf("%s: %+v, %v", mode, report, err)
		}
		var file bytes.Buffer
		if n, err := other.ExportAudit(t.Context(), &file, store.AuditPart{}); err != nil || n != 6 {
			t.Errorf("%s: %d exported, %v", mode, n, err)
		}
		if report, err := audit.CheckBundle(&file, key.Public(), [][]byte{note}, nil); err != nil || report.Entries != 6 {
			t.Errorf("%s: %+v, %v", mode, report, err)
		}
	}
}

// Whoever owns the tables can drop what keeps a number from being there twice, or gone.
func TestRowsThatNoTableMayHoldAreFound(t *testing.T) {
	const noKey = `alter table audit_leaf drop constraint audit_leaf_pkey, drop constraint audit_leaf_stream_seq_key, drop constraint audit_leaf_n_check, drop constraint audit_leaf_hashes_check`
	for name, tt := range map[string]struct {
		index int64
		says  string
		do    []string
	}{
		"a place twice":             {2, "place is stored twice", []string{noKey, `insert into audit_leaf select * from audit_leaf where n = 2`}},
		"the last place twice":      {3, "place is stored twice", []string{noKey, `insert into audit_leaf select * from audit_leaf where n = 3`}},
		"a place of another entry":  {1, "place is stored twice", []string{noKey, `insert into audit_leaf select 1, stream, seq, hashes from audit_leaf where n = 2`}},
		"a place twice in between":  {2, "place is stored twice", []string{noKey, `create temp table l as select * from audit_leaf`, `insert into l select * from l where n = 2`, `delete from audit_leaf`, `insert into audit_leaf select * from l order by n`}},
		"a place below 0":           {-1, "the others were put there", []string{noKey, `insert into audit_leaf select -1, stream, seq, hashes from audit_leaf where n = 2`}},
		"a place without number":    {-1, "the others were put there", []string{noKey, `alter table audit_leaf alter n drop not null`, `insert into audit_leaf select null, stream, seq, hashes from audit_leaf where n = 2`}},
		"a number taken out":        {1, "was removed", []string{noKey, `alter table audit_leaf alter n drop not null`, `update audit_leaf set n = null where n = 1`}},
		"hashes taken out":          {2, "0 hashes of the tree", []string{`alter table audit_leaf alter hashes drop not null`, `update audit_leaf set hashes = null where n = 2`}},
		"a hash too many":           {2, "2 hashes of the tree", []string{noKey, `update audit_leaf set hashes = hashes || sha256('x') where n = 2`}},
		"a place of no entry":       {2, "no audit_leaf.seq", []string{noKey, `alter table audit_leaf alter seq drop not null`, `update audit_leaf set seq = null where n = 2`}},
		"no entry after another":    {1, "does not have the hash", []string{noKey, `alter table audit_leaf alter seq drop not null`, `update audit_leaf set seq = null where n = 2`, `update audit_entry set body = 'x' where (stream, seq) = (select stream, seq from audit_leaf where n = 1)`}},
		"an entry without number":   {-1, "no audit_entry.seq", []string{`alter table audit_entry drop constraint audit_entry_pkey cascade, alter seq drop not null`, `update audit_entry set seq = null where seq = 2`}},
		"an entry without a stream": {0, "is gone", []string{`alter table audit_entry drop constraint audit_entry_pkey cascade, alter stream drop not null`, `update audit_entry set stream = null where (stream, seq) = (select stream, seq from audit_leaf where n = 0)`}},
		"an entry without a body":   {2, "does not have the hash", []string{`alter table audit_entry alter body drop not null, alter leaf drop not null`, `update audit_entry set body = null where (stream, seq) = (select stream, seq from audit_leaf where n = 2)`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := storetest.DSN(t)
			db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
			record(t, db, conn, "a", 2)
			note := sign(t, db, conn, key)
			asSuperuser(t, conn, tt.do...)
			_, err := verify(t, db, key, note)
			var f *audit.Fault
			if !errors.As(err, &f) || f.Index != tt.index || !strings.Contains(f.Error(), tt.says) {
				t.Errorf("got %v, want index %d and %q", err, tt.index, tt.says)
			}
		})
	}
}

// A log that was written before hashes stood beside places is the same log afterwards.
func TestHashesMoveToTheirPlaces(t *testing.T) {
	moves, err := os.ReadFile("migrations/0053_hashes_with_places.sql")
	if err != nil {
		t.Fatal(err)
	}
	before := []string{
		`create table audit_node as
			select n * 2 - bit_count(n::bit(64)) + level as n, substr(hashes, level * 32 + 1, 32) as hash
			from audit_leaf cross join generate_series(0, 3) level
			where level * 32 < octet_length(hashes)`,
		`alter table audit_leaf drop column hashes`,
	}
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	record(t, db, conn, "a", 6)
	note := sign(t, db, conn, key)
	asSuperuser(t, conn, append(before, string(moves))...)
	if report, err := verify(t, db, key, note); err != nil || report.Entries != 12 {
		t.Errorf("%+v, %v", report, err)
	}
	record(t, db, conn, "b", 1)
	sign(t, db, conn, key)
	if report, err := verify(t, db, key, note); err != nil || report.Entries != 14 {
		t.Errorf("%+v, %v", report, err)
	}
	asSuperuser(t, conn, before...)
	for damage, says := range map[string]string{
		`delete from audit_node where n = 5`:  "missing at index 3",
		`delete from audit_leaf where n = 13`: "2 hashes of the tree belong to no entry",
		`delete from audit_leaf where n = 3`:  "3 hashes of the tree belong to no entry",
	} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{`set local session_replication_role = replica`, damage} {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tx.Exec(t.Context(), string(moves)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", damage, err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
