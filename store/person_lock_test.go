package store_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/store"
	"tallyman/store/storetest"
)

// waitsForLock returns when so many connections to the database wait for a lock.
func waitsForLock(t *testing.T, conn *pgx.Conn, n int) {
	t.Helper()
	for waiting := 0; waiting < n; {
		err := conn.QueryRow(t.Context(), `
			select count(*)
			from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The attempt that locks an account and the password that unlocks it want the same
// row and the same stream: whichever comes first, none waits for the other in a ring.
func TestTheFifthFailureAndANewPassword(t *testing.T) {
	for name, passwordFirst := range map[string]bool{"the password comes first": true, "the attempt comes first": false} {
		t.Run(name, func(t *testing.T) {
			dsn := storetest.DSN(t)
			db, conn := open(t, dsn), connect(t, dsn)
			id := account(t, db, "anna")
			exec(t, conn, `update account set failures = 4`)
			set, failed := make(chan error, 1), make(chan error, 1)
			setPassword := func() { set <- db.SetPassword(t.Context(), store.Administrator{}, id, "another long password") }
			fail := func() {
				_, _, err := db.SignIn(t.Context(), "anna", "wrong horse battery", "")
				failed <- err
			}
			first, second := fail, setPassword
			if passwordFirst {
				first, second = setPassword, fail
			}

			tx, err := conn.Begin(t.Context()) // a change of people that takes its time
			if err == nil {
				_, err = tx.Exec(t.Context(), `select pg_advisory_xact_lock(hashtext('audit'), hashtext('person'))`)
			}
			if err != nil {
				t.Fatal(err)
			}
			watch := connect(t, dsn)
			go first()
			waitsForLock(t, watch, 1)
			go second()
			waitsForLock(t, watch, 2)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			err = <-failed
			if _, broken := errors.AsType[*pgconn.PgError](err); broken || !errors.Is(err, store.ErrUnauthorized) {
				t.Errorf("the attempt: %v", err)
			}
			if err := <-set; err != nil {
				t.Errorf("the new password: %v", err)
			}
			if _, _, err := db.SignIn(t.Context(), "anna", "another long password", ""); err != nil {
				t.Errorf("signing in with it: %v", err)
			}
		})
	}
}
