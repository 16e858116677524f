package llmtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Model is a model that answers well.
type Model struct {
	Pick     func(text string, codes []string) string // nil takes the first code
	Prose    bool                                     // whatever the format, it writes prose when told to
	Foreign  bool                                     // whatever the format, it takes a code not offered when told to
	NoProbs  bool                                     // log probabilities are left out
	Name     string                                   // as which it answers; empty for the name asked for
	Rejects  string                                   // a request with this parameter gets status 400
	Unheeded bool                                     // max_completion_tokens is ignored, max_tokens is not
}

// Reply answers as the request wants it.
func (m Model) Reply(w http.ResponseWriter, _ *http.Request, req Request) {
	if m.Rejects != "" && strings.Contains(string(req.Body), `"`+m.Rejects+`"`) {
		Status(http.StatusBadRequest, "unsupported_parameter")(w, nil, req)
		return
	}
	limit := req.MaxTokens
	if !m.Unheeded {
		limit = max(limit, req.MaxCompletionTokens)
	}
	last := req.Messages[len(req.Messages)-1].Content
	switch {
	case limit > 0 && limit < 50:
		write(w, completion(m.name(req), "one two three four", "length", nil))
		return
	case m.Prose && strings.Contains(last, "prose"):
		write(w, completion(m.name(req), "The sea is wide. It is blue.", "stop", nil))
		return
	}
	codes := req.Codes()
	code := codes[0]
	if m.Pick != nil {
		code = m.Pick(req.Text(), codes)
	}
	if m.Foreign && strings.Contains(last, `"code":"Z"`) {
		code = "Z"
	}
	content := Content(code, firstWords(req.Text()), req)
	var logprobs any
	if req.LogProbs && !m.NoProbs {
		logprobs = LogProbs(content, code, codes)
	}
	write(w, completion(m.name(req), content, "stop", logprobs))
}

func (m Model) name(req Request) string {
	if m.Name != "" {
		return m.Name
	}
	return req.Model
}

// Content is an answer in the shape the request asks for.
func Content(code, evidence string, req Request) string {
	quoted, _ := json.Marshal(evidence) //nolint:errchkjson // a string
	content := fmt.Sprintf(`{"code":"%s","evidence":%s`, code, quoted)
	for _, message := range req.Messages {
		for line := range strings.Lines(message.Content) {
			var offered struct{ Urgencies []string }
			if json.Unmarshal([]byte(line), &offered) == nil && len(offered.Urgencies) > 0 {
				return content + fmt.Sprintf(`,"urgency":"%s"}`, offered.Urgencies[0])
			}
		}
	}
	return content + "}"
}

func firstWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(len(words), 3)], " ")
}

// LogProbs gives the code a probability of 0.7 and shares 0.2 among the others
// offered; the rest goes to a token that is no code.
func LogProbs(content, code string, codes []string) any {
	before, after, _ := strings.Cut(content, `"`+code+`"`)
	type alternative struct {
		Token   string  `json:"token"`
		LogProb float64 `json:"logprob"`
	}
	type token struct {
		alternative
		Top []alternative `json:"top_logprobs"`
	}
	const ln07, ln02, ln01 = -0.35667494393873245, -1.6094379124341003, -2.302585092994046
	chosen := token{alternative: alternative{code, ln07}}
	chosen.Top = append(chosen.Top, chosen.alternative, alternative{"Sure", ln01})
	for _, other := range codes {
		if other != code {
			chosen.Top = append(chosen.Top, alternative{other, ln02})
			break
		}
	}
	plain := func(s string) token { return token{alternative: alternative{s, 0}, Top: []alternative{{s, 0}}} }
	return map[string]any{"content": []token{plain(before + `"`), chosen, plain(`"` + after)}}
}

// Answer replies with a content, finished well.
func Answer(content string) Reply {
	return func(w http.ResponseWriter, _ *http.Request, req Request) {
		write(w, completion(req.Model, content, "stop", nil))
	}
}

// Status replies with an error in JSON.
func Status(status int, code string) Reply {
	return func(w http.ResponseWriter, _ *http.Request, req Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"message":"refused, your key was %s","type":"error","code":%q}}`,
			strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), code)
	}
}

// After sets a Retry-After header before another reply.
func After(value string, reply Reply) Reply {
	return func(w http.ResponseWriter, r *http.Request, req Request) {
		w.Header().Set("Retry-After", value)
		reply(w, r, req)
	}
}

// Raw replies with a status, a content type and a body.
func Raw(status int, contentType, body string) Reply {
	return func(w http.ResponseWriter, _ *http.Request, _ Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Hang sends nothing until the client goes away.
func Hang(_ http.ResponseWriter, r *http.Request, _ Request) { <-r.Context().Done() }

// Drip sends one byte a second.
func Drip(w http.ResponseWriter, r *http.Request, req Request) {
	w.Header().Set("Content-Type", "application/json")
	body, _ := json.Marshal(completion(req.Model, "{}", "stop", nil)) //nolint:errchkjson // maps and strings
	for _, b := range body {
		_, _ = w.Write([]byte{b})
		_ = http.NewResponseController(w).Flush()
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
			return
		}
	}
}

// Reset closes the connection without a reply.
func Reset(w http.ResponseWriter, _ *http.Request, _ Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func completion(model, content, finish string, logprobs any) map[string]any {
	return map[string]any{
		"id": "chatcmpl-1", "object": "chat.completion", "model": model, "system_fingerprint": "fp_test",
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": finish, "logprobs": logprobs,
			"message": map[string]any{"role": "assistant", "content": content},
		}},
		"usage": map[string]any{
			"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220,
			"prompt_tokens_details": map[string]any{"cached_tokens": 100},
		},
	}
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // maps and strings
}
