package guardrails

import (
	"fmt"
	"testing"
	"time"
)

// turns are the hours in which clocks are changed, and the second that some days
// have more.
var turns = []struct {
	zone string
	at   time.Time
}{
	{"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
	{"Europe/Berlin", time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC)},
	{"America/New_York", time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
	{"Australia/Lord_Howe", time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)}, // by half an hour
	{"UTC", time.Date(2016, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},     // before a leap second
}

// A limit of time is so many seconds, wherever the clocks stand: a day of 25 hours
// makes no approval last longer, and one of 23 hours none shorter.
func TestAttackTime(t *testing.T) {
	for _, turn := range turns {
		t.Run(fmt.Sprintf("26 clocks change in %s on %s", turn.zone, turn.at.Format(time.DateOnly)), func(t *testing.T) {
			zone, err := time.LoadLocation(turn.zone)
			if err != nil {
				t.Fatal(err)
			}
			for _, before := range []time.Duration{-13 * time.Hour, -time.Hour, -time.Minute, 0} {
				timeLimits(t, turn.at.Add(before), zone)
			}
		})
	}
}

// timeLimits looks at each limit a second before and after, from clocks on the wall
// of a zone.
func timeLimits(t *testing.T, begun time.Time, zone *time.Location) {
	t.Helper()
	local := begun.In(zone)
	for _, limit := range []struct {
		name  string
		after time.Duration
		stage func(*scene)
		late  Code
	}{
		{"a step expires", 8 * time.Hour, func(s *scene) { s.step.ExpiresAt = local.Add(8 * time.Hour) }, CodeExpired},
		{"an approval ages", MaxApprovalAge, func(s *scene) { s.approved(0); s.step.ApprovedAt = local }, Code(FoundInvalid)},
		{"a replay ages", ReplayWindow, func(s *scene) { s.failed(); s.step.ApprovedAt = local }, CodeApprovalAge},
		{"an authentication ages", FreshFor, func(s *scene) {
			s.requires(mustRequire(Fresh, Slot{"supervisor", 1}))
			s.ctx.Actor.AuthenticatedAt = local
		}, CodeStepUp},
		{"a delegation ends", 48 * time.Hour, func(s *scene) {
			s.delegated(KindInventoryAdjustment)
			s.ctx.Actor.Delegation.Begin, s.ctx.Actor.Delegation.End = local, local.Add(48*time.Hour)
		}, CodeDelegation},
	} {
		for offset, want := range map[time.Duration]Code{-time.Second: "", time.Second: limit.late} {
			s := stage(func(s *scene) { s.step.ExpiresAt = local.Add(90 * 24 * time.Hour) }, limit.stage)
			s.step.Binding = s.step.NewBinding()
			s.rebind()
			s.ctx.Now = begun.Add(limit.after + offset).In(zone)
			if s.step.State != Approved && limit.late != CodeStepUp && limit.late != CodeDelegation {
				s.ctx.Actor.AuthenticatedAt = s.ctx.Now.Add(-time.Minute)
			}
			if _, code := run(s, guards); code != want {
				t.Errorf("%s, %s after %s: %q, want %q", limit.name, limit.after+offset, local, code, want)
			}
		}
	}
}

// rebind is as when everything was said of the step as it is now.
func (s *scene) rebind() {
	for i := range s.ctx.Decisions {
		s.ctx.Decisions[i].Binding = s.step.Binding
	}
	if _, ok := s.cmd.(Approve); ok {
		s.approve()
	}
}
