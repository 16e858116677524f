package guardrails

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// StepID names a workflow step.
type StepID string

// PayloadHash hashes canonical payload bytes.
func PayloadHash(payload []byte) Hash { return domainHash("tallyman/rec/v1", payload) }

// Binding is everything that an approver says yes to. An approval echoes its
// hash; when anything in it changes, the approval is void.
type Binding struct {
	Step        StepID
	Payload     Hash
	Evidence    Hash
	Plan        Hash
	Policy      string // version
	Requirement Hash
	Since       time.Time // from when those count who may stand in; zero where nobody may
	Expires     time.Time
}

// Hash is what the approver echoes.
func (b Binding) Hash() Hash {
	h := sha256.New()
	if b.Since.IsZero() {
		h.Write([]byte("tallyman/bind/v1\x00"))
	} else {
		h.Write([]byte("tallyman/bind/v2\x00"))
		writeInt(h, b.Since.UnixMicro())
	}
	writeText(h, string(b.Step))
	for _, part := range []Hash{b.Payload, b.Evidence, b.Plan, b.Requirement} {
		h.Write(part[:])
	}
	writeText(h, b.Policy)
	writeInt(h, b.Expires.UnixMicro())
	return Hash(h.Sum(nil))
}

// IdempotencyKey names an operation for ever: the same on every attempt, after
// every crash and on every replay. Compensation has its own.
func IdempotencyKey(step StepID, operation int, payload Hash, compensation bool) string {
	b := append([]byte("tallyman/idem/v1\x00"), step...)
	b = binary.BigEndian.AppendUint64(append(b, 0), uint64(operation))
	b = append(b, payload[:]...)
	if compensation {
		b = append(b, ":comp"...)
	}
	sum := sha256.Sum256(b)
	return "tly_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}

// Targets that need no configuration.
const (
	TargetInternal = "tallyman" // the effect is the program's own
	TargetManual   = "manual"   // people carry it out and say so
)
