package jobs

import (
	"context"
	"log/slog"
	"time"

	"tallyman/audit"
	"tallyman/store"
)

// Anchor is a place outside the database that keeps checkpoints. One that it
// gets twice does no harm.
type Anchor struct {
	Name string
	Put  func(ctx context.Context, checkpoint []byte) error
}

const (
	// auditPause is how long entries may wait for their places in the tree.
	auditPause = time.Second

	// anchorEvery is how often an anchor gets the newest checkpoint: what is
	// newer than the last one anchored, a superuser can still remove unnoticed.
	anchorEvery = 10 * time.Minute
)

// Audit gives audit entries their places, signs checkpoints and brings them to
// the anchors, until ctx ends. Any number of processes may do so at once: they
// take turns. Trouble is logged once, and tried again.
func Audit(ctx context.Context, db *store.DB, signer *audit.Signer, anchors []Anchor, log *slog.Logger) {
	k := keeper{db: db, anchors: anchors, log: log, said: map[string]string{}}
	for ctx.Err() == nil {
		placed, err := db.SequenceAudit(ctx, signer)
		k.say(ctx, "sequencing the audit log", err)
		if placed == store.AuditBatch {
			continue
		}
		k.anchor(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(auditPause):
		}
	}
}

type keeper struct {
	db      *store.DB
	anchors []Anchor
	log     *slog.Logger
	said    map[string]string // the last trouble of each activity
}

// say logs trouble when it begins or changes.
func (k *keeper) say(ctx context.Context, activity string, err error) {
	text := ""
	if err != nil && ctx.Err() == nil {
		text = err.Error()
	}
	if text != "" && text != k.said[activity] {
		k.log.Error("trouble with the audit log", slog.String("at", activity), slog.String("error", text))
	}
	k.said[activity] = text
}

func (k *keeper) anchor(ctx context.Context) {
	for _, a := range k.anchors {
		k.say(ctx, "anchoring at "+a.Name, k.anchorAt(ctx, a))
	}
}

func (k *keeper) anchorAt(ctx context.Context, a Anchor) error {
	size, note, err := k.db.DueAnchor(ctx, a.Name, anchorEvery)
	if err != nil || size == 0 {
		return err
	}
	if err := a.Put(ctx, note); err != nil {
		return err
	}
	return k.db.Anchored(ctx, size, a.Name)
}
