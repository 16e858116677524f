package llmtest

import (
	"net/http"
	"strconv"
	"strings"
)

// Misbehaviour is one way a server can let its client down, for as long as it
// is asked.
type Misbehaviour struct {
	Name  string
	Reply Reply
}

// Misbehaviours are all of them. A client must end each in an error or in an
// answer that is right, and never in anything between.
func Misbehaviours() []Misbehaviour {
	return []Misbehaviour{
		{"429 without Retry-After", Status(http.StatusTooManyRequests, "rate_limit_exceeded")},
		{"429 with Retry-After of an hour", After("3600", Status(http.StatusTooManyRequests, "rate_limit_exceeded"))},
		{"429 for want of money", Status(http.StatusTooManyRequests, "insufficient_quota")},
		{"401", Status(http.StatusUnauthorized, "invalid_api_key")},
		{"404 unknown model", Status(http.StatusNotFound, "model_not_found")},
		{"400", Status(http.StatusBadRequest, "unsupported_value")},
		{"409", Status(http.StatusConflict, "conflict")},
		{"500", Status(http.StatusInternalServerError, "server_error")},
		{"502 in HTML", Raw(http.StatusBadGateway, "text/html", "<html><body>Bad Gateway</body></html>")},
		{"200 in HTML", Raw(http.StatusOK, "text/html", "<html><body>Log in</body></html>")},
		{"200 around an error", Raw(http.StatusOK, "application/json", `{"error":{"message":"overloaded","type":"server_error","code":null}}`)},
		{"error of an odd shape", Raw(http.StatusOK, "application/json", `{"error":"overloaded"}`)},
		{"wrong content type", mistyped},
		{"redirect", redirect},
		{"body of 10 MB", Raw(http.StatusOK, "application/json", `{"choices":[],"pad":"`+strings.Repeat("x", 10<<20)+`"}`)},
		{"error body of 10 MB", Raw(http.StatusInternalServerError, "text/plain", strings.Repeat("x", 10<<20))},
		{"truncated JSON", Raw(http.StatusOK, "application/json", `{"choices":[{"index":0,"message":{"role":"assis`)},
		{"truncated body", short},
		{"invalid UTF-8", Raw(http.StatusOK, "application/json", "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\"\xff\xfe\"}}]}")},
		{"another shape of JSON", Raw(http.StatusOK, "application/json", `[1,2,3]`)},
		{"hanging", Hang},
		{"slow drip", Drip},
		{"connection reset", Reset},
		{"empty choices", Raw(http.StatusOK, "application/json", `{"choices":[]}`)},
		{"null content", message("stop", `{"role":"assistant","content":null}`)},
		{"refusal", message("stop", `{"role":"assistant","content":null,"refusal":"I cannot help with that."}`)},
		{"out of tokens", message("length", `{"role":"assistant","content":"{\"code\":\"A\",\"evid"}`)},
		{"content filter", message("content_filter", `{"role":"assistant","content":""}`)},
		{"tool call", message("tool_calls", `{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"rm","arguments":"{}"}}]}`)},
		{"no finish reason", message("", `{"role":"assistant","content":"{}"}`)},
		{"duplicate keys", shaped(func(good string) string { return strings.Replace(good, `{`, `{"code":"B",`, 1) })},
		{"extra keys", shaped(func(good string) string { return strings.Replace(good, `{`, `{"severity":"none",`, 1) })},
		{"trailing data", shaped(func(good string) string { return good + ` {"code":"B"}` })},
		{"missing key", shaped(func(good string) string { return `{"code":"A"}` })},
		{"null code", shaped(func(good string) string { return strings.Replace(good, `"A"`, `null`, 1) })},
		{"code outside the shortlist", shaped(func(good string) string { return strings.Replace(good, `"A"`, `"Z"`, 1) })},
		{"code in lower case", shaped(func(good string) string { return strings.Replace(good, `"A"`, `"a"`, 1) })},
		{"prose instead of JSON", Answer("I would say this is code A, since the goods are broken.")},
		{"evidence that is not in the text", func(w http.ResponseWriter, r *http.Request, req Request) {
			Answer(Content("A", "the forklift is on fire", req))(w, r, req)
		}},
		{"empty evidence", func(w http.ResponseWriter, r *http.Request, req Request) {
			Answer(Content("A", " ", req))(w, r, req)
		}},
		{"endless white space", shaped(func(good string) string { return good[:len(good)-1] + strings.Repeat(" \n", 1000) })},
	}
}

// Harmless are oddities of real servers that a client should live with.
func Harmless() []Misbehaviour {
	return []Misbehaviour{
		{"JSON in a Markdown fence", shaped(func(good string) string { return "```json\n" + good + "\n```" })},
		{"log probabilities missing", Model{NoProbs: true}.Reply},
		{"white space around", shaped(func(good string) string { return "\n  " + good + "\n" })},
		{"no usage", func(w http.ResponseWriter, r *http.Request, req Request) {
			content := strconv.Quote(Content("A", firstWords(req.Text()), req))
			message("stop", `{"role":"assistant","content":`+content+`}`)(w, r, req)
		}},
	}
}

// shaped breaks an answer that would have been good.
func shaped(spoil func(good string) string) Reply {
	return func(w http.ResponseWriter, r *http.Request, req Request) {
		Answer(spoil(Content("A", firstWords(req.Text()), req)))(w, r, req)
	}
}

func message(finish, message string) Reply {
	reason := "null"
	if finish != "" {
		reason = `"` + finish + `"`
	}
	return Raw(http.StatusOK, "application/json", `{"choices":[{"index":0,"finish_reason":`+reason+`,"message":`+message+`}]}`)
}

func mistyped(w http.ResponseWriter, r *http.Request, req Request) {
	Raw(http.StatusOK, "application/octet-stream", `{"choices":[]}`)(w, r, req)
}

func redirect(w http.ResponseWriter, _ *http.Request, _ Request) {
	w.Header().Set("Location", "/v1/elsewhere")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// short promises more than it sends.
func short(w http.ResponseWriter, _ *http.Request, _ Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "500")
	_, _ = w.Write([]byte(`{"choices":[`))
}
