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

// Operation is one call that the execution of a step makes: which bytes go to
// which target, and which bytes take the effect back.
type Operation struct {
	Target     string // its name
	Body       []byte // exactly what is sent
	Compensate []byte // what undoes it; nil when nothing does
}

// Plan is the operations of a step in order. An operation that nothing undoes
// comes last.
type Plan []Operation

// Hash covers every byte that would be sent, and to whom.
func (p Plan) Hash() Hash {
	h := sha256.New()
	h.Write([]byte("tallyman/plan/v1\x00"))
	for _, o := range p {
		writeText(h, o.Target)
		writeText(h, string(o.Body))
		writeText(h, string(o.Compensate))
	}
	return Hash(h.Sum(nil))
}

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
	Expires     time.Time
}

// Hash is what the approver echoes.
func (b Binding) Hash() Hash {
	h := sha256.New()
	h.Write([]byte("tallyman/bind/v1\x00"))
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
