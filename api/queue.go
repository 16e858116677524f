package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/guardrails"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/warehouse"
)

type queueRequest struct {
	Site   string `query:"site" required:"true" minLength:"1" maxLength:"256"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Zone   string `query:"zone" maxLength:"256"`
	Class  string `query:"class" maxLength:"256"`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before"`
}

type queueResponse struct{ Body queueAnswer }

type queueAnswer struct {
	Site       warehouse.Site `json:"site"`
	AsOf       *time.Time     `json:"as_of" nullable:"true" doc:"Of the ranking; null before the first one"`
	Model      store.ModelID  `json:"model,omitempty" doc:"Left out when none was in force"`
	Data       []position     `json:"data" doc:"By rank; a position that people are at work on leaves a gap"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Left out on the last page"`
}

type position struct {
	Rank           int                `json:"rank"`
	Location       warehouse.Location `json:"location"`
	SKU            warehouse.SKU      `json:"sku"`
	Zone           string             `json:"zone"`
	Class          string             `json:"class"`
	Score          float64            `json:"score" doc:"Calibrated probability that the count differs from book beyond the tolerance"`
	Size           float64            `json:"size" doc:"Expected units of variance, if there is one"`
	ExpectedLoss   *money             `json:"expected_loss,omitempty" doc:"Left out when no cost is known"`
	Minutes        float64            `json:"minutes" doc:"That counting takes"`
	ValuePerMinute float64            `json:"value_per_minute" doc:"Expected loss found per minute of counting, in major units"`
	LastCountAt    *time.Time         `json:"last_count_at" nullable:"true" doc:"Null when never counted"`
	Book           *string            `json:"book" nullable:"true" doc:"Decimal in base units; null when unknown"`
	Reasons        []reason           `json:"reasons"`
	Control        bool               `json:"control" doc:"Drawn at random, to measure by"`
	Propensity     float64            `json:"propensity" doc:"Probability with which the position came to be in the queue"`
	StepID         guardrails.StepID  `json:"step_id" doc:"The step that waits for a human"`
	StepState      guardrails.State   `json:"step_state" enum:"blocked,pending,changes_requested,approved,executing,unknown,failed,compensating,compensation_failed,succeeded,compensated,rejected,withdrawn,expired,superseded,invalidated"`
}

type sitesResponse struct{ Body sitesAnswer }

type sitesAnswer struct {
	Data []site `json:"data"`
}

type site struct {
	Code     warehouse.Site     `json:"code"`
	Name     string             `json:"name"`
	TimeZone string             `json:"time_zone" doc:"IANA name"`
	Currency warehouse.Currency `json:"currency" doc:"ISO 4217; XXX when no cost named one"`
}

func (s *server) registerQueue(a huma.API) {
	queue := operation("getCountQueue", http.MethodGet, "/v1/count-queue", "Read what a site should count, the best use of time first", store.QueueRead)
	queue.Errors = append(queue.Errors, http.StatusNotFound, http.StatusConflict)
	register(a, queue, handler(s, s.queue))
	register(a, operation("listSites", http.MethodGet, "/v1/sites", "List the sites that this key is for", store.QueueRead), handler(s, s.sites))
}

func (s *server) queue(ctx context.Context, in *queueRequest) (*queueResponse, error) {
	at := warehouse.Site(in.Site)
	key := caller(ctx)
	if !key.Allows(store.QueueRead, at) {
		return nil, siteForbidden(at)
	}
	answer := queueAnswer{Site: at, Data: []position{}}
	ranking, err := s.db.Ranking(ctx, at)
	if errors.Is(err, store.ErrNotFound) {
		return &queueResponse{answer}, s.isSite(ctx, at)
	}
	if err != nil {
		return nil, err
	}
	after, err := readCursor(in.Cursor, ranking.ID)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Queue(ctx, ranking.ID, store.QueueFilter{Zone: in.Zone, Class: in.Class}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer.AsOf, answer.Model = &ranking.AsOf, ranking.Model
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		answer.NextCursor = fmt.Sprintf("%d.%d", ranking.ID, rows[in.Limit-1].Rank)
	}
	for i := range rows {
		answer.Data = append(answer.Data, positionOf(&rows[i]))
	}
	return &queueResponse{answer}, nil
}

// isSite tells a site without a ranking from one that nothing was heard of.
func (s *server) isSite(ctx context.Context, code warehouse.Site) error {
	sites, err := s.db.Sites(ctx)
	if err != nil {
		return err
	}
	for _, known := range sites {
		if known.Code == code {
			return nil
		}
	}
	return &Problem{Status: http.StatusNotFound, Code: "unknown_site", Field: "site", Detail: fmt.Sprintf("no event of site %s has come yet", code)}
}

// readCursor returns the rank that a page begins after.
func readCursor(cursor string, current store.RankingID) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	var of store.RankingID
	var after int
	if _, err := fmt.Sscanf(cursor, "%d.%d", &of, &after); err != nil || fmt.Sprintf("%d.%d", of, after) != cursor {
		return 0, invalid("cursor", "is not a next_cursor of this operation")
	}
	if of != current {
		return 0, &Problem{Status: http.StatusConflict, Code: "ranking_replaced", Field: "cursor", Detail: "a newer ranking is in force; begin again without a cursor"}
	}
	return after, nil
}

func positionOf(r *store.QueueRow) position {
	p := position{
		Rank: r.Rank, Location: r.Position.Location, SKU: r.Position.SKU, Zone: r.Zone, Class: r.Class,
		Score: r.Probability, Size: r.Size, Minutes: r.Minutes, ValuePerMinute: r.ValuePerMinute,
		Control: r.Control, Propensity: r.Propensity, StepID: r.Step, StepState: r.State, Reasons: []reason{},
	}
	if r.Loss.Currency != "" {
		p.ExpectedLoss = &money{r.Loss.String(), r.Loss.Currency}
	}
	if !r.LastCount.IsZero() {
		p.LastCountAt = &r.LastCount
	}
	if r.Book.Known {
		book := r.Book.String()
		p.Book = &book
	}
	for _, why := range r.Reasons {
		p.Reasons = append(p.Reasons, reasons([]scoring.Reason{scoring.Reason(why)}, 1)...)
	}
	return p
}

func (s *server) sites(ctx context.Context, _ *struct{}) (*sitesResponse, error) {
	all, err := s.db.Sites(ctx)
	if err != nil {
		return nil, err
	}
	key := caller(ctx)
	answer := sitesAnswer{Data: []site{}}
	for _, known := range all {
		if key.Allows(store.QueueRead, known.Code) {
			answer.Data = append(answer.Data, site{known.Code, known.Name, known.TimeZone, known.Currency})
		}
	}
	return &sitesResponse{answer}, nil
}
