package main

import (
	"os"
	"strings"
	"testing"

	"tallyman/llm"
	"tallyman/llm/llmtest"
	"tallyman/store"
)

func TestBudgetsAreReadStrictly(t *testing.T) {
	for text, want := range map[string]struct {
		day   store.Spend
		price llm.Price
	}{
		"2000000":                     {store.Spend{Tokens: 2_000_000}, llm.Price{}},
		"1000:5.00:0.10/0.01/0.50":    {store.Spend{Tokens: 1000, Nanos: 5e9}, llm.Price{Input: 100, CachedInput: 10, Output: 500}},
		"1000:0.5:2/0/10":             {store.Spend{Tokens: 1000, Nanos: 5e8}, llm.Price{Input: 2000, Output: 10_000}},
		"1:1000000:1000000/0/0.00051": {store.Spend{Tokens: 1, Nanos: 1e15}, llm.Price{Input: 1e9, Output: 1}},
	} {
		if day, price, err := parseBudget(text); err != nil || day != want.day || price != want.price {
			t.Errorf("%s: %+v %+v, %v", text, day, price, err)
		}
	}
	for _, text := range []string{"", "0", "-5", "many", "1000:5", "1000:5:1/2", "1000:x:1/2/3", "1000:5:1/2/-3", "1000:NaN:1/2/3", "1000:Inf:1/2/3", "1000:5:1/2/3:4"} {
		if _, _, err := parseBudget(text); err == nil || !strings.Contains(err.Error(), "such as") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTriageProbeSaysWhatAServerEnforces(t *testing.T) {
	for _, c := range []struct {
		model llmtest.Model
		says  []string
	}{
		{llmtest.Model{}, []string{"model-1", "a JSON schema", "log probabilities     yes"}},
		{llmtest.Model{Prose: true, Foreign: true, NoProbs: true}, []string{"nothing: answers are asked for in plain text", "log probabilities     no"}},
	} {
		s := llmtest.New(t, c.model.Reply)
		out, err := triageRun(t, "probe", "--llm-base-url", s.URL, "--llm-model", "model-1")
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range c.says {
			if !strings.Contains(out, text) {
				t.Errorf("%+v: %q is missing in\n%s", c.model, text, out)
			}
		}
	}
	_, err := triageRun(t, "probe")
	if err == nil || !strings.Contains(err.Error(), "TALLYMAN_LLM_BASE_URL") {
		t.Errorf("without a server: %v", err)
	}
}

func TestTriageSuspectsFindsASwappedLabel(t *testing.T) {
	file := fruit(t, 0, 30)
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Replace(string(text), "banana 7 yellow and bent,banana", "banana 7 yellow and bent,apple", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := triageRun(t, "suspects", "--csv", file, "--alone", "--most", "1", "--json")
	if err != nil || !strings.Contains(out, "banana 7") || !strings.Contains(out, `"likely":"banana"`) {
		t.Errorf("suspects: %v\n%s", err, out)
	}
}
