package training

import (
	"fmt"
	"testing"

	"tallyman/warehouse"
)

// A setting that is as much better everywhere beats another, at few sites as
// at many; one that is better in one place only does not.
func TestClearlyBetterHoldsUpAcrossSitesOrWeeks(t *testing.T) {
	for _, test := range []struct {
		name         string
		sites, weeks int
		everywhere   bool
		want         bool
	}{
		{"at many sites", 30, 1, true, true},
		{"at one of many sites", 30, 8, false, false},
		{"at two sites in every week", 2, 8, true, true},
		{"at two sites in one week", 2, 8, false, false},
		{"at two sites in two weeks", 2, 2, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			better, other := &crossValidation{}, &crossValidation{}
			for s := range test.sites {
				for w := range test.weeks {
					margin := float32(0)
					if test.everywhere || s == 0 && w == 0 {
						margin = 1
					}
					better.units = append(better.units, unit{warehouse.Site(fmt.Sprint("S", s)), int64(w)})
					better.y, better.margins, other.margins = append(better.y, 1), append(better.margins, margin), append(other.margins, 0)
				}
			}
			if got := better.clearlyBeats(other); got != test.want {
				t.Errorf("clearly beats: %v, want %v", got, test.want)
			}
		})
	}
}
