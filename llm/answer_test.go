package llm

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	openai "github.com/sashabaranov/go-openai"
)

// The oracle is encoding/json, which is lax: whatever we accept it must read the
// same way, and of what we refuse nothing may leak out.
func FuzzAnswer(f *testing.F) {
	p := Prompt{
		Choices:   []Choice{{Code: "A"}, {Code: "B"}, {Code: "other"}},
		Urgencies: []string{"low", "high"},
		Text:      "3 cases  wet on dock 4\nsee \"photo\" é",
	}
	for _, seed := range []string{
		`{"code":"A","evidence":"cases wet","urgency":"low"}`,
		"```json\n" + `{"code":"B","evidence":"dock 4 see \"photo\"","urgency":"high"}` + "\n```",
		`{"code":"A","code":"B","evidence":"wet","urgency":"low"}`,
		`{"Code":"A","evidence":"wet","urgency":"low"}`,
		`{"code":"\u0041","evidence":"wet","urgency":"low"} null`,
		`{"code":["A"],"evidence":"wet","urgency":null}`,
		"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		var resp openai.ChatCompletionResponse
		resp.Choices = []openai.ChatCompletionChoice{{FinishReason: openai.FinishReasonStop}}
		resp.Choices[0].Message.Content = content
		resp.Choices[0].LogProbs = &openai.LogProbs{Content: []openai.LogProb{{Token: content}}}
		for _, path := range []Path{PathSchema, PathText} {
			answer, bad := p.read(resp, path)
			if bad != nil {
				if answer.Code != "" || bad.Detail == "" || !bad.repairable() {
					t.Fatalf("refused %q with %+v and %+v", content, bad, answer)
				}
				continue
			}
			if path == PathText {
				content = unfence(content)
			}
			var lax map[string]string
			if err := json.Unmarshal([]byte(content), &lax); err != nil || len(lax) != 3 {
				t.Fatalf("accepted %q: %v", content, err)
			}
			if lax["code"] != answer.Code || lax["evidence"] != answer.Evidence || lax["urgency"] != answer.Urgency {
				t.Fatalf("read %+v out of %q", answer, content)
			}
			if !slices.Contains(p.codes(), answer.Code) || !slices.Contains(p.Urgencies, answer.Urgency) ||
				!utf8.ValidString(answer.Evidence) || strings.TrimSpace(answer.Evidence) == "" {
				t.Fatalf("accepted %+v", answer)
			}
		}
	})
}

func TestCodeProbsAreReadOffTheTokenOfTheCode(t *testing.T) {
	type top = []openai.TopLogProbs
	ln := func(p float64) float64 { return math.Log(p) }
	for _, test := range []struct {
		name   string
		tokens []openai.LogProb
		want   map[string]float64
	}{
		{"a token of its own", []openai.LogProb{
			{Token: `{"code":"`},
			{Token: `A`, TopLogProbs: top{{Token: "A", LogProb: ln(0.6)}, {Token: "B", LogProb: ln(0.2)}, {Token: "C", LogProb: ln(0.2)}}},
			{Token: `","evidence":"x"}`},
		}, map[string]float64{"A": 0.75, "B": 0.25, "other": 0}},
		{"together with quotation marks", []openai.LogProb{
			{Token: `{"code":`},
			{Token: `"A","`, TopLogProbs: top{{Token: `"A","`, LogProb: ln(0.3)}, {Token: `"B"`, LogProb: ln(0.1)}, {Token: ` "B"`, LogProb: ln(0.5)}}},
			{Token: `evidence":"x"}`},
		}, map[string]float64{"A": 0.75, "B": 0.25, "other": 0}},
		{"the beginning of a longer code", []openai.LogProb{
			{Token: `{"code":"`},
			{Token: `A`, TopLogProbs: top{{Token: "A", LogProb: ln(0.2)}, {Token: "oth", LogProb: ln(0.6)}}},
			{Token: `","evidence":"x"}`},
		}, map[string]float64{"A": 0.25, "B": 0, "other": 0.75}},
		{"tokens that do not spell the content", []openai.LogProb{{Token: `{"code": "`}, {Token: `A`}}, nil},
		{"no alternatives", []openai.LogProb{{Token: `{"code":"`}, {Token: `A`}}, nil},
		{"not a number", []openai.LogProb{
			{Token: `{"code":"`}, {Token: `A`, TopLogProbs: top{{Token: "A", LogProb: math.NaN()}}},
		}, nil},
		{"a probability above one", []openai.LogProb{
			{Token: `{"code":"`}, {Token: `A`, TopLogProbs: top{{Token: "A", LogProb: 3}}},
		}, nil},
		{"none at all", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := codeProbs(`{"code":"A","evidence":"x"}`, test.tokens, []string{"A", "B", "other"}, "A")
			if len(got) != len(test.want) {
				t.Fatalf("got %v, want %v", got, test.want)
			}
			for code, want := range test.want {
				if math.Abs(got[code]-want) > 1e-9 {
					t.Errorf("got %v, want %v", got, test.want)
				}
			}
		})
	}
}

func TestNoProxyIsTakenFromTheEnvironment(t *testing.T) {
	if transport().Proxy != nil {
		t.Error("a proxy of the environment would see prompts and keys")
	}
}
