package jobs

import (
	"context"
	"log/slog"
	"time"

	"tallyman/store"
)

// policyEvery is how often it is looked whether another policy has come into
// force. New steps are judged by it from its instant on; this is for the steps
// that already wait.
const policyEvery = 30 * time.Second

// AdoptPolicies judges waiting steps by each policy that comes into force, until
// ctx ends. Trouble with the database is logged and tried again.
func AdoptPolicies(ctx context.Context, db *store.DB, log *slog.Logger) {
	for ctx.Err() == nil {
		done, err := db.AdoptPolicy(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error("adopting the policy in force", slog.Any("error", err))
		}
		if done != (store.Rejudged{}) {
			log.Info("another policy is in force",
				slog.Int("tightened", done.Tightened), slog.Int("denied", done.Denied), slog.Int("unblocked", done.Unblocked))
		}
		select {
		case <-ctx.Done():
		case <-time.After(policyEvery):
		}
	}
}
