package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// perPage is how many positions one page shows: more than a shift counts.
const perPage = 50

// ofTheSite is the code of the reason that is the same for every position of a
// site: it is said once, above them.
const ofTheSite = "SITE_ERRS_NOW"

// staleAfter is the age from which a ranking is pointed out as old.
const staleAfter = 24 * time.Hour

// queuePage is the count queue of one site.
type queuePage struct {
	frame
	Sites          []choice // empty before the first event
	NoRole         bool     // the viewer has none at any site
	Site           store.Site
	Zones, Classes []choice
	Filtered       bool
	Ranked         bool
	AsOf           string
	Stale          string // how old the ranking is, when that matters
	Behind         bool   // events came that it has not seen
	OfTheSite      string // what is a reason in every row
	Total          int    // positions ranked
	Rows           []queueRow
	First, Next    string // addresses, "" when there is no such page
	All            string // address without filters
	This           string // address of this page
}

// Heading names the page.
func (p *queuePage) Heading() string {
	if p.Site.Code == "" {
		return "Count queue"
	}
	return "Count queue of " + p.Site.Name
}

// choice is an entry of a picker.
type choice struct {
	Value, Label string
	Chosen       bool
}

// queueRow is one position in words.
type queueRow struct {
	Rank           int
	Location, SKU  string
	Zone, Class    string
	Percent        int
	Likely, Level  string
	Size           string // of the difference, if there is one; "" when unknown
	Loss, Currency string
	Minutes        string
	LastCount      string
	Book           string
	BelowZero      bool
	Reasons        []string
	Control        bool
	State, Step    string

	Linked     bool // the viewer can open the step
	Approvable bool
	Binding    string
	Why        string // not approvable
}

func (s *server) queue(w http.ResponseWriter, r *http.Request, v *viewer) {
	query := r.URL.Query()
	if slices.ContainsFunc([]string{query.Get("site"), query.Get("zone"), query.Get("class")}, isBadText) {
		s.render(w, r, http.StatusBadRequest, "message", say("This address is not valid", "Choose a site on the count queue instead."))
		return
	}
	p, err := s.readQueue(r.Context(), query, v)
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.render(w, r, http.StatusNotFound, "message", say("There is no site "+query.Get("site"), "Nothing was heard from it yet, or you have no role there. The count queue lists the sites that you can see."))
	case err != nil:
		s.fail(w, r, err)
	default:
		s.render(w, r, http.StatusOK, "queue", p)
	}
}

func isBadText(s string) bool { return strings.ContainsRune(s, 0) || !utf8.ValidString(s) }

// readQueue returns the page, or an error that wraps [store.ErrNotFound] for a
// site never heard of.
func (s *server) readQueue(ctx context.Context, query url.Values, v *viewer) (*queuePage, error) {
	sites, err := s.db.Sites(ctx)
	if err != nil || len(sites) == 0 {
		return &queuePage{}, err
	}
	if v != nil {
		sites = slices.DeleteFunc(sites, func(x store.Site) bool { return !v.person.Sees(x.Code) })
		if len(sites) == 0 {
			return &queuePage{NoRole: true}, nil
		}
	}
	code := warehouse.Site(query.Get("site"))
	if code == "" {
		code = sites[0].Code
	}
	i := slices.IndexFunc(sites, func(x store.Site) bool { return x.Code == code })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	p := &queuePage{Site: sites[i]}
	for _, x := range sites {
		p.Sites = append(p.Sites, choice{string(x.Code), x.Name, x.Code == code})
	}
	ranking, err := s.db.Ranking(ctx, code)
	if errors.Is(err, store.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	zones, classes, err := s.db.QueueFacets(ctx, ranking.ID)
	if err != nil {
		return nil, err
	}
	p.date(&ranking, s.clock())
	for _, z := range zones {
		p.Total += z.Count
	}
	filter := store.QueueFilter{Zone: query.Get("zone"), Class: query.Get("class")}
	p.Zones, filter.Zone = choices(zones, filter.Zone)
	p.Classes, filter.Class = choices(classes, filter.Class)
	p.Filtered = filter != store.QueueFilter{}
	after, _ := strconv.ParseInt(query.Get("after"), 10, 31) // anything else is the first page
	if err := s.addRows(ctx, p, ranking.ID, filter, int(max(0, after))); err != nil || v == nil {
		return p, err
	}
	return p, s.addSteps(ctx, p, v)
}

// addSteps says of each row whether the viewer could approve it.
func (s *server) addSteps(ctx context.Context, p *queuePage, v *viewer) error {
	ids := make([]guardrails.StepID, len(p.Rows))
	for i := range p.Rows {
		ids[i] = guardrails.StepID(p.Rows[i].Step)
	}
	found, err := s.db.StepsByID(ctx, store.Viewer{Person: v.Person}, ids)
	if err != nil {
		return err
	}
	var steps []store.Step
	var rows []*queueRow
	for i, id := range ids {
		if step, ok := found[id]; ok {
			steps, rows = append(steps, step), append(rows, &p.Rows[i])
		}
	}
	refusals, err := s.db.TryApprovals(ctx, v.By(), steps)
	for i := range refusals {
		row := rows[i]
		row.Linked, row.Binding = true, steps[i].Binding.String()
		if row.Approvable = refusals[i] == nil; !row.Approvable && steps[i].State == guardrails.Pending {
			row.Why = refusals[i].Detail
		}
	}
	return err
}

func (s *server) addRows(ctx context.Context, p *queuePage, ranking store.RankingID, filter store.QueueFilter, after int) error {
	rows, err := s.db.Queue(ctx, ranking, filter, after, perPage+1)
	if err != nil {
		return err
	}
	p.All, p.This = address(p.Site.Code, store.QueueFilter{}, 0), address(p.Site.Code, filter, after)
	if after > 0 {
		p.First = address(p.Site.Code, filter, 0)
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		p.Next = address(p.Site.Code, filter, rows[perPage-1].Rank)
	}
	now, zone := s.clock(), p.zone()
	for i := range rows {
		p.Rows = append(p.Rows, rowOf(&rows[i], now, zone))
		for _, why := range rows[i].Reasons {
			if why.Code == ofTheSite {
				p.OfTheSite = unbroken(why.Text)
			}
		}
	}
	return nil
}

// zone is the site's; its times are read by people who work there.
func (p *queuePage) zone() *time.Location {
	zone, err := time.LoadLocation(p.Site.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

func (p *queuePage) date(r *store.Ranking, now time.Time) {
	p.Ranked, p.AsOf = true, r.AsOf.In(p.zone()).Format("2 January 2006, 15:04 MST")
	p.Behind = p.Site.LastSeq > r.Watermark
	if now.Sub(r.AsOf) >= staleAfter {
		p.Stale = ago(r.AsOf, now, p.zone())
	}
}

// choices lists the values to filter by, and returns the one that is chosen if
// it is among them. A site change may leave one behind that is not.
func choices(facets []store.Facet, wanted string) (list []choice, chosen string) {
	for _, f := range facets {
		if f.Value == "" {
			continue // nothing to filter by
		}
		c := choice{f.Value, f.Value + " (" + strconv.Itoa(f.Count) + ")", f.Value == wanted}
		if c.Chosen {
			chosen = wanted
		}
		list = append(list, c)
	}
	return list, chosen
}

func address(site warehouse.Site, f store.QueueFilter, after int) string {
	q := url.Values{"site": {string(site)}}
	if f.Zone != "" {
		q.Set("zone", f.Zone)
	}
	if f.Class != "" {
		q.Set("class", f.Class)
	}
	if after > 0 {
		q.Set("after", strconv.Itoa(after))
	}
	return "/queue?" + q.Encode()
}

// atStake is what a difference would cost if there is one, "" when unknown: the
// expected loss is that times the probability.
func atStake(r *store.QueueRow) string {
	if r.Loss.Currency == "" || r.Loss.Currency == warehouse.NoCurrency || r.Loss.Minor <= 0 {
		return ""
	}
	loss := warehouse.Money{Minor: int64(float64(r.Loss.Minor) / r.Probability), Currency: r.Loss.Currency}
	return grouped(loss) + "\u00a0" + string(loss.Currency)
}

func rowOf(r *store.QueueRow, now time.Time, zone *time.Location) queueRow {
	row := queueRow{
		Rank: r.Rank, Location: string(r.Position.Location), SKU: string(r.Position.SKU), Zone: r.Zone, Class: r.Class,
		Minutes: minutes(r.Minutes), LastCount: "never", Control: r.Control, State: stateWord(r.State), Step: string(r.Step),
	}
	row.Percent, row.Likely, row.Level = risk(r.Probability)
	row.Size = size(r.Size)
	if stake := atStake(r); row.Size != "" && stake != "" {
		row.Size += ", " + stake
	}
	if r.Loss.Currency != "" {
		row.Loss = grouped(r.Loss)
		if r.Loss.Currency != warehouse.NoCurrency {
			row.Currency = string(r.Loss.Currency)
		}
	}
	if !r.LastCount.IsZero() {
		row.LastCount = ago(r.LastCount, now, zone)
	}
	if r.Book.Known {
		row.Book, row.BelowZero = r.Book.String(), r.Book.Qty < 0
	}
	for _, why := range r.Reasons {
		if why.Code != ofTheSite && len(row.Reasons) < 3 {
			row.Reasons = append(row.Reasons, unbroken(reasonWord(why.Text, why.Contribution < 0)))
		}
	}
	return row
}
