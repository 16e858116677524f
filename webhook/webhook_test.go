package webhook_test

// The oracles are the test vector of the Standard Webhooks reference
// implementation, a table of addresses, and the journal of a receiver: what it
// carried out, whatever it answered.

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/webhook"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

var secret = []byte("a secret of twenty-four b")

func TestSignatureIsThatOfTheReference(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := webhook.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), key)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	body, old := []byte(`{"a":1}`), []byte("an older secret of 24 byt")
	signed := webhook.Sign("id", now, body, old, secret)
	stamp := "1795608000"
	for _, tt := range []struct {
		name, id, stamp, signature string
		body                       []byte
		now                        time.Time
		good                       bool
	}{
		{"signed by both secrets while they change", "id", stamp, signed, body, now, true},
		{"five minutes late", "id", stamp, signed, body, now.Add(webhook.Tolerance), true},
		{"six minutes late", "id", stamp, signed, body, now.Add(6 * time.Minute), false},
		{"two hours early", "id", stamp, signed, body, now.Add(-2 * time.Hour), false},
		{"another id", "other", stamp, signed, body, now, false},
		{"another instant", "id", "1795608001", signed, body, now, false},
		{"another body", "id", stamp, signed, []byte(`{"a":2}`), now, false},
		{"no signature", "id", stamp, "", body, now, false},
		{"a version that nobody knows", "id", stamp, strings.ReplaceAll(signed, "v1,", "v9,"), body, now, false},
		{"no instant", "id", "now", signed, body, now, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := webhook.Verify(tt.id, tt.stamp, tt.signature, tt.body, tt.now, secret)
			if (err == nil) != tt.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

// target serves a receiver and counts what it carried out.
func target(t *testing.T, faults ...string) (url string, effects *atomic.Int32) {
	t.Helper()
	effects = new(atomic.Int32)
	r := &webhook.Receiver{
		Secrets: [][]byte{secret}, Now: func() time.Time { return now }, Random: rand.New(rand.NewPCG(1, 2)),
		Journal: func([]byte) error { effects.Add(1); return nil },
	}
	for _, f := range faults {
		fault, err := webhook.ParseFault(f)
		if err != nil {
			t.Fatal(err)
		}
		r.Fail(fault)
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return server.URL, effects
}

func message(url string) *webhook.Message {
	return &webhook.Message{URL: url, Key: "tly_a", Body: []byte(`{"a":1}`), Secrets: [][]byte{[]byte("another secret, 24 bytes!"), secret}, Private: true}
}

func TestEveryFailureIsClassified(t *testing.T) {
	for _, tt := range []struct {
		fault   string
		want    webhook.Outcome
		effects int32
	}{
		{"", webhook.Applied, 1},
		{"500", webhook.Unknown, 0},
		{"500-after-apply", webhook.Unknown, 1},
		{"timeout", webhook.Unknown, 0},
		{"timeout-after-apply", webhook.Unknown, 1},
		{"reset", webhook.Unknown, 0},
		{"reset-after-apply", webhook.Unknown, 1},
		{"slow-after-apply", webhook.Unknown, 1},
		{"big-body-after-apply", webhook.Unknown, 1},
		{"200-error-body", webhook.Unknown, 0},
		{"200-html", webhook.Unknown, 0},
		{"401", webhook.Paused, 0},
		{"409", webhook.Refused, 0},
		{"429", webhook.Retry, 0},
		{"503", webhook.Retry, 0},
		{"redirect", webhook.Retry, 0},
	} {
		t.Run("fault "+tt.fault, func(t *testing.T) {
			url, effects := target(t)
			if tt.fault != "" {
				url, effects = target(t, tt.fault)
			}
			a := webhook.NewClient(300*time.Millisecond).Deliver(t.Context(), message(url), now)
			if a.Outcome != tt.want || effects.Load() != tt.effects || len(a.Body) > webhook.MaxAnswer {
				t.Errorf("got %s (%s) and %d effects, want %s and %d", a.Outcome, a.Detail, effects.Load(), tt.want, tt.effects)
			}
			if (tt.fault == "429" || tt.fault == "503") && a.RetryAfter != time.Second {
				t.Errorf("it asked to wait for a second; got %s", a.RetryAfter)
			}
		})
	}
}

func TestWhatNeverArrivedIsTriedAgain(t *testing.T) {
	client := webhook.NewClient(2 * time.Second)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	distrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer distrusted.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, url := range map[string]string{
		"nobody listens":                 gone.URL,
		"a certificate that nobody gave": distrusted.URL,
		"no TLS where TLS was expected":  strings.Replace(plain.URL, "http:", "https:", 1),
	} {
		if a := client.Deliver(t.Context(), message(url), now); a.Outcome != webhook.Retry {
			t.Errorf("%s: got %s (%s)", name, a.Outcome, a.Detail)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := client.Deliver(ctx, message(plain.URL), now); a.Outcome != webhook.Retry {
		t.Errorf("stopped before: got %s (%s)", a.Outcome, a.Detail)
	}
}

func TestOneKeyIsAppliedOnceAndKnownForever(t *testing.T) {
	url, effects := target(t, "timeout-after-apply:x1")
	client, m := webhook.NewClient(300*time.Millisecond), message(url)
	if applied, err := client.Ask(t.Context(), m, now); applied || err != nil {
		t.Errorf("before: %v, %v", applied, err)
	}
	for range 3 {
		client.Deliver(t.Context(), m, now)
	}
	if applied, err := client.Ask(t.Context(), m, now); !applied || err != nil || effects.Load() != 1 {
		t.Errorf("after: %v, %v and %d effects", applied, err, effects.Load())
	}
	whole := `{"key":"tly_a","sha256":"","body":{}}`
	var again webhook.Receiver
	if good, err := again.Restore(strings.NewReader(whole + "\n" + `{"key":"tly_b","sha`)); err != nil || good != int64(len(whole)) {
		t.Errorf("the journal is good for %d bytes, %v; want %d", good, err, len(whole))
	}
}

// A name that resolves to an address of the inside is refused when it is dialled.
func TestAttack51PrivateAddresses(t *testing.T) {
	for _, tt := range []struct {
		address string
		public  bool
		private bool
	}{
		{"93.184.215.14", true, true},
		{"2606:2800:21f:cb07:6820:80da:af6b:8b2c", true, true},
		{"127.0.0.1", false, true},
		{"::1", false, true},
		{"10.0.0.1", false, true},
		{"::ffff:10.0.0.1", false, true},
		{"192.168.1.1", false, true},
		{"172.16.0.1", false, true},
		{"100.64.0.1", false, true},
		{"fd12:3456::1", false, true},
		{"169.254.169.254", false, false},
		{"::ffff:169.254.169.254", false, false},
		{"fd00:ec2::254", false, false},
		{"168.63.129.16", false, false},
		{"fe80::1", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"64:ff9b::a00:1", false, false},
		{"2002:a00:1::", false, false},
		{"::10.0.0.1", false, false},
		{"::ffff:0:10.0.0.1", false, false},
		{"fec0::1", false, false},
		{"fe80::5efe:10.0.0.1", false, false},
	} {
		for private, want := range map[bool]bool{false: tt.public, true: tt.private} {
			err := webhook.CheckAddr(netip.MustParseAddr(tt.address), private)
			if (err == nil) != want {
				t.Errorf("%s with private %v: %v", tt.address, private, err)
			}
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer server.Close()
	for _, url := range []string{
		strings.Replace(server.URL, "http:", "https:", 1),
		strings.Replace(strings.Replace(server.URL, "http:", "https:", 1), "127.0.0.1", "localhost", 1),
	} {
		m := message(url)
		m.Private = false
		if a := webhook.NewClient(time.Second).Deliver(t.Context(), m, now); a.Outcome != webhook.Refused {
			t.Errorf("%s: got %s (%s)", url, a.Outcome, a.Detail)
		}
	}
	for _, url := range []string{"http://example.com/", "https://user@example.com/", "ftp://example.com/", "https:///x", "file:///etc/passwd"} {
		if err := webhook.CheckURL(url, false); err == nil {
			t.Errorf("%s passed", url)
		}
	}
}

func TestBreakerOpensAndCloses(t *testing.T) {
	var b webhook.Breakers
	for range 5 {
		done, ok := b.Allow("wms")
		if !ok {
			t.Fatal("it opened too early")
		}
		done(webhook.Unknown)
	}
	if _, ok := b.Allow("wms"); ok {
		t.Error("five failures did not open it")
	}
	if done, ok := b.Allow("erp"); !ok {
		t.Error("one target stopped another")
	} else {
		done("")
	}
	for range 20 {
		if done, ok := b.Allow("erp"); ok {
			done(webhook.Refused) // it answers, so that it works
		} else {
			t.Fatal("refusals opened it")
		}
	}
}

func TestFaultsAreSpelledOut(t *testing.T) {
	for _, text := range []string{"503", "503:0.5", "503:x3"} {
		if _, err := webhook.ParseFault(text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "504x", "503:2", "503:x", "503:0"} {
		if _, err := webhook.ParseFault(text); err == nil {
			t.Errorf("%q passed", text)
		}
	}
}
