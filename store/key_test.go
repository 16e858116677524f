package store_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func TestKey(t *testing.T) {
	dsn := storetest.DSN(t)
	db := open(t, dsn)
	want := store.APIKey{Name: "dock", Env: "live", Scopes: []store.Scope{store.RiskWrite}, Sites: []warehouse.Site{"DC-1"}}
	secret, id, err := db.CreateKey(t.Context(), want, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^tly_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$`).MatchString(secret) || !strings.Contains(secret, id) {
		t.Errorf("secret %q of key %s", secret, id)
	}
	k, err := db.KeyBySecret(t.Context(), secret)
	if err != nil || k.ID != id || k.Name != "dock" || !k.Allows(store.RiskWrite, "DC-1") ||
		k.Allows(store.RiskWrite, "DC-2") || k.Allows(store.RiskRead, "DC-1") {
		t.Errorf("%+v, %v", k, err)
	}
	keys, err := db.Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].LastUsedAt == nil {
		t.Errorf("%+v, %v", keys, err)
	}

	conn := connect(t, dsn)
	var leaked bool
	if err := conn.QueryRow(t.Context(), `select bool_or(k::text like '%' || $1 || '%') from api_key k`, secret[18:61]).Scan(&leaked); err != nil || leaked {
		t.Errorf("the secret can be read from the table: %v, %v", leaked, err)
	}
	for name, wrong := range map[string]string{
		"empty": "", "short": "tly", "changed secret": flip(secret, 20), "changed checksum": flip(secret, len(secret)-1),
		"changed id": flip(secret, 10), "changed environment": flip(secret, 5), "with a space": secret + " ", "twice": secret + secret,
	} {
		if _, err := db.KeyBySecret(t.Context(), wrong); !errors.Is(err, store.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	exec(t, conn, `update api_key set created_at = created_at - interval '2 hours', expires_at = now() - interval '1 second'`)
	if _, err := db.KeyBySecret(t.Context(), secret); !errors.Is(err, store.ErrUnauthorized) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: %v", err)
	}
	if err := db.RevokeKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := db.KeyBySecret(t.Context(), secret); !errors.Is(err, store.ErrUnauthorized) || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("revoked: %v", err)
	}
	if err := db.RevokeKey(t.Context(), "nosuchid"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoke no key: %v", err)
	}
}

// A key whose secret part is right in form, checksum included, but not the one
// that was given out.
func TestForgedKey(t *testing.T) {
	db := storetest.DB(t)
	mine, _, err := db.CreateKey(t.Context(), store.APIKey{Name: "a", Env: "live", Scopes: store.Scopes}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	dsn := storetest.DSN(t)
	if _, err := open(t, dsn).KeyBySecret(t.Context(), mine); !errors.Is(err, store.ErrUnauthorized) {
		t.Errorf("another database's key: %v", err)
	}
	exec(t, connect(t, dsn), `
		insert into api_key (id, name, env, secret_hash, scopes, sites, expires_at)
		values ($1, 'b', 'live', sha256('x'), '{risk:read}', '{}', now() + interval '1 hour')`, mine[9:17])
	if _, err := open(t, dsn).KeyBySecret(t.Context(), mine); !errors.Is(err, store.ErrUnauthorized) {
		t.Errorf("the same id with another secret: %v", err)
	}
}

func flip(s string, i int) string {
	b := []byte(s)
	if b[i] == 'x' {
		b[i] = 'y'
	} else {
		b[i] = 'x'
	}
	return string(b)
}

func TestKeyIsChecked(t *testing.T) {
	db := storetest.DB(t)
	good := store.APIKey{Name: "dock", Env: "live", Scopes: store.Scopes}
	for name, broken := range map[string]func(*store.APIKey){
		"no name":            func(k *store.APIKey) { k.Name = "" },
		"no scope":           func(k *store.APIKey) { k.Scopes = []store.Scope{} },
		"a right to say yes": func(k *store.APIKey) { k.Scopes = []store.Scope{"steps:approve"} },
		"an odd environment": func(k *store.APIKey) { k.Env = "li_ve" },
		"an empty site":      func(k *store.APIKey) { k.Sites = []warehouse.Site{""} },
	} {
		k := good
		broken(&k)
		if _, _, err := db.CreateKey(t.Context(), k, time.Hour); err == nil {
			t.Errorf("%s: created", name)
		}
	}
	for _, life := range []time.Duration{0, -time.Hour, 400 * 24 * time.Hour} {
		if _, _, err := db.CreateKey(t.Context(), good, life); err == nil {
			t.Errorf("life of %s: created", life)
		}
	}
}
