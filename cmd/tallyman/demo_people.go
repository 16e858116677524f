package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// demoPerson is somebody to sign in as.
type demoPerson struct {
	Login string `json:"login"`
	Name  string `json:"name"`
	Does  string `json:"does"`

	role         guardrails.Role
	everywhere   bool
	limit, daily int64 // minor units; 0 for unlimited
}

// demoPeople differ in what they may approve.
var demoPeople = []demoPerson{
	{Login: "sam", Name: "Sam Okafor", Does: "supervisor at the first site, to 2 500 a step", role: "supervisor", limit: 250_000, daily: 2_500_000},
	{Login: "sofia", Name: "Sofia Lindqvist", Does: "supervisor everywhere, to 2 500 a step", role: "supervisor", everywhere: true, limit: 250_000, daily: 5_000_000},
	{Login: "ines", Name: "Ines Moreau", Does: "inventory control everywhere, to 10 000 a step", role: "inventory_control", everywhere: true, limit: 1_000_000, daily: 10_000_000},
	{Login: "farid", Name: "Farid Haddad", Does: "finance everywhere, without limit", role: "finance", everywhere: true},
	{Login: "tom", Name: "Tom Adeyemi", Does: "transportation everywhere, without limit", role: "transportation", everywhere: true},
	{Login: "petra", Name: "Petra Novak", Does: "policy owner; decides with Ines about models", role: "policy_owner", everywhere: true},
}

// addPeople makes the people of the demonstration, or gives those of an earlier
// start a password of this one.
func addPeople(ctx context.Context, db *store.DB, first warehouse.Site) (password string, err error) {
	password = strings.ToLower(rand.Text()[:16])
	for i := range demoPeople {
		if err := addPerson(ctx, db, &demoPeople[i], first, password); err != nil {
			return "", err
		}
	}
	return password, nil
}

func addPerson(ctx context.Context, db *store.DB, p *demoPerson, first warehouse.Site, password string) error {
	by := store.Administrator{}
	known, err := db.FindPerson(ctx, p.Login)
	if err == nil {
		return db.SetPassword(ctx, by, known.ID, password)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	id, err := db.AddPerson(ctx, by, p.Login, p.Name, "", password)
	if err != nil {
		return err
	}
	if err := db.SetRefs(ctx, by, id, nil); err != nil {
		return err
	}
	g := guardrails.Grant{Role: p.role, Site: first, Limit: guardrails.Limit{Minor: p.limit}, Daily: guardrails.Limit{Minor: p.daily}}
	if p.everywhere {
		g.Site = guardrails.Everywhere
	}
	if p.limit == 0 {
		g.Limit, g.Daily = guardrails.Limit{Unlimited: true}, guardrails.Limit{Unlimited: true}
	}
	return db.GrantRole(ctx, by, id, g)
}
