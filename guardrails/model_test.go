package guardrails

import (
	"maps"
	"slices"
	"time"
)

// model is a second, simpler telling of the life of one step, which the tests
// of random sequences compare the machine with. It shares no rule with it: roles
// are letters, bindings are numbers, times are minutes.
type model struct {
	now      int
	people   []modelPerson
	deputies []modelDeputy

	state    State
	epoch    int // of the binding
	needs    map[string]int
	ladder   map[[2]string]int // minutes after which, for a role, another stands in
	since    int               // when it began to wait
	fresh    bool
	value    int64
	life     int // that the requirement gives
	expires  int
	approved int // when
	proposer int
	counter  int
	said     []modelSaying
	off      bool // a kill switch
}

type modelPerson struct {
	active bool
	roles  map[string]bool
	limit  int64
	login  int
}

type modelDeputy struct {
	from, to   int
	begin, end int
	revoked    bool
}

type modelSaying struct {
	who, principal int // principal is nobody for themselves
	yes            bool
	role, as       string // of the slot, and that was used
	epoch          int
}

const nobody = -1

func (m *model) stranger(who int) bool { return who != m.proposer && who != m.counter }

// authority is whose roles are used.
func authority(who, principal int) int {
	if principal != nobody {
		return principal
	}
	return who
}

func (m *model) may(who, principal int) bool {
	if who == nobody || !m.people[who].active {
		return false
	}
	if principal == nobody {
		return true
	}
	return m.people[principal].active && len(m.people[who].roles) > 0 && slices.ContainsFunc(m.deputies, func(d modelDeputy) bool {
		return d.from == principal && d.to == who && !d.revoked && d.begin <= m.now && m.now < d.end
	})
}

func (m *model) holds(who int) bool {
	for role := range m.needs {
		if m.people[who].roles[role] {
			return true
		}
	}
	for rung, after := range m.ladder {
		if m.people[who].roles[rung[1]] && m.now-m.since >= after && m.since+after < m.expires {
			return true
		}
	}
	return false
}

// counts are the approvals that count now, by role.
func (m *model) counts() map[string]int {
	counts := map[string]int{}
	for _, s := range m.said {
		by := authority(s.who, s.principal)
		good := s.yes && s.epoch == m.epoch && m.people[s.who].active && m.people[by].active && m.stranger(s.who) && m.stranger(by) &&
			m.people[by].roles[s.as] && m.people[by].limit >= m.value
		if good {
			counts[s.role]++
		}
	}
	return counts
}

func (m *model) enough(counts map[string]int) bool {
	for role, n := range m.needs {
		if counts[role] < n {
			return false
		}
	}
	return len(m.needs) > 0
}

// approve says whether an approval is accepted, and carries it out.
func (m *model) approve(who, principal, epoch int) bool {
	if !m.may(who, principal) || m.state != Pending || m.now >= m.expires || epoch != m.epoch {
		return false
	}
	by := authority(who, principal)
	if !m.stranger(who) || !m.stranger(by) {
		return false
	}
	for _, s := range m.said {
		for _, id := range []int{who, by} {
			if s.epoch == m.epoch && (s.who == id || s.principal == id) {
				return false
			}
		}
	}
	role, as := m.place(by)
	if role == "" || m.people[by].limit < m.value || m.fresh && (m.now-m.people[who].login > 15 || m.people[who].login > m.now) {
		return false
	}
	m.said = append(m.said, modelSaying{who, principal, true, role, as, m.epoch})
	if m.enough(m.counts()) {
		m.state, m.approved = Approved, m.now
	}
	return true
}

// place says for which role somebody approves, and as what: in their own role if
// that is free, else for whom they stood in first.
func (m *model) place(who int) (role, as string) {
	counts, roles := m.counts(), []string{"a", "b", "c", "d"}
	for _, r := range roles {
		if m.people[who].roles[r] && counts[r] < m.needs[r] {
			return r, r
		}
	}
	best := m.now - m.since + 1
	for _, r := range roles {
		for _, other := range roles {
			after, on := m.ladder[[2]string{r, other}]
			if on && m.people[who].roles[other] && counts[r] < m.needs[r] && after < best {
				best, role, as = after, r, other
			}
		}
	}
	return role, as
}

func (m *model) decline(who, epoch int, becomes State) bool {
	open := m.state == Pending || m.state == ChangesRequested && becomes == Rejected
	if !m.may(who, nobody) || !open || m.now >= m.expires || epoch != m.epoch || !m.holds(who) {
		return false
	}
	for _, s := range m.said {
		if s.epoch == m.epoch && (s.who == who || s.principal == who) {
			return false
		}
	}
	m.said = append(m.said, modelSaying{who, nobody, false, "", "", m.epoch})
	m.state = becomes
	return true
}

func (m *model) waiting() bool { return m.state == Pending || m.state == ChangesRequested }

func (m *model) expire() bool {
	if !m.waiting() || m.now < m.expires {
		return false
	}
	m.state = Expired
	return true
}

func (m *model) supersede() bool {
	if !m.waiting() {
		return false
	}
	m.state = Superseded
	return true
}

func (m *model) withdraw(who int) bool {
	late := m.state == Approved || m.state == Failed
	if !m.waiting() && !late {
		return false
	}
	if who == nobody && late || who != nobody && (!m.people[who].active || who != m.proposer && !m.holds(who)) {
		return false
	}
	m.state = Withdrawn
	return true
}

// tighten asks for n of a role in addition to what is needed, with a ladder of its
// own.
func (m *model) tighten(role string, n int, fresh bool, life int, ladder map[string]int) bool {
	if m.state != Pending || m.now >= m.expires {
		return false
	}
	left := maps.Clone(m.ladder)
	for _, other := range []string{"a", "b", "c", "d"} {
		rung := [2]string{role, other}
		after, on := ladder[other]
		switch was, there := m.ladder[rung]; {
		case m.needs[role] == 0 && on:
			left[rung] = after
		case there && on:
			left[rung] = max(was, after)
		default:
			delete(left, rung)
		}
	}
	maps.DeleteFunc(left, func(rung [2]string, _ int) bool { return rung[1] == role || m.needs[rung[1]] > 0 })
	if m.needs[role] >= n && (m.fresh || !fresh) && m.life <= life && maps.Equal(left, m.ladder) {
		return false
	}
	m.life, m.ladder, m.since = min(m.life, life), left, m.now
	m.needs[role] = max(m.needs[role], n)
	m.fresh = m.fresh || fresh
	m.expires = min(m.expires, m.now+m.life)
	m.epoch++
	return true
}

func (m *model) dispatch() bool {
	if m.state != Approved || m.off {
		return false
	}
	if m.now-m.approved > 24*60 || !m.enough(m.counts()) {
		m.state = Invalidated
		return true
	}
	m.state = Executing
	return true
}

func (m *model) settle(e Event) bool {
	next := map[State]map[Event]State{
		Executing:    {Confirmed: Succeeded, Lost: Unknown, GaveUp: Failed, Retried: Executing, CompensationBegun: Compensating},
		Unknown:      {Confirmed: Succeeded, Retried: Executing, GaveUp: Failed, CompensationBegun: Compensating},
		Compensating: {CompensationDone: Compensated, CompensationGaveUp: CompensationFailed, Retried: Compensating},
	}[m.state][e]
	if next == "" {
		return false
	}
	m.state = next
	return true
}

func (m *model) replay(who int) bool {
	if !m.may(who, nobody) || !m.holds(who) || m.off {
		return false
	}
	if m.state != Failed && m.state != CompensationFailed || m.now-m.approved > 72*60 {
		return false
	}
	for _, s := range m.said {
		if m.value > 100_000 && s.yes && (s.who == who || s.principal == who) {
			return false
		}
	}
	if m.state == CompensationFailed {
		m.state = Compensating
	} else {
		m.state = Executing
	}
	return true
}

func minutes(n int) time.Time { return time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC) }
