package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// NewKey makes an Ed25519 key for the log called origin. The first text is to
// be kept secret; the second, the verifier key, is for everybody.
func NewKey(random io.Reader, origin string) (secret, public string, err error) {
	secret, public, err = note.GenerateKey(random, origin)
	if err != nil {
		return "", "", fmt.Errorf("audit key: %w", err)
	}
	return secret, public, nil
}

// Signer signs checkpoints with every key in force. While a key is replaced,
// there are two: the old one vouches for the new one, as a checkpoint names the
// keys it is signed with.
type Signer struct {
	origin  string
	signers []note.Signer
	public  []string
}

// NewSigner reads secret keys as [NewKey] makes them, one on each line. All are
// for the same origin.
func NewSigner(secrets string) (*Signer, error) {
	s := &Signer{}
	for line := range strings.Lines(secrets) {
		secret := strings.TrimSpace(line)
		if secret == "" {
			continue
		}
		signer, err := note.NewSigner(secret)
		if err != nil {
			return nil, fmt.Errorf("audit key %d: it is not a secret key of this log", len(s.signers)+1)
		}
		if s.origin != "" && signer.Name() != s.origin {
			return nil, fmt.Errorf("audit key of %s: the one before is of %s; keys of a log share its name", signer.Name(), s.origin)
		}
		public, err := publicOf(secret)
		if err != nil {
			return nil, err
		}
		s.origin, s.signers, s.public = signer.Name(), append(s.signers, signer), append(s.public, public)
	}
	if len(s.signers) == 0 {
		return nil, errors.New("audit key: there is none")
	}
	return s, nil
}

// publicOf returns the verifier key of a secret key that is known to be one.
func publicOf(secret string) (string, error) {
	parts := strings.Split(secret, "+") // PRIVATE+KEY+name+hash+key
	seed, err := base64.StdEncoding.DecodeString(strings.Join(parts[4:], "+"))
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", errors.New("audit key: it is not an Ed25519 key")
	}
	private := ed25519.NewKeyFromSeed(seed[1:])
	return note.NewEd25519VerifierKey(parts[2], private.Public().(ed25519.PublicKey))
}

// Public returns the verifier keys.
func (s *Signer) Public() []string { return slices.Clone(s.public) }

// Origin returns the name of the log.
func (s *Signer) Origin() string { return s.origin }

// Sign returns the signed note of a checkpoint, with the log's name and the keys.
func (s *Signer) Sign(c Checkpoint) ([]byte, error) {
	c.Origin, c.Keys = s.origin, s.public
	return note.Sign(&note.Note{Text: c.text()}, s.signers...)
}

// trust is which keys may sign now, as checkpoints are read from the oldest on.
type trust struct {
	keys   map[string]note.Verifier
	listed []string
}

func newTrust(keys []string) (*trust, error) {
	if len(keys) == 0 {
		return nil, errors.New("no verifier key: a log cannot vouch for its own, so give one that you hold")
	}
	t := &trust{keys: map[string]note.Verifier{}}
	return t, t.add(keys)
}

func (t *trust) add(keys []string) error {
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return fmt.Errorf("verifier key %q: %w", k, err)
		}
		t.keys[k] = v
	}
	return nil
}

// open verifies the next checkpoint. The keys it names are trusted from then on,
// and those that the one before named and it does not are not any more.
func (t *trust) open(signed []byte) (Checkpoint, error) {
	c, err := OpenCheckpoint(signed, t.verifiers())
	if err != nil {
		return c, err
	}
	if !slices.Equal(c.Keys, t.listed) {
		for _, k := range t.listed {
			if !slices.Contains(c.Keys, k) {
				delete(t.keys, k)
			}
		}
		t.listed = c.Keys
		if err := t.add(c.Keys); err != nil {
			return c, fmt.Errorf("checkpoint of %d entries: %w", c.Size, err)
		}
	}
	n, err := openNote(signed, t.verifiers())
	if err != nil || len(n.Sigs) < len(c.Keys) {
		return c, fmt.Errorf("checkpoint of %d entries: not every key that it names has signed it", c.Size)
	}
	return c, nil
}

func (t *trust) verifiers() note.Verifiers {
	return note.VerifierList(slices.Collect(maps.Values(t.keys))...)
}
