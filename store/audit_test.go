package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

func auditKey(tb testing.TB) *audit.Signer {
	tb.Helper()
	secret, _, err := audit.NewKey(rand.Reader, "tallyman.test/log")
	if err != nil {
		tb.Fatal(err)
	}
	s, err := audit.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func proposeTicket(tb testing.TB, db *store.DB, ticket string) store.Step {
	tb.Helper()
	s, err := db.Propose(tb.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: ticket, Team: "receiving"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}, store.Source{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// record makes n steps and approves them: two entries for each.
func record(t *testing.T, db *store.DB, conn *pgx.Conn, prefix string, n int) []store.Step {
	t.Helper()
	person := supervisor(t, conn)
	steps := make([]store.Step, n)
	for i := range steps {
		steps[i] = proposeTicket(t, db, fmt.Sprintf("%s-%d", prefix, i))
	}
	for _, s := range steps {
		if _, err := db.Decide(t.Context(), s.ID, store.By{Person: person, Session: "s"}, guardrails.Approve{Binding: s.Binding}); err != nil {
			t.Fatal(err)
		}
	}
	return steps
}

// sign sequences everything and returns the new checkpoint. The last one is made
// old enough for it.
func sign(tb testing.TB, db *store.DB, conn *pgx.Conn, key *audit.Signer) []byte {
	tb.Helper()
	_, err := conn.Exec(tb.Context(), `update audit_checkpoint set created_at = created_at - interval '1 minute'`)
	for n := 1; err == nil && n > 0; {
		n, err = db.SequenceAudit(tb.Context(), key)
	}
	if err != nil {
		tb.Fatal(err)
	}
	note, err := db.Checkpoint(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return note
}

func verify(t *testing.T, db *store.DB, key *audit.Signer, anchors ...[]byte) (audit.Report, error) {
	t.Helper()
	return db.VerifyAudit(t.Context(), key.Public(), anchors, func(int64, int64) {})
}

// asSuperuser changes what triggers and foreign keys protect.
func asSuperuser(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	exec(t, conn, `set session_replication_role = replica`)
	for _, s := range statements {
		exec(t, conn, s)
	}
	exec(t, conn, `set session_replication_role = origin`)
}

func TestTheLogIsSequencedVerifiedAndExported(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	if _, err := db.ExportAudit(t.Context(), &bytes.Buffer{}, store.AuditPart{}); !errors.Is(err, store.ErrNoCheckpoint) {
		t.Errorf("export of nothing: %v", err)
	}
	if report, err := verify(t, db, key); err != nil || report.Entries != 0 {
		t.Errorf("an empty log: %+v, %v", report, err)
	}
	steps := record(t, db, conn, "a", 5)
	first := sign(t, db, conn, key)
	late := record(t, db, conn, "b", 3)
	if report, err := verify(t, db, key, first); err != nil || report.Entries != 10 || report.Waiting != 6 {
		t.Errorf("before the end is sequenced: %+v, %v", report, err)
	}
	last := sign(t, db, conn, key)
	report, err := verify(t, db, key, first, last)
	if err != nil || report.Entries != 16 || report.Waiting != 0 || report.Streams != 8 || report.Checkpoints != 2 {
		t.Errorf("%+v, %v", report, err)
	}
	for name, tt := range map[string]struct {
		part store.AuditPart
		want int64
	}{
		"whole":      {store.AuditPart{}, 16},
		"a step":     {store.AuditPart{Streams: []string{string(steps[2].ID)}, Anchors: [][]byte{first}}, 2},
		"late steps": {store.AuditPart{From: late[0].CreatedAt}, 6},
		"a time":     {store.AuditPart{To: late[0].CreatedAt, Anchors: [][]byte{first}}, 10},
		"nothing":    {store.AuditPart{Streams: []string{"nobody's"}}, 0},
	} {
		var file bytes.Buffer
		n, err := db.ExportAudit(t.Context(), &file, tt.part)
		if err != nil || n != tt.want {
			t.Errorf("%s: %d entries, %v; want %d", name, n, err, tt.want)
		}
		report, err := audit.CheckBundle(&file, key.Public(), append(tt.part.Anchors, last), nil)
		if err != nil || report.Entries != tt.want || report.Last.Size != 16 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
	stream, err := db.AuditStream(t.Context(), string(late[0].ID))
	if err != nil || len(stream) != 2 || stream[0].Index != 10 || stream[1].Event != string(guardrails.Authorised) || stream[1].Prev != stream[0].Leaf {
		t.Errorf("stream %+v, %v", stream, err)
	}
}

func TestAnchorsAreDueOnceInAWhile(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	due := func(place string, every time.Duration, want int64) {
		t.Helper()
		size, note, err := db.DueAnchor(t.Context(), place, every)
		if err != nil || size != want || (want > 0) != (len(note) > 0) {
			t.Errorf("due at %s: %d, %v; want %d", place, size, err, want)
		}
		if want > 0 {
			if err := db.Anchored(t.Context(), size, place); err != nil {
				t.Error(err)
			}
		}
	}
	due("file", 0, 0)
	record(t, db, conn, "a", 1)
	sign(t, db, conn, key)
	due("file", time.Hour, 2)
	due("file", 0, 0)
	due("web", time.Hour, 2)
	record(t, db, conn, "b", 1)
	sign(t, db, conn, key)
	due("file", time.Hour, 0)
	due("file", 0, 4)
}

func TestAnotherKeyDoesNotSign(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	record(t, db, conn, "a", 1)
	sign(t, db, conn, key)
	record(t, db, conn, "b", 1)
	exec(t, conn, `update audit_checkpoint set created_at = created_at - interval '1 minute'`)
	if n, err := db.SequenceAudit(t.Context(), auditKey(t)); n != 2 || !errors.Is(err, store.ErrForeignAuditKey) {
		t.Errorf("%d entries, %v", n, err)
	}
	if report, err := verify(t, db, key); err != nil || report.Entries != 4 || report.Last.Size != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

// Attack 44: a superuser edits, deletes, reorders, truncates, and shows two histories.
func TestAttack44TheLogIsTamperedWith(t *testing.T) {
	const one = `where (stream, seq) = (select stream, seq from audit_leaf where n = 3)`
	for name, tt := range map[string]struct {
		index int64
		says  string
		do    []string
	}{
		"edited": {3, "was changed", []string{
			`update audit_entry set body = convert_to(replace(convert_from(body, 'UTF8'), 'DC-1', 'DC-2'), 'UTF8') ` + one,
		}},
		"edited with its place in the tree": {2, "does not follow from them", []string{
			`update audit_entry set body = convert_to(replace(convert_from(body, 'UTF8'), 'DC-1', 'DC-2'), 'UTF8') ` + one,
			`update audit_leaf set hashes = (select leaf from audit_entry ` + one + `) || substr(hashes, 33) where n = 3`,
		}},
		"deleted":                     {3, "was removed", []string{`delete from audit_entry ` + one}},
		"deleted with its place":      {3, "was removed", []string{`delete from audit_entry ` + one, `delete from audit_leaf where n = 3`}},
		"deleted, the rest moves up":  {3, "was changed", []string{`delete from audit_entry ` + one, `alter table audit_leaf drop constraint audit_leaf_stream_seq_key`, `update audit_leaf l set stream = x.stream, seq = x.seq from audit_leaf x where l.n >= 3 and x.n = l.n + 1`, `delete from audit_leaf where n = 11`}},
		"reordered":                   {2, "was changed", []string{`alter table audit_leaf drop constraint audit_leaf_stream_seq_key`, `update audit_leaf l set stream = x.stream, seq = x.seq from audit_leaf x where (l.n, x.n) in ((2, 3), (3, 2))`}},
		"reordered with its hashes":   {2, "does not follow from them", []string{`update audit_leaf set n = case n when 2 then 100 else 2 end where n in (2, 4)`, `update audit_leaf set n = 4 where n = 100`}},
		"filed under another":         {3, "filed", []string{`update audit_entry set stream = 'st_other' ` + one, `update audit_leaf set stream = 'st_other' where n = 3`}},
		"a hash of the tree":          {2, "does not follow from them", []string{`update audit_leaf set hashes = overlay(hashes placing sha256('x') from 33) where n = 3`}},
		"a hash that is gone":         {3, "were removed", []string{`alter table audit_leaf drop constraint audit_leaf_hashes_check`, `update audit_leaf set hashes = substr(hashes, 1, 64) where n = 3`}},
		"truncated":                   {9, "removed from its end", truncate},
		"truncated with checkpoint":   {9, "removed from its end", append([]string{`delete from audit_checkpoint where size > 9`}, truncate...)},
		"truncated without a trace":   {9, "removed from its end", append([]string{`delete from audit_checkpoint where size > 9`, `update step s set audited = (select count(*) from audit_entry where stream = s.id)`}, truncate...)},
		"two checkpoints of a size":   {8, "two checkpoints", []string{`alter table audit_checkpoint drop constraint audit_checkpoint_pkey`, `insert into audit_checkpoint (size, root, note) select size, root, note from audit_checkpoint where size = 12`}},
		"a checkpoint nobody signed":  {-1, "checkpoint", []string{`update audit_checkpoint set note = convert_to(replace(convert_from(note, 'UTF8'), E'\n8\n', E'\n7\n'), 'UTF8') where size = 8`}},
		"an entry that never was":     {-1, "audit entry", []string{`insert into audit_entry (stream, seq, prev, body, at) values ('st_x', 1, decode(repeat('00', 32), 'hex'), 'x', now())`, `insert into audit_unsequenced (stream, seq) values ('st_x', 1)`}},
		"a stream that was cut short": {-1, "was changed 3 times", []string{`update step set audited = 3 where id = (select stream from audit_leaf where n = 0)`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := storetest.DSN(t)
			db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
			record(t, db, conn, "a", 4)
			sign(t, db, conn, key)
			record(t, db, conn, "b", 2)
			anchor := sign(t, db, conn, key)
			if _, err := verify(t, db, key, anchor); err != nil {
				t.Fatal(err)
			}
			asSuperuser(t, conn, tt.do...)
			_, err := verify(t, db, key, anchor)
			var f *audit.Fault
			if !errors.As(err, &f) || f.Index != tt.index || !strings.Contains(f.What, tt.says) {
				t.Errorf("got %v, want index %d and %q", err, tt.index, tt.says)
			}
		})
	}
}

// truncate removes the last three of twelve entries, and what the tree has of them.
var truncate = []string{
	`delete from audit_entry where (stream, seq) in (select stream, seq from audit_leaf where n >= 9)`,
	`delete from audit_leaf where n >= 9`,
}

// Attack 44 as the program itself: its role lacks the right.
func TestAttack44TheProgramCannotChangeTheLog(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	record(t, db, conn, "a", 1)
	sign(t, db, conn, auditKey(t))
	exec(t, conn, `set role `+store.AppRole)
	for _, table := range []string{"audit_entry", "audit_leaf", "audit_checkpoint", "audit_unsequenced", "decision", "decision_human", "execution_attempt"} {
		for _, right := range []string{"update", "delete", "truncate"} {
			statement := map[string]string{
				"update": "update " + table + " set " + anyColumn(t, conn, table) + " = default",
				"delete": "delete from " + table, "truncate": "truncate " + table,
			}[right]
			if table == "audit_unsequenced" && right == "delete" {
				continue // loses rows as they get their places
			}
			_, err := conn.Exec(t.Context(), statement)
			if !refusedFor(err, "42501") { // insufficient_privilege
				t.Errorf("%s: %v", statement, err)
			}
		}
	}
	if _, err := conn.Exec(t.Context(), `alter table audit_entry disable trigger audit_entry_change`); !refusedFor(err, "42501") {
		t.Errorf("the program may disable triggers: %v", err)
	}
}

// anyColumn is one of the table that no right to update is given on.
func anyColumn(t *testing.T, conn *pgx.Conn, table string) (column string) {
	t.Helper()
	err := conn.QueryRow(t.Context(), `
		select attname
		from pg_attribute
		where attrelid = $1::regclass and attnum > 0 and attname <> 'anchored'
		order by attnum
		limit 1`, table).Scan(&column)
	if err != nil {
		t.Fatal(err)
	}
	return column
}

// Attack 45: what has no place yet can be removed, and its stream shows the gap.
func TestAttack45AnUnsequencedEntryIsDeleted(t *testing.T) {
	const one = `where (stream, seq) = (select stream, seq from audit_unsequenced order by id desc limit 1)`
	for name, tt := range map[string]struct {
		says string
		do   []string
	}{
		"the entry":                    {"removed before it got its place", []string{`delete from audit_entry ` + one}},
		"its place in the queue":       {"does not wait for one", []string{`delete from audit_unsequenced ` + one}},
		"both":                         {"was changed 2 times", []string{`create temporary table gone as select stream, seq from audit_unsequenced order by id desc limit 1`, `delete from audit_entry using gone where audit_entry.stream = gone.stream and audit_entry.seq = gone.seq`, `delete from audit_unsequenced u using gone where u.stream = gone.stream and u.seq = gone.seq`}},
		"both, in the middle of it":    {"entry 1 is missing", []string{`delete from audit_entry where seq = 1`, `delete from audit_unsequenced where seq = 1`}},
		"one that another was made of": {"was changed", []string{`update audit_entry set body = convert_to(replace(convert_from(body, 'UTF8'), 'DC-1', 'DC-2'), 'UTF8') where seq = 1`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := storetest.DSN(t)
			db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
			record(t, db, conn, "a", 1)
			if report, err := verify(t, db, key); err != nil || report.Waiting != 2 {
				t.Fatalf("%+v, %v", report, err)
			}
			asSuperuser(t, conn, tt.do...)
			_, err := verify(t, db, key)
			var f *audit.Fault
			if !errors.As(err, &f) || f.Index != -1 || !strings.Contains(f.What, tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// Attack 46: many sequencers at once, killed in the middle.
func TestAttack46SequencersRaceAndAreKilled(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn, key := open(t, dsn), connect(t, dsn), auditKey(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			for ctx.Err() == nil {
				_, _ = db.SequenceAudit(ctx, key) // being killed is an error
			}
			return nil
		})
	}
	killer := connect(t, dsn)
	kills := 0
	for i := range 30 {
		proposeTicket(t, db, fmt.Sprintf("T-%d", i))
		var killed int
		err := killer.QueryRow(t.Context(), `
			select count(*) filter (where pg_terminate_backend(pid))
			from pg_locks
			where locktype = 'advisory' and objsubid = 1 and database = (select oid from pg_database where datname = current_database())`).Scan(&killed)
		if err != nil {
			t.Fatal(err)
		}
		kills += killed
	}
	stop()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	// The server of a sequencer that was stopped may still hold its lock.
	if _, err := killer.Exec(t.Context(), `select pg_advisory_xact_lock($1)`, store.AuditLock); err != nil {
		t.Fatal(err)
	}
	sign(t, db, conn, key)
	report, err := verify(t, db, key)
	if err != nil || report.Entries != 30 || report.Waiting != 0 {
		t.Errorf("after %d kills: %+v, %v", kills, report, err)
	}
	t.Logf("%d sequencers killed at work", kills)
}

func refusedFor(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}
