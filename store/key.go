package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/warehouse"
)

// Scope is a right of an API key. No key can have the right to approve.
type Scope string

// The scopes.
const (
	EventsWrite Scope = "events:write"
	RiskWrite   Scope = "risk:write"
	RiskRead    Scope = "risk:read"
	QueueRead   Scope = "queue:read"
	StepsRead   Scope = "steps:read"

	TicketsWrite Scope = "tickets:write"
	TicketsRead  Scope = "tickets:read"
)

// Scopes lists every scope.
var Scopes = []Scope{EventsWrite, RiskWrite, RiskRead, QueueRead, StepsRead, TicketsWrite, TicketsRead}

// APIKey is a key without its secret.
type APIKey struct {
	ID         string // eight characters, part of the secret text
	Name       string
	Env        string // such as "live", part of the secret text
	Scopes     []Scope
	Sites      []warehouse.Site   // none for every site
	Sources    []warehouse.Source // whose events it may send; none for every source
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt *time.Time // to the minute
	RevokedAt  *time.Time
}

// Allows reports whether the key has the right at the site.
func (k *APIKey) Allows(scope Scope, site warehouse.Site) bool {
	return slices.Contains(k.Scopes, scope) && (len(k.Sites) == 0 || slices.Contains(k.Sites, site))
}

// Sends reports whether the key may send events of the source. Their ids are
// unique within it, so that another's key could take them.
func (k *APIKey) Sends(source warehouse.Source) bool {
	return len(k.Sources) == 0 || slices.Contains(k.Sources, source)
}

// Lengths of the random parts. 43 characters of 62 hold 256 bits.
const (
	keyIDLen  = 8
	secretLen = 43
	checkLen  = 6
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func randomBase62(n int) string {
	b := make([]byte, 0, n)
	for len(b) < n {
		var draw [64]byte
		_, _ = rand.Read(draw[:]) // never fails
		for _, v := range draw {
			if v < 62*4 && len(b) < n { // 248 and more would favour some characters
				b = append(b, base62[v%62])
			}
		}
	}
	return string(b)
}

// checksum is CRC-32 in base 62: it lets a scanner for leaked keys, and us,
// tell a key from a look-alike without asking the database.
func checksum(s string) string {
	b := make([]byte, checkLen)
	sum := crc32.ChecksumIEEE([]byte(s))
	for i := range b {
		b[checkLen-1-i] = base62[sum%62]
		sum /= 62
	}
	return string(b)
}

// parseKey takes tly_<env>_<id>_<secret>_<checksum> apart.
func parseKey(text string) (id string, hash [sha256.Size]byte, ok bool) {
	body, sum := text[:max(0, len(text)-checkLen-1)], text[max(0, len(text)-checkLen):]
	parts := strings.Split(body, "_")
	if len(parts) != 4 || parts[0] != "tly" || len(parts[2]) != keyIDLen || len(parts[3]) != secretLen ||
		text != body+"_"+sum || checksum(body) != sum {
		return "", hash, false
	}
	return parts[2], sha256.Sum256([]byte(parts[3])), true
}

// CreateKey makes a key and returns its secret, which nobody can read again.
// Name, Env, Scopes, Sites and Sources are taken from k; it lives for at most 366 days.
func (db *DB) CreateKey(ctx context.Context, k APIKey, life time.Duration) (secret string, id string, err error) {
	id, random := randomBase62(keyIDLen), randomBase62(secretLen)
	body := strings.Join([]string{"tly", k.Env, id, random}, "_")
	hash := sha256.Sum256([]byte(random))
	_, err = db.pool.Exec(ctx, `
		insert into api_key (id, name, env, secret_hash, scopes, sites, sources, expires_at)
		values ($1, $2, $3, $4, $5, coalesce($6, '{}'::text[]), coalesce($7, '{}'::text[]), now() + $8)`,
		id, k.Name, k.Env, hash[:], k.Scopes, k.Sites, k.Sources, life)
	if err != nil {
		return "", "", fmt.Errorf("create API key %q: %w", k.Name, err)
	}
	return body + "_" + checksum(body), id, nil
}

// storedKey is what it takes to judge a secret.
type storedKey struct {
	APIKey
	SecretHash []byte
	Expired    bool
	NoteUse    bool
}

const keyColumns = `id, name, env, scopes, sites, sources, created_at, expires_at, last_used_at, revoked_at`

const keyQuery = `
	select ` + keyColumns + `, secret_hash, expires_at <= now() as expired,
		last_used_at is null or last_used_at < now() - interval '1 minute' as note_use
	from api_key
	where id = $1`

// KeyBySecret returns the key that a secret opens and notes its use, or an
// error that wraps [ErrUnauthorized].
func (db *DB) KeyBySecret(ctx context.Context, secret string) (APIKey, error) {
	id, hash, ok := parseKey(secret)
	if !ok {
		return APIKey{}, fmt.Errorf("not a key: %w", ErrUnauthorized)
	}
	rows, _ := db.pool.Query(ctx, keyQuery, id)
	k, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[storedKey])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return APIKey{}, fmt.Errorf("no such key: %w", ErrUnauthorized)
	case err != nil:
		return APIKey{}, fmt.Errorf("API key %s: %w", id, err)
	case subtle.ConstantTimeCompare(k.SecretHash, hash[:]) != 1:
		return APIKey{}, fmt.Errorf("no such key: %w", ErrUnauthorized)
	case k.RevokedAt != nil:
		return APIKey{}, fmt.Errorf("key %s is revoked: %w", id, ErrUnauthorized)
	case k.Expired:
		return APIKey{}, fmt.Errorf("key %s expired on %s: %w", id, k.ExpiresAt.Format(time.DateOnly), ErrUnauthorized)
	}
	if k.NoteUse {
		if _, err := db.pool.Exec(ctx, `update api_key set last_used_at = now() where id = $1`, id); err != nil {
			return APIKey{}, fmt.Errorf("note use of API key %s: %w", id, err)
		}
	}
	return k.APIKey, nil
}

// Keys returns every key, the newest first.
func (db *DB) Keys(ctx context.Context) ([]APIKey, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+keyColumns+`
		from api_key
		order by created_at desc, id`)
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByName[APIKey])
	if err != nil {
		return nil, fmt.Errorf("API keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key for good.
func (db *DB) RevokeKey(ctx context.Context, id string) error {
	tag, err := db.pool.Exec(ctx, `
		update api_key
		set revoked_at = coalesce(revoked_at, now())
		where id = $1`, id)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("revoke API key %s: %w", id, err)
	}
	return nil
}
