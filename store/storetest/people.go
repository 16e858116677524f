package storetest

import (
	"testing"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// Password is that of every Person.
const Password = "correct horse battery"

// Person makes somebody with an account and no roles, of whom it is known that no
// party of a step is them under another name.
func Person(tb testing.TB, db *store.DB, login, name string) guardrails.PersonID {
	tb.Helper()
	by := store.Administrator{}
	id, err := db.AddPerson(tb.Context(), by, login, name, login+"@example.com", Password)
	if err == nil {
		err = db.SetRefs(tb.Context(), by, id, nil)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// Grant gives a person roles at a site without limits.
func Grant(tb testing.TB, db *store.DB, id guardrails.PersonID, site warehouse.Site, roles ...guardrails.Role) {
	tb.Helper()
	unlimited := guardrails.Limit{Unlimited: true}
	for _, role := range roles {
		err := db.GrantRole(tb.Context(), store.Administrator{}, id, guardrails.Grant{Role: role, Site: site, Limit: unlimited, Daily: unlimited})
		if err != nil {
			tb.Fatal(err)
		}
	}
}
