package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/web"
)

// identities is a small OpenID Connect provider: it signs real tokens, and wants
// the verifier of the challenge that the browser brought.
type identities struct {
	t         *testing.T
	url       string
	key       *ecdsa.PrivateKey
	challenge string
	claims    map[string]any
	signer    *ecdsa.PrivateKey // of the next token

	before, beforeToken func() // it answers who it is, or with a token
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func startIdentities(t *testing.T) *identities {
	t.Helper()
	p := &identities{t: t, key: newKey(t), before: func() {}, beforeToken: func() {}}
	mux := http.NewServeMux()
	served := httptest.NewServer(mux)
	t.Cleanup(served.Close)
	p.url = served.URL
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.before()
		p.answer(w, map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token", "jwks_uri": p.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		p.beforeToken()
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if r.FormValue("code") != "code" || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge {
			w.WriteHeader(http.StatusBadRequest)
			p.answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		p.answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token()})
	})
	return p
}

func (p *identities) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *identities) token() string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.signer, KeyID: "k"}}, nil)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	text, err := jwt.Signed(signer).Claims(p.claims).Serialize()
	if err != nil {
		p.t.Error(err)
	}
	return text
}

// visit begins a sign-in and comes back from the provider with claims about
// somebody, changed as the case wants.
func (p *identities) visit(b *client, path string, change func(claims map[string]any)) (status int, page, to string) {
	p.t.Helper()
	status, page, to = b.open(path)
	if status != http.StatusSeeOther {
		p.t.Fatalf("start: %d %s", status, page)
	}
	asked, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, p.url+"/authorize?") {
		p.t.Fatalf("sent to %s: %v", to, err)
	}
	q := asked.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != "https://tallyman.example.com/oidc/callback" || q.Get("max_age") == "" {
		p.t.Errorf("asked with %v", q)
	}
	now := time.Now()
	p.challenge, p.signer = q.Get("code_challenge"), p.key
	p.claims = map[string]any{
		"iss": p.url, "sub": "u1", "aud": "tallyman", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "auth_time": now.Unix(), "nonce": q.Get("nonce"),
		"name": "Anna Berg", "email": "Anna@example.com", "email_verified": true, "groups": []string{"dc1-supervisors", "everybody"}, "state": q.Get("state"),
	}
	change(p.claims)
	state, _ := p.claims["state"].(string)
	return b.open("/oidc/callback?" + url.Values{"code": {"code"}, "state": {state}}.Encode())
}

func startWithOIDC(t *testing.T, p *identities) *site {
	t.Helper()
	roles, err := web.ReadGroupRoles(strings.NewReader(`
		# group           role        site   limit      daily
		dc1-supervisors   supervisor  DC-1   2500.00    20000   # the day shift
		dc1-finance       finance     *      unlimited  unlimited
	`))
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.DB(t)
	h, err := web.New(db, time.Now, slog.New(slog.NewTextHandler(t.Output(), nil)), web.Config{
		PublicURL: "https://tallyman.example.com", OIDC: &web.OIDC{Issuer: p.url, ClientID: "tallyman", Secret: "s", Roles: roles},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, "", db, h}
}

func TestSigningInWithAProvider(t *testing.T) {
	p := startIdentities(t)
	s := startWithOIDC(t, p)
	s.hear("DC-1")
	b := s.browser()
	if status, _, to := b.open("/queue"); status != 303 || !strings.HasPrefix(to, "/signin?") {
		t.Errorf("/queue before anybody signed in: %d to %s", status, to)
	}
	_, page, _ := b.open("/signin?next=/queue")
	says(t, page, "Sign in with your organisation", "/oidc/start?next=%2fqueue")
	status, page, to := p.visit(b, "/oidc/start?next=/queue", func(map[string]any) {})
	if status != 303 || to != "/queue" {
		t.Fatalf("signed in: %d to %s: %s", status, to, page)
	}
	if b.cookies["__Host-tallyman"] == "" {
		t.Errorf("cookies %v", b.cookies)
	}
	_, page, _ = b.open("/me")
	says(t, page, "Anna Berg", "<strong>supervisor</strong> at DC-1: 2\u202f500.00 a step")
	_, page, _ = b.open("/signin?again=1&next=/steps")
	says(t, page, "Sign in again", "again=1")
	keepsQuietOf(t, page, `name="password"`)

	anna, err := s.db.FindPerson(t.Context(), "anna@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, to = p.visit(b, "/oidc/start?again=1", func(c map[string]any) { c["groups"] = []string{"dc1-finance"} }); to != "/steps" {
		t.Errorf("again: to %s", to)
	}
	after, err := s.db.FindPerson(t.Context(), "anna@example.com")
	if err != nil || after.ID != anna.ID || len(after.Grants) != 1 || after.Grants[0].Role != "finance" || !after.Grants[0].Limit.Unlimited {
		t.Errorf("after the groups changed: %+v, %v", after, err)
	}
	if _, _, to = p.visit(s.browser(), "/oidc/start", func(c map[string]any) { c["sub"] = "another-account" }); to != "/steps" {
		t.Errorf("another account: to %s", to)
	}
	people, err := s.db.Persons(t.Context())
	if err != nil || len(people) != 1 || len(people[0].Accounts) != 2 {
		t.Errorf("one human is %+v, %v", people, err)
	}
	if err := s.db.Deactivate(t.Context(), store.Administrator{}, anna.ID); err != nil {
		t.Fatal(err)
	}
	status, page, _ = p.visit(b, "/oidc/start", func(map[string]any) {})
	if says(t, page, "Your access to Tallyman has ended"); status != 403 {
		t.Errorf("who left: %d", status)
	}
}

func TestTokensThatAreNotTrusted(t *testing.T) {
	p := startIdentities(t)
	s := startWithOIDC(t, p)
	for name, change := range map[string]func(map[string]any){
		"another nonce":        func(c map[string]any) { c["nonce"] = "x" },
		"no nonce":             func(c map[string]any) { delete(c, "nonce") },
		"another audience":     func(c map[string]any) { c["aud"] = "wiki" },
		"another issuer":       func(c map[string]any) { c["iss"] = "https://evil.example" },
		"expired":              func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() },
		"another key":          func(map[string]any) { p.signer = newKey(t) },
		"another state":        func(c map[string]any) { c["state"] = "x" },
		"another verifier":     func(map[string]any) { p.challenge = "x" },
		"an unverified email":  func(c map[string]any) { c["email_verified"] = false },
		"no email":             func(c map[string]any) { delete(c, "email") },
		"an old sign-in there": func(c map[string]any) { c["auth_time"] = time.Now().Add(-9 * time.Hour).Unix() },
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			status, page, to := p.visit(b, "/oidc/start", change)
			if status < 400 || to != "" || b.cookies["__Host-tallyman"] != "" {
				t.Errorf("%d to %q with %v", status, to, b.cookies)
			}
			says(t, page, "You are not signed in")
		})
	}
	b := s.browser()
	b.open("/oidc/start")
	if status, _, _ := b.open("/oidc/callback?code=code&state="); status != 400 {
		t.Errorf("without a state: %d", status)
	}
	if status, _, _ := s.browser().open("/oidc/callback?code=code&state=x"); status != 400 {
		t.Errorf("never begun: %d", status)
	}
	people, err := s.db.Persons(t.Context())
	if err != nil || len(people) != 0 {
		t.Errorf("somebody got in: %+v, %v", people, err)
	}
}

// A sign-in that does not say when it was is none that is fresh.
func TestFreshnessIsTheProviders(t *testing.T) {
	p := startIdentities(t)
	s := startWithOIDC(t, p)
	for name, c := range map[string]struct {
		change func(map[string]any)
		fresh  bool
	}{
		"now":         {func(map[string]any) {}, true},
		"an hour ago": {func(c map[string]any) { c["auth_time"] = time.Now().Add(-time.Hour).Unix() }, false},
		"not said":    {func(c map[string]any) { delete(c, "auth_time") }, false},
	} {
		b := s.browser()
		if status, page, _ := p.visit(b, "/oidc/start", c.change); status != 303 {
			t.Fatalf("%s: %d %s", name, status, page)
		}
		session, err := s.db.SessionByToken(t.Context(), b.cookies["__Host-tallyman"])
		if fresh := time.Since(session.AuthenticatedAt) < guardrails.FreshFor; err != nil || fresh != c.fresh {
			t.Errorf("%s: fresh is %v, %v", name, fresh, err)
		}
	}
}

// A provider that hangs holds up nobody but whoever asked it.
func TestAProviderThatHangs(t *testing.T) {
	p := startIdentities(t)
	asked, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.before = func() {
		hangs := false
		once.Do(func() { hangs = true })
		if hangs {
			close(asked)
			<-done
		}
	}
	s := startWithOIDC(t, p)
	first := make(chan int)
	go func() {
		status, _, _ := s.browser().open("/oidc/start")
		first <- status
	}()
	<-asked
	if status, page, _ := p.visit(s.browser(), "/oidc/start", func(map[string]any) {}); status != 303 {
		t.Errorf("while another waits: %d %s", status, page)
	}
	close(done)
	if status := <-first; status != 303 {
		t.Errorf("who waited: %d", status)
	}
}

// A provider that never answers is given up on.
func TestAProviderThatNeverSaysWhoItIs(t *testing.T) {
	web.SetPatience(t, 50*time.Millisecond)
	p := startIdentities(t)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) }) // before its server closes
	p.before = func() { <-done }
	if status, page, _ := startWithOIDC(t, p).browser().open("/oidc/start"); status != http.StatusBadGateway {
		t.Errorf("%d %s", status, page)
	}
}

func TestAProviderThatNeverGivesAToken(t *testing.T) {
	web.SetPatience(t, 3*time.Second) // the requests before it are answered, on any machine
	p := startIdentities(t)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	p.beforeToken = func() { <-done }
	s := startWithOIDC(t, p)
	if status, page, _ := p.visit(s.browser(), "/oidc/start", func(map[string]any) {}); status != http.StatusForbidden {
		t.Errorf("%d %s", status, page)
	}
}

func TestGroupRoles(t *testing.T) {
	for text, want := range map[string]string{
		"g supervisor DC-1 1": "line 1 has 4 words", "\ng supervisor DC-1 lots 1": `line 2: limit "lots"`,
		"g supervisor DC-1 unlimited 1": "either both",
	} {
		if _, err := web.ReadGroupRoles(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := web.New(nil, time.Now, slog.Default(), web.Config{OIDC: &web.OIDC{}}); err == nil {
		t.Error("a provider without a public URL")
	}
}
