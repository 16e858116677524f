package llm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	openai "github.com/sashabaranov/go-openai"
)

// Answer is a code from the shortlist and what is known about how it came about.
type Answer struct {
	Code     string
	Urgency  string // one of the prompt's urgencies; empty if it had none
	Evidence string // words that stand in the text, up to white space

	// CodeProbs is the model's probability for each offered code, summing to 1.
	// It is nil when the server gives no usable log probabilities, and it is not
	// calibrated.
	CodeProbs map[string]float64

	Path        Path
	Repaired    bool   // the first answer was refused, this is the second
	Model       string // as the server names it, in printable text
	Fingerprint string // the server's system_fingerprint; often empty
	PromptHash  string // SHA-256 of the prompt without the model, in hex
	Usage       Usage  // spent for this call; zero when Shared
	Shared      bool   // from the cache or from an identical call under way
}

// plain makes printable text of at most 200 bytes of what a server calls itself.
func plain(name string) string {
	const most = 200
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
	return strings.ToValidUTF8(name[:min(most, len(name))], "")
}

type fields struct {
	Code     *string `json:"code"`
	Urgency  *string `json:"urgency"`
	Evidence *string `json:"evidence"`
}

// choice returns the one choice of a completion that ended well, in the order
// choices, finish reason, refusal.
func choice(resp openai.ChatCompletionResponse) (openai.ChatCompletionChoice, *Error) {
	if len(resp.Choices) == 0 {
		return openai.ChatCompletionChoice{}, &Error{Reason: ReasonNoChoices}
	}
	first := resp.Choices[0]
	switch first.FinishReason {
	case openai.FinishReasonStop:
	case openai.FinishReasonLength:
		return first, &Error{Reason: ReasonTruncated, Detail: "the answer did not fit into the tokens allowed"}
	case openai.FinishReasonContentFilter:
		return first, &Error{Reason: ReasonFiltered}
	default:
		return first, &Error{Reason: ReasonUnfinished}
	}
	if first.Message.Refusal != "" {
		return first, &Error{Reason: ReasonRefused}
	}
	return first, nil
}

// read takes an answer out of a completion, or says why it cannot be used.
func (p Prompt) read(resp openai.ChatCompletionResponse, path Path) (Answer, *Error) {
	first, bad := choice(resp)
	if bad != nil {
		return Answer{}, bad
	}
	content := first.Message.Content
	if path == PathText {
		content = unfence(content)
	}
	got, bad := p.decode(content)
	if bad != nil {
		return Answer{}, bad
	}
	if !slices.Contains(p.codes(), *got.Code) {
		return Answer{}, &Error{
			Reason: ReasonCodeNotOffered,
			Detail: "code must be one of " + strings.Join(p.codes(), ", "),
		}
	}
	if !contains(p.Text, *got.Evidence) {
		return Answer{}, &Error{
			Reason: ReasonEvidence,
			Detail: fmt.Sprintf("evidence must be copied exactly from the text, 1 to %d characters", maxEvidence),
		}
	}
	answer := Answer{Code: *got.Code, Evidence: *got.Evidence, Path: path}
	if got.Urgency != nil {
		answer.Urgency = *got.Urgency
	}
	if first.LogProbs != nil {
		answer.CodeProbs = codeProbs(first.Message.Content, first.LogProbs.Content, p.codes(), answer.Code)
	}
	return answer, nil
}

func (p Prompt) decode(content string) (fields, *Error) {
	malformed := func(detail string) (fields, *Error) {
		return fields{}, &Error{Reason: ReasonMalformedAnswer, Detail: detail}
	}
	var got fields
	err := json.Unmarshal([]byte(content), &got, json.RejectUnknownMembers(true))
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed("a key appears twice")
	case errors.Is(err, json.ErrUnknownName):
		return malformed("there is a key that was not asked for")
	case err != nil:
		return malformed("it is not exactly one JSON object with string values")
	case got.Code == nil || got.Evidence == nil:
		return malformed("code and evidence are both needed")
	case len(p.Urgencies) == 0 && got.Urgency != nil:
		return malformed("urgency was not asked for")
	case len(p.Urgencies) > 0 && (got.Urgency == nil || !slices.Contains(p.Urgencies, *got.Urgency)):
		return malformed("urgency must be one of " + strings.Join(p.Urgencies, ", "))
	}
	return got, nil
}

// contains compares words, so that a model may write a line break as a space.
func contains(text, evidence string) bool {
	words := strings.Join(strings.Fields(evidence), " ")
	return words != "" && utf8.RuneCountInString(words) <= maxEvidence &&
		strings.Contains(strings.Join(strings.Fields(text), " "), words)
}

// unfence removes a Markdown fence around the whole content: models that nothing
// constrains like to add one.
func unfence(content string) string {
	body, fenced := strings.CutPrefix(strings.TrimSpace(content), "```")
	if !fenced {
		return content
	}
	body, closed := strings.CutSuffix(body, "```")
	if !closed {
		return content
	}
	return strings.TrimPrefix(body, "json")
}

// codeProbs reads the probabilities of the codes off the token that begins the
// value of "code" and shares them out among the codes. It returns nil when the
// tokens do not spell the content, or do not tell the codes apart.
func codeProbs(content string, tokens []openai.LogProb, codes []string, chosen string) map[string]float64 {
	at := codeOffset(content)
	start := 0
	for _, token := range tokens {
		end := start + len(token.Token)
		if end > len(content) || content[start:end] != token.Token {
			return nil
		}
		if at < end {
			return share(token.TopLogProbs, content[start:at], codes, chosen)
		}
		start = end
	}
	return nil
}

func share(top []openai.TopLogProbs, before string, codes []string, chosen string) map[string]float64 {
	probs := make(map[string]float64, len(codes))
	for _, code := range codes {
		probs[code] = 0
	}
	var total float64
	for _, alternative := range top {
		rest, ok := strings.CutPrefix(alternative.Token, before)
		if !ok || math.IsNaN(alternative.LogProb) || alternative.LogProb > 1e-6 {
			continue
		}
		if code := codeOf(rest, codes); code != "" {
			prob := math.Exp(alternative.LogProb)
			probs[code] += prob
			total += prob
		}
	}
	if probs[chosen] == 0 {
		return nil
	}
	for code := range probs {
		probs[code] /= total
	}
	return probs
}

// codeOf returns the only code that a token can be the beginning of, or none.
func codeOf(token string, codes []string) string {
	word := token
	if end := strings.IndexFunc(token, func(r rune) bool { return !isWord(string(r)) }); end >= 0 {
		word = token[:end]
		if !slices.Contains(codes, word) {
			return ""
		}
		return word
	}
	found := ""
	for _, code := range codes {
		if word != "" && strings.HasPrefix(code, word) {
			if found != "" {
				return ""
			}
			found = code
		}
	}
	return found
}

// codeOffset is where the value of "code" begins, after its quotation mark, in
// content that has been decoded before.
func codeOffset(content string) int {
	decoder := jsontext.NewDecoder(strings.NewReader(content))
	if _, err := decoder.ReadToken(); err != nil {
		return len(content)
	}
	for {
		name, err := decoder.ReadToken()
		if err != nil || name.Kind() != '"' {
			return len(content)
		}
		isCode := name.String() == "code" // before the next read, which reuses it
		value, err := decoder.ReadValue()
		if err != nil {
			return len(content)
		}
		if isCode {
			return int(decoder.InputOffset()) - len(value) + 1
		}
	}
}
