package web

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// GroupRole says what being in a group of the identity provider gives.
type GroupRole struct {
	Group string
	Grant guardrails.Grant
}

// ReadGroupRoles reads a table, one row a line: group, role, site, limit of one
// step and limit of a day, with blanks between. "#" begins a comment. Where two
// groups give one role at one site, the first row counts.
func ReadGroupRoles(from io.Reader) ([]GroupRole, error) {
	var roles []GroupRole
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if len(words) != 5 {
			return nil, fmt.Errorf("line %d has %d words; it must have five: group, role, site, limit, daily limit", n, len(words))
		}
		g := guardrails.Grant{Role: guardrails.Role(words[1]), Site: warehouse.Site(words[2])}
		var err error
		if g.Limit, err = guardrails.ParseLimit(words[3]); err == nil {
			g.Daily, err = guardrails.ParseLimit(words[4])
		}
		if err == nil && g.Limit.Unlimited != g.Daily.Unlimited {
			err = fmt.Errorf("either both limits are unlimited or none is")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		roles = append(roles, GroupRole{words[0], g})
	}
	return roles, lines.Err()
}
