package api_test

import (
	"fmt"
	"strings"
	"testing"

	"tallyman/store"
	"tallyman/warehouse"
)

type queuePage struct {
	AsOf *string `json:"as_of"`
	Data []struct {
		Rank    int
		Book    *string
		Loss    map[string]string `json:"expected_loss"`
		StepID  string            `json:"step_id"`
		Last    *string           `json:"last_count_at"`
		Reasons []map[string]any
	}
	Next string `json:"next_cursor"`
}

func TestTheQueueIsReadPageByPage(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	w := s.call("GET", "/v1/count-queue?site=DC-1", key, "")
	if code, _ := problem(t, w); w.Code != 404 || code != "unknown_site" {
		t.Errorf("a site never heard of: %d %s", w.Code, code)
	}
	read[eventsAnswer](t, s.call("POST", "/v1/events?source=wms", key, event("1", "DC-1")))
	if page := read[queuePage](t, s.call("GET", "/v1/count-queue?site=DC-1", key, "")); page.AsOf != nil || page.Data == nil || len(page.Data) != 0 {
		t.Errorf("before the first ranking: %+v", page)
	}
	rows := make([]store.QueueRow, 5)
	for i := range rows {
		rows[i] = store.QueueRow{
			Rank: i + 1, Position: warehouse.Position{Site: "DC-1", Location: warehouse.Location(fmt.Sprint("L", i)), SKU: "A"}, Zone: "Z" + fmt.Sprint(i%2), Class: "A",
			Probability: 0.5, Minutes: 2, Propensity: 1, Reasons: []store.Reason{{Code: "NEGATIVE_ON_HAND", Text: "Book is below zero."}},
		}
	}
	rows[0].Loss, rows[0].Book, rows[0].LastCount = warehouse.Money{Minor: 5, Currency: "JPY"}, warehouse.Some(-1500), noon
	replace := func() {
		if _, err := s.db.ReplaceQueue(t.Context(), store.Ranking{Site: "DC-1", AsOf: noon, Watermark: 1}, rows); err != nil {
			t.Fatal(err)
		}
	}
	replace()
	page := read[queuePage](t, s.call("GET", "/v1/count-queue?site=DC-1&limit=3", key, ""))
	first, second := page.Data[0], page.Data[1]
	if len(page.Data) != 3 || *first.Book != "-1.5" || first.Loss["amount"] != "5" || first.Last == nil || first.StepID == "" || len(first.Reasons) != 1 {
		t.Errorf("first page: %+v", page)
	}
	if second.Book != nil || second.Loss != nil || second.Last != nil {
		t.Errorf("what is not known is told: %+v", second)
	}
	rest := read[queuePage](t, s.call("GET", "/v1/count-queue?site=DC-1&limit=3&cursor="+page.Next, key, ""))
	if len(rest.Data) != 2 || rest.Data[0].Rank != 4 || rest.Next != "" {
		t.Errorf("second page: %+v", rest)
	}
	if zone := read[queuePage](t, s.call("GET", "/v1/count-queue?site=DC-1&zone=Z1", key, "")); len(zone.Data) != 2 {
		t.Errorf("a zone: %+v", zone)
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=201": "limit", "limit=x": "limit", "cursor=x": "cursor", "cursor=1.2.3": "cursor"} {
		w := s.call("GET", "/v1/count-queue?site=DC-1&"+query, key, "")
		if _, got := problem(t, w); w.Code != 400 || got != field {
			t.Errorf("%s: %d at %q: %s", query, w.Code, got, w.Body)
		}
	}
	ranking, _, _ := strings.Cut(page.Next, ".")
	if beyond := read[queuePage](t, s.call("GET", "/v1/count-queue?site=DC-1&cursor="+ranking+".99999999999", key, "")); len(beyond.Data) != 0 {
		t.Errorf("beyond every rank: %+v", beyond)
	}
	replace()
	w = s.call("GET", "/v1/count-queue?site=DC-1&cursor="+page.Next, key, "")
	if code, _ := problem(t, w); w.Code != 409 || code != "ranking_replaced" {
		t.Errorf("a cursor of the ranking before: %d %s", w.Code, code)
	}
}
