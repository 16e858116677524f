package api

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are counted per handler. Labels come from closed sets only.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	evaluations *prometheus.CounterVec
	events      *prometheus.CounterVec
	tickets     *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyman_http_requests_total", Help: "Requests by route, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tallyman_http_request_duration_seconds", Help: "Time to answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyman_risk_evaluations_total", Help: "Risk evaluations by advice, and whether they were degraded.",
		}, []string{"advice", "degraded"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyman_events_total", Help: "Events received, by what became of them.",
		}, []string{"answer"}),
		tickets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyman_tickets_total", Help: "Tickets received, by who labels them: the model, or a human when it was not sure.",
		}, []string{"by"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.evaluations, m.events, m.tickets,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// measure counts every request under the pattern of its route.
func (s *server) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.clock()
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(answer, r)
		route, method := chi.RouteContext(r.Context()).RoutePattern(), r.Method
		if route == "" {
			route, method = "none", "any"
		}
		s.metrics.requests.WithLabelValues(route, method, strconv.Itoa(max(answer.Status(), http.StatusOK))).Inc()
		s.metrics.seconds.WithLabelValues(route).Observe(s.clock().Sub(began).Seconds())
	})
}
