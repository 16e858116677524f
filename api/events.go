package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/store"
	"tallyman/warehouse"
)

// maxEventsBody bounds a body of events, packed and unpacked.
const maxEventsBody = 8 << 20

// maxEvents bounds the records of a body: a few bytes of gzip can hold millions,
// and each is answered by itself.
const maxEvents = 50_000

type eventsRequest struct {
	Source          string `query:"source" maxLength:"256" doc:"Sending system; wins over the records' own"`
	ContentEncoding string `header:"Content-Encoding" doc:"gzip, or nothing"`
	RawBody         []byte
}

type eventsResponse struct{ Body eventsAnswer }

type eventsAnswer struct {
	Accepted  int           `json:"accepted" doc:"New, and recorded"`
	Duplicate int           `json:"duplicate" doc:"The same record was there: nothing to do"`
	Conflict  int           `json:"conflict" doc:"Another record has the same source and id: kept for review, not taken"`
	Refused   int           `json:"refused" doc:"Not taken; the result says why"`
	Results   []eventResult `json:"results" doc:"One for each record, in order"`
}

type eventResult struct {
	Index  int       `json:"index" doc:"Of the record in the body, from 0"`
	ID     string    `json:"id,omitempty"`
	Status string    `json:"status" enum:"accepted,duplicate,conflict,refused"`
	Seq    store.Seq `json:"seq,omitempty" doc:"Number of the event that holds this source and id"`
	Field  string    `json:"field,omitempty" doc:"What is at fault"`
	Reason string    `json:"reason,omitempty" doc:"Why it was not taken"`
}

const refused = "refused"

func (s *server) registerEvents(a huma.API) {
	op := operation("ingestEvents", http.MethodPost, "/v1/events", "Take in events", store.EventsWrite)
	op.Description = "A JSON array of events or one JSON object a line (NDJSON), plain or CloudEvents 1.0, at most 8 MiB and 50,000 records, gzip allowed. " +
		"Each record is taken or refused on its own, so the answer is 200 with a result for each, also when some or all were refused; " +
		"400 means that the body as a whole could not be read and nothing of it was taken. Sending the same body again does no harm."
	op.MaxBodyBytes, op.SkipValidateBody = maxEventsBody, true
	op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	event := eventSchema()
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json":     {Schema: &huma.Schema{Type: huma.TypeArray, Items: event}},
		"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	register(a, op, handler(s, s.ingest))
	delete(a.OpenAPI().Paths["/v1/events"].Post.RequestBody.Content, "application/octet-stream")
}

// eventSchema describes the canonical event by its columns; what each type
// needs is said by the refusals.
func eventSchema() *huma.Schema {
	event := &huma.Schema{
		Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, Required: []string{"id", "type", "occurred_at", "site", "sku"},
		Description: "The canonical event. Facts of your own go into attr.NAME.",
	}
	for _, name := range warehouse.Columns {
		switch name {
		case "qty", "pack", "book", "expected_qty", "unit_cost":
			event.Properties[name] = decimalSchema()
		case "occurred_at", "expected_at":
			event.Properties[name] = &huma.Schema{Type: huma.TypeString, Format: "date-time"}
		case "type":
			types := &huma.Schema{Type: huma.TypeString}
			for _, t := range warehouse.Types {
				types.Enum = append(types.Enum, string(t))
			}
			event.Properties[name] = types
		default:
			event.Properties[name] = &huma.Schema{Type: huma.TypeString}
		}
	}
	return event
}

func (s *server) ingest(ctx context.Context, in *eventsRequest) (*eventsResponse, error) {
	body, err := unpack(in.RawBody, in.ContentEncoding)
	if err != nil {
		return nil, err
	}
	reader, err := warehouse.NewReader(body, warehouse.ReadOptions{Source: warehouse.Source(in.Source), Now: s.clock()})
	if err != nil {
		return nil, unreadable(err)
	}
	key := caller(ctx)
	answer := eventsAnswer{Results: []eventResult{}}
	var events []warehouse.Event
	var places []int // of the events in the results
	for {
		e, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if len(answer.Results) == maxEvents {
			return nil, &Problem{
				Status: http.StatusRequestEntityTooLarge, Code: "too_many_records",
				Detail: fmt.Sprintf("the body has more than %d records; nothing of it was taken; send several bodies", maxEvents),
			}
		}
		result := eventResult{Index: len(answer.Results), ID: e.ID}
		var refusal *warehouse.Refusal
		switch {
		case errors.As(err, &refusal):
			result.ID, result.Status, result.Field, result.Reason = refusal.ID, refused, refusal.Field, refusal.Reason
		case err != nil:
			return nil, unreadable(err)
		case !key.Allows(store.EventsWrite, e.Site):
			result.Status, result.Field, result.Reason = refused, "site", siteForbidden(e.Site).Detail
		case !key.Sends(e.Source):
			result.Status, result.Field, result.Reason = refused, "source", "this API key is not for source "+string(e.Source)
		default:
			events, places = append(events, e), append(places, result.Index)
		}
		answer.Results = append(answer.Results, result)
	}
	outcomes, err := s.db.Ingest(ctx, events)
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		r := &answer.Results[places[i]]
		r.Status, r.Seq = string(o.Answer), o.Seq
		if o.Answer == store.Conflict {
			r.Field, r.Reason = "id", fmt.Sprintf("event %d has this source and id with other content; this record is kept for review", o.Seq)
		}
	}
	s.tally(&answer)
	return &eventsResponse{answer}, nil
}

// tally counts the results, for the answer and for the metrics.
func (s *server) tally(answer *eventsAnswer) {
	counts := map[string]*int{
		string(store.Accepted): &answer.Accepted, string(store.Duplicate): &answer.Duplicate,
		string(store.Conflict): &answer.Conflict, refused: &answer.Refused,
	}
	for _, r := range answer.Results {
		*counts[r.Status]++
	}
	for status, n := range counts {
		s.metrics.events.WithLabelValues(status).Add(float64(*n))
	}
}

func unreadable(err error) *Problem {
	return &Problem{
		Status: http.StatusBadRequest, Code: "unreadable_body",
		Detail: fmt.Sprintf("%v; nothing of this body was taken; send a JSON array of events or one JSON object a line", err),
	}
}

// unpack returns the JSON in a body. It is bounded however it was packed.
func unpack(body []byte, encoding string) (io.Reader, error) {
	gzipMagic := []byte{0x1f, 0x8b}
	switch encoding {
	case "", "identity", "gzip":
	default:
		return nil, &Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Field: "Content-Encoding", Detail: "only gzip is understood"}
	}
	if encoding == "gzip" || bytes.HasPrefix(body, gzipMagic) {
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, unreadable(err)
		}
		if body, err = io.ReadAll(io.LimitReader(zr, maxEventsBody+1)); err != nil {
			return nil, unreadable(err)
		}
	}
	if len(body) > maxEventsBody {
		return nil, &Problem{
			Status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
			Detail: fmt.Sprintf("the body unpacks to more than %d MiB; send several", maxEventsBody>>20),
		}
	}
	// The reader itself takes CSV and gzip too, which are for files.
	first := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(first) == 0 {
		return nil, unreadable(errors.New("the body is empty"))
	}
	if first[0] != '{' && first[0] != '[' {
		return nil, unreadable(errors.New("the body is not JSON"))
	}
	return bytes.NewReader(first), nil
}

// schemaOf describes a body that this package decodes or encodes itself.
func schemaOf[T any](a huma.API) *huma.Schema {
	return a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}
