package llm_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"tallyman/llm/llmtest"
)

func TestACassetteReplaysWhatItRecorded(t *testing.T) {
	s := llmtest.New(t, llmtest.Model{}.Reply)
	tape := llmtest.Cassette{Dir: t.TempDir(), Record: http.DefaultTransport, Secret: key}
	cfg := config(s)
	cfg.Transport = tape
	want, err := client(t, cfg).Choose(t.Context(), prompt())
	if err != nil {
		t.Fatal(err)
	}
	cfg = config(s) // seeded anew
	cfg.Transport = llmtest.Cassette{Dir: tape.Dir}
	c := client(t, cfg)
	got, err := c.Choose(t.Context(), prompt())
	if err != nil || got.Code != want.Code || got.PromptHash != want.PromptHash || len(s.Requests()) != 1 {
		t.Errorf("got %+v %v after %d requests, want %+v", got, err, len(s.Requests()), want)
	}
	if _, err := c.Choose(t.Context(), numbered(1)); err == nil || !strings.Contains(err.Error(), "never_recorded") {
		t.Errorf("a request that was never recorded: %v", err)
	}
	s.Play(llmtest.Status(401, "")) // repeats the key in its message
	cfg.Transport, cfg.Sleep = tape, noSleep
	if _, err := client(t, cfg).Choose(t.Context(), numbered(2)); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("got %v", err)
	}
	if files, _ := filepath.Glob(tape.Dir + "/*.json"); len(files) != 1 {
		t.Errorf("%d files, want the one without the key", len(files))
	}
}
