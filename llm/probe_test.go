package llm_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/llm"
	"tallyman/llm/llmtest"
)

func noSleep(context.Context, time.Duration) error { return nil }

func failing(err error) llm.Reserve {
	return func(context.Context, string, llm.Usage) (func(context.Context, llm.Usage), error) { return nil, err }
}

func TestProbeSaysWhatTheServerReallyDoes(t *testing.T) {
	full := llm.Capabilities{
		Model: "model-1", Fingerprint: "fp_test", Path: llm.PathSchema,
		Sampling: true, LogProbs: true, Deterministic: true, Truncation: true,
	}
	for _, test := range []struct {
		name  string
		model llmtest.Model
		edit  func(*llm.Capabilities)
	}{
		{"all", llmtest.Model{}, func(*llm.Capabilities) {}},
		{"formats accepted and ignored", llmtest.Model{Prose: true, Foreign: true}, func(c *llm.Capabilities) { c.Path = llm.PathText }},
		{"prose in spite of a schema", llmtest.Model{Prose: true}, func(c *llm.Capabilities) { c.Path = llm.PathText }},
		{"a code not in the schema", llmtest.Model{Foreign: true}, func(c *llm.Capabilities) { c.Path = llm.PathJSON }},
		{"schemas refused", llmtest.Model{Rejects: "json_schema"}, func(c *llm.Capabilities) { c.Path = llm.PathJSON }},
		{"formats refused", llmtest.Model{Rejects: "response_format"}, func(c *llm.Capabilities) { c.Path = llm.PathText }},
		{"log probabilities dropped", llmtest.Model{NoProbs: true}, func(c *llm.Capabilities) { c.LogProbs = false }},
		{"log probabilities refused", llmtest.Model{Rejects: "logprobs"}, func(c *llm.Capabilities) { c.LogProbs = false }},
		{"sampling refused", llmtest.Model{Rejects: "temperature"}, func(c *llm.Capabilities) { c.Sampling, c.LogProbs = false, false }},
		{"only max_tokens heeded", llmtest.Model{Unheeded: true}, func(c *llm.Capabilities) { c.LegacyMaxTokens = true }},
		{"another name", llmtest.Model{Name: "model-1-2026"}, func(c *llm.Capabilities) { c.Model = "model-1-2026" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := llmtest.InMemory(t, test.model.Reply)
				c := client(t, config(s))
				got, err := c.Probe(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := full
				test.edit(&want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				answer, err := c.Choose(t.Context(), prompt())
				if err != nil || answer.Code != "A" || answer.Path != want.Path || (answer.CodeProbs != nil) != want.LogProbs {
					t.Errorf("got %+v %v", answer, err)
				}
			})
		})
	}
}

func TestProbeEndsOnWhatIsNoAnswer(t *testing.T) {
	for _, m := range llmtest.Misbehaviours() {
		synctest.Test(t, func(t *testing.T) {
			s := llmtest.InMemory(t, m.Reply)
			c := client(t, config(s))
			caps, err := c.Probe(t.Context())
			obeys := strings.Contains(m.Name, "evidence") // in the shape asked for, and that is all a probe can see
			if err == nil && (caps.Path == llm.PathSchema && !obeys || caps.LogProbs || caps.Truncation && m.Name != "out of tokens") {
				t.Errorf("%s: the probe believes %+v", m.Name, caps)
			}
		})
	}
}

func TestAnotherModelThanTheOneProbedIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := llmtest.InMemory(t, llmtest.Model{}.Reply)
		c := client(t, config(s))
		if _, err := c.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Play(llmtest.Model{Name: "cheaper-model"}.Reply)
		if _, err := c.Choose(t.Context(), prompt()); reasonOf(t, err) != llm.ReasonModelChanged {
			t.Fatal(err)
		}
		if _, err := c.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if answer, err := c.Choose(t.Context(), prompt()); err != nil || answer.Model != "cheaper-model" {
			t.Errorf("got %+v %v", answer, err)
		}
	})
}

// The guard of the client library goes by the model's name, and zero is a
// temperature that it leaves out.
func TestParametersSuitTheModel(t *testing.T) {
	for model, want := range map[string]struct {
		sampled bool
		effort  string
	}{
		"my-deployment": {true, ""},
		"gpt-5-mini":    {false, "low"},
		"o3":            {false, "low"},
		"gpt-6-luna":    {true, "none"},
		"gpt-6-astra":   {false, "low"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := llmtest.InMemory(t, llmtest.Model{}.Reply)
			cfg := config(s)
			cfg.Model = model
			c := client(t, cfg)
			caps, err := c.Probe(t.Context())
			if err != nil || caps.Sampling != want.sampled || caps.LogProbs != want.sampled {
				t.Fatalf("%s: %+v %v", model, caps, err)
			}
			if _, err := c.Choose(t.Context(), prompt()); err != nil {
				t.Fatal(err)
			}
			for _, r := range s.Requests() {
				if (r.Temperature != nil && *r.Temperature < 1e-40 && r.Seed != nil) != want.sampled ||
					strings.Contains(string(r.Body), `"reasoning_effort"`) != (want.effort != "") ||
					!strings.Contains(string(r.Body), want.effort) {
					t.Errorf("%s: %s", model, r.Body)
				}
			}
		})
	}
}

// A live server is asked only when the environment names one.
func TestLive(t *testing.T) {
	base := os.Getenv("TALLYMAN_LLM_BASE_URL")
	if base == "" {
		t.Skip("TALLYMAN_LLM_BASE_URL names no server")
	}
	cfg := config(llmtest.New(t, llmtest.Hang))
	cfg.BaseURL, cfg.APIKey, cfg.Model, cfg.RequestsPerMinute = base, os.Getenv("TALLYMAN_LLM_API_KEY"), os.Getenv("TALLYMAN_LLM_MODEL"), 60
	cfg.Transport = llmtest.Cassette{Dir: t.TempDir(), Record: &http.Transport{DisableKeepAlives: true}, Secret: cfg.APIKey}
	c := client(t, cfg)
	caps, err := c.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Choose(t.Context(), prompt())
	t.Logf("%+v\n%+v %v", caps, answer, err)
}
