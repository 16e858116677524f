package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"tallyman/store"
	"tallyman/warehouse"
)

type takeTicketRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" doc:"Yours, one for each ticket: the same key and body get the same bytes, however often they are sent"`
	RawBody        []byte `contentType:"application/json"`
}

type ticketPath struct {
	ID string `path:"id" maxLength:"64" example:"tkt_0123456789abcdefghijklmnop"`
}

type ticketsRequest struct {
	Site   string `query:"site" maxLength:"256"`
	Owner  string `query:"owner" maxLength:"64"`
	Status string `query:"status" maxLength:"20" default:"open" enum:"open,resolved,merged"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before"`
}

type (
	ticketResponse  struct{ Body ticketAnswer }
	ticketsResponse struct{ Body ticketsAnswer }
)

type ticketsAnswer struct {
	Data       []ticketAnswer `json:"data" doc:"The most urgent first, of those the oldest; restricted tickets only to the key that sent them"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Left out on the last page"`
}

func (s *server) registerTickets(a huma.API) {
	take := operation("createTicket", http.MethodPost, "/v1/tickets", "Send an exception ticket, and learn who should look at it", store.TicketsWrite)
	take.Description = "Answers at once with what the embedded model says; no language model is asked for it. Where one is set up, it is asked later about tickets that are unclear: read the ticket again. " +
		"What comes of a ticket is a step that people decide. 422 means that the Idempotency-Key was used for another request."
	take.MaxBodyBytes, take.SkipValidateBody = maxTicketBody, true
	take.Errors = append(take.Errors, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
	take.Responses = map[string]*huma.Response{"200": {
		Description: "The ticket", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[ticketAnswer](a)}},
	}}
	register(a, take, handler(s, s.takeTicket))
	a.OpenAPI().Paths["/v1/tickets"].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[ticketRequest](a)}},
	}
	register(a, operation("listTickets", http.MethodGet, "/v1/tickets", "List tickets", store.TicketsRead), handler(s, s.tickets))
	read := operation("getTicket", http.MethodGet, "/v1/tickets/{id}", "Read a ticket as it stands now", store.TicketsRead)
	read.Errors = append(read.Errors, http.StatusNotFound)
	register(a, read, handler(s, s.ticket))
}

func (s *server) takeTicket(ctx context.Context, in *takeTicketRequest) (*raw, error) {
	request, err := decode[ticketRequest](in.RawBody, "what is not one belongs into the text")
	if err != nil {
		return nil, err
	}
	t, err := request.intake()
	if err != nil {
		return nil, err
	}
	key := caller(ctx)
	if !key.Allows(store.TicketsWrite, t.Site) {
		return nil, siteForbidden(t.Site)
	}
	t.By = store.Asker{APIKey: key.ID, IdempotencyKey: in.IdempotencyKey, Fingerprint: fingerprint("/v1/tickets", in.RawBody)}
	t.ReceivedAt = s.clock().UTC().Truncate(time.Microsecond)
	if err := s.db.Examine(ctx, s.desk, t); err != nil {
		return nil, err
	}
	bytes, err := s.db.TakeTicket(ctx, s.desk.Taxonomy, t, func(l *store.TicketLabel) ([]byte, error) {
		a := s.routedAnswer(l)
		a.ID, a.Site, a.ReceivedAt, a.Reporter = t.ID, t.Site, t.ReceivedAt, t.Reporter
		if request.References != (ticketReferences{}) {
			a.References = &request.References
		}
		a.addEntities(t.Entities)
		a.addSimilar(t.Similar, (*store.SimilarTicket).Duplicate)
		if t.Asks && t.Opinion.Settled.Ask {
			a.Asking = store.ToBeAsked
		}
		return json.Marshal(&a, json.Deterministic(true))
	})
	if err != nil {
		return nil, err
	}
	s.metrics.tickets.WithLabelValues(string(t.Opinion.Settled.Path)).Inc()
	return &raw{"application/json", bytes}, nil
}

func (s *server) ticket(ctx context.Context, in *ticketPath) (*ticketResponse, error) {
	v, err := s.db.TicketView(ctx, store.TicketID(in.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	key := caller(ctx)
	if err != nil || !key.Allows(store.TicketsRead, v.Site) || v.Current.Routing.Restricted && v.APIKey != key.ID {
		return nil, notFound("this ticket")
	}
	a := s.storedAnswer(&v.Ticket)
	a.Text = v.Text
	a.addEntities(v.Entities)
	a.addSimilar(v.Similar, (*store.SimilarTicket).Duplicate)
	for i := range v.Labels {
		a.History = append(a.History, s.labelAnswer(&v.Labels[i]))
	}
	return &ticketResponse{a}, nil
}

func (s *server) tickets(ctx context.Context, in *ticketsRequest) (*ticketsResponse, error) {
	key := caller(ctx)
	if in.Site != "" && !key.Allows(store.TicketsRead, warehouse.Site(in.Site)) {
		return nil, siteForbidden(warehouse.Site(in.Site))
	}
	var after store.TicketCursor
	if in.Cursor != "" {
		_, err := fmt.Sscanf(in.Cursor, "%d.%d", &after.Severity, &after.N)
		if err != nil || cursorOf(after) != in.Cursor {
			return nil, invalid("cursor", "is not a next_cursor of this operation")
		}
	}
	f := store.TicketFilter{Site: warehouse.Site(in.Site), Owner: in.Owner, Status: store.TicketStatus(in.Status), Key: &key}
	found, err := s.db.Tickets(ctx, f, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := ticketsAnswer{Data: []ticketAnswer{}}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		last := &found[in.Limit-1]
		answer.NextCursor = cursorOf(store.TicketCursor{Severity: last.Current.Routing.Severity, N: last.N})
	}
	for i := range found {
		answer.Data = append(answer.Data, s.storedAnswer(&found[i]))
	}
	return &ticketsResponse{answer}, nil
}

func cursorOf(c store.TicketCursor) string { return fmt.Sprintf("%d.%d", int(c.Severity), c.N) }
