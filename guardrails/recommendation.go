package guardrails

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tallyman/warehouse"
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns its first eight digits, for people to compare.
func (h Hash) Short() string { return h.String()[:8] }

// ParseHash reads what [Hash.String] wrote.
func ParseHash(s string) (Hash, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return Hash{}, errors.New("it is not 64 hexadecimal digits")
	}
	return Hash(b), nil
}

func domainHash(domain string, b []byte) Hash {
	h := sha256.New()
	h.Write([]byte(domain + "\x00"))
	h.Write(b)
	return Hash(h.Sum(nil))
}

// UnknownAmount stands for a value or variance that nobody knows. It is beyond every
// limit, so that what is missing falls into the strictest band.
const UnknownAmount = math.MaxInt64

// A Recommendation is what somebody or something wants done, and why. It never
// changes; a better one supersedes it.
type Recommendation struct {
	Site     warehouse.Site
	Action   Action
	Parties  []Party // one of them the proposer
	Facts    Facts
	Evidence Evidence
}

// Facts are what policy may look at. Amounts are absolute: over and under are
// banded alike.
type Facts struct {
	ValueMinor    int64              // what is at stake, in the minor unit of Currency, or UnknownAmount
	Currency      warehouse.Currency // of the value
	RecentMinor   int64              // value of other steps on the same stock within a day
	VariancePPM   int64              // against the larger of book and one unit, or UnknownAmount
	Class         string             // of the SKU, such as "A"
	Flags         []string           // such as "serialised", "regulated", "theft"
	Repeats       int64              // earlier variances of the position in 90 days
	ScorePPM      int64              // calibrated probability, when a model proposed
	WithinTol     bool               // after a recount
	CustomerAgree bool               // the customer's acceptance is on record
}

// Evidence is what the recommendation rests on, as the approver sees it.
type Evidence struct {
	Body     []byte    // canonical JSON: score, reasons, counts
	Model    int64     // 0 when no model was asked
	Artifact Hash      // of the model
	ScoredAt time.Time // when it was asked
}

// Hash covers the whole of the evidence.
func (e *Evidence) Hash() Hash {
	h := sha256.New()
	h.Write([]byte("tallyman/evidence/v1\x00"))
	writeText(h, string(e.Body))
	writeInt(h, e.Model)
	h.Write(e.Artifact[:])
	writeInt(h, e.ScoredAt.UnixMicro())
	return Hash(h.Sum(nil))
}

// Banded returns the value that decides the band: what is at stake here and what
// other steps on the same stock within a day put at stake. Splitting an amount
// does not lower it, and a sum that does not fit is unknown.
func (f *Facts) Banded() int64 {
	if f.ValueMinor < 0 || f.RecentMinor < 0 || f.ValueMinor > UnknownAmount-f.RecentMinor {
		return UnknownAmount
	}
	return f.ValueMinor + f.RecentMinor
}

// Check reports what makes the recommendation impossible to propose.
func (r *Recommendation) Check() error {
	if r.Action == nil {
		return errors.New("it has no action")
	}
	if !slices.ContainsFunc(r.Parties, func(p Party) bool { return p.Part == Proposer }) {
		return errors.New("it has no proposer")
	}
	for _, p := range r.Parties {
		if p.Person == 0 && p.Ref == "" {
			return fmt.Errorf("its %s is nobody", p.Part)
		}
	}
	f := &r.Facts
	if f.ValueMinor < 0 || f.RecentMinor < 0 || f.VariancePPM < 0 || f.Repeats < 0 {
		return errors.New("an amount is below zero; amounts are absolute")
	}
	if f.ScorePPM < 0 || f.ScorePPM > 1_000_000 {
		return fmt.Errorf("its score of %d ppm is not between 0 and 1000000", f.ScorePPM)
	}
	if f.Currency != "" || f.ValueMinor == 0 || f.ValueMinor == UnknownAmount {
		return nil
	}
	return errors.New("its value has no currency")
}

// Missing returns the parts that the kind needs and nobody is known to have
// played. A step with a missing part is blocked.
func (r *Recommendation) Missing() Parts {
	missing := r.Action.Kind().Needs()
	for _, p := range r.Parties {
		missing &^= p.Part
	}
	return missing
}
