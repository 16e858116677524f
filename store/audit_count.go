package store

import (
	"context"
	"fmt"

	"tallyman/audit"
)

// noOthers holds, after all places were read, that there are no others. They are
// counted only where the reading does not tell. As every number from 0 on was found,
// none is there twice where there are no more places than numbers.
func (p *placedEntries) noOthers(ctx context.Context) error {
	if alone, err := p.places.alone(ctx, p.tx); err != nil || alone {
		return err
	}
	var places int64
	err := p.tx.QueryRow(ctx, `select count(*) from audit_leaf`).Scan(&places)
	if err != nil || places <= p.size {
		return err
	}
	var twice int64
	err = p.tx.QueryRow(ctx, `
		select coalesce(min(n), -1)
		from (
			select n
			from audit_leaf
			where n >= 0
			group by n
			having count(*) > 1) twice`).Scan(&twice)
	switch {
	case err != nil:
		return err
	case twice >= 0:
		return &audit.Fault{Index: twice, What: "its place is stored twice: one of the two was put there"}
	}
	return &audit.Fault{Index: -1, What: fmt.Sprintf("%d places are stored and %d have a number from 0 on: the others were put there", places, p.size)}
}
