package jobs

import (
	"context"
	"log/slog"
	"time"
)

// upkeep is work that is done again and again. do returns on how many things.
type upkeep struct {
	of string
	do func(context.Context) (int, error)
}

// keepUp does all of it at once and then in every interval, until ctx ends. Trouble
// is logged and tried again.
func keepUp(ctx context.Context, every time.Duration, log *slog.Logger, all ...upkeep) {
	each := time.NewTicker(every)
	defer each.Stop()
	for {
		for _, u := range all {
			n, err := u.do(ctx)
			if err != nil && ctx.Err() == nil {
				log.Error("upkeep", slog.String("of", u.of), slog.Any("error", err))
			} else if n > 0 {
				log.Info("upkeep", slog.String("of", u.of), slog.Int("n", n))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-each.C:
		}
	}
}
