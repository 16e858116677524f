package store

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost of hashing a password: the first choice of the OWASP Password Storage
// Cheat Sheet for argon2id.
const (
	argonMemory = 46 * 1024 // KiB
	argonTime   = 1
	argonLanes  = 1
	argonKey    = 32 // bytes
	argonSalt   = 16 // bytes
)

// Bounds of a password. Length is what counts; there are no rules about signs.
const (
	MinPassword = 12 // characters
	maxPassword = 1024
)

// hashing bounds how many passwords are hashed at once, and with it the memory:
// 4 times 46 MiB.
var hashing = make(chan struct{}, 4)

// ErrPassword says that a text cannot be a password.
var ErrPassword = fmt.Errorf("a password has at least %d characters", MinPassword)

// hashPassword returns the argon2id hash in PHC form.
func hashPassword(ctx context.Context, password string) (string, error) {
	if utf8.RuneCountInString(password) < MinPassword || len(password) > maxPassword || !utf8.ValidString(password) {
		return "", ErrPassword
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails
	key, err := argon(ctx, password, salt, argonTime, argonMemory, argonLanes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// nobodysHash is compared with where there is no account, so that it takes as
// long. No password has a key of zeros.
var nobodysHash = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
	base64.RawStdEncoding.EncodeToString(make([]byte, argonSalt)), base64.RawStdEncoding.EncodeToString(make([]byte, argonKey)))

// checkPassword compares a password with a hash in PHC form.
func checkPassword(ctx context.Context, password, phc string) (bool, error) {
	var version int
	var memory, time uint32
	var lanes uint8
	var rest string
	if _, err := fmt.Sscanf(phc, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &memory, &time, &lanes, &rest); err != nil {
		return false, fmt.Errorf("hash of a password: %w", err)
	}
	salt, key, err := cutHash(rest)
	if err != nil || version != argon2.Version || memory > 1<<20 || time < 1 || time > 64 || lanes < 1 {
		return false, errors.Join(errors.New("hash of a password: unknown version or cost"), err)
	}
	if len(password) > maxPassword {
		password = "" // which no hash is of
	}
	got, err := argon(ctx, password, salt, time, memory, lanes)
	return err == nil && subtle.ConstantTimeCompare(got, key) == 1, err
}

func cutHash(text string) (salt, key []byte, err error) {
	for i := range text {
		if text[i] != '$' {
			continue
		}
		if salt, err = base64.RawStdEncoding.DecodeString(text[:i]); err == nil {
			key, err = base64.RawStdEncoding.DecodeString(text[i+1:])
		}
		if err == nil && len(key) != argonKey {
			err = errors.New("its key is of another length")
		}
		return salt, key, err
	}
	return nil, nil, errors.New("it has no salt")
}

// argon waits for its turn: memory is bounded, not the number of callers.
func argon(ctx context.Context, password string, salt []byte, time, memory uint32, lanes uint8) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
		return argon2.IDKey([]byte(password), salt, time, memory, lanes, argonKey), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
