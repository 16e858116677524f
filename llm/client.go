package llm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	openai "github.com/sashabaranov/go-openai"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

const (
	attemptTimeout = 6 * time.Second
	totalTimeout   = 12 * time.Second
	cacheSize      = 4096
	cacheLife      = 30 * 24 * time.Hour
	azureVersion   = "2024-10-21" // the first general one that knows json_schema
)

// API is the dialect a server speaks.
type API string

// The dialects. The empty one is [AzureOpenAI] for Azure's own host names and
// [OpenAI] for all others.
const (
	OpenAI      API = "openai"
	AzureOpenAI API = "azure"
)

// Config says which server to ask and how hard. BaseURL, Model, Now and Rand are
// needed.
type Config struct {
	BaseURL string // such as https://api.openai.com/v1 or http://localhost:11434/v1
	APIKey  string // may be empty for a server of one's own
	Model   string // on Azure the name of the deployment
	API     API

	Price             Price
	Reserve           Reserve // nil for no budget
	RequestsPerMinute int     // 0 means 60
	Concurrency       int     // requests under way at a time; 0 means 4

	Now  func() time.Time
	Rand rand.Source // seeded from crypto/rand by programs: it also makes the marks around strangers' text

	Sleep     func(context.Context, time.Duration) error // nil sleeps
	Transport http.RoundTripper                          // nil takes no proxy and keeps no connection
}

// String leaves the key out, so that a configuration can be printed.
func (c Config) String() string { return c.Model + " at " + c.BaseURL }

// Client asks one model of one server. It is safe for concurrent use, starts
// nothing in the background and needs no closing.
type Client struct {
	model   string
	price   Price
	reserve Reserve
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
	markKey []byte

	api     *openai.Client
	breaker *gobreaker.CircuitBreaker[openai.ChatCompletionResponse]
	limiter *rate.Limiter
	slots   chan struct{}
	flights singleflight.Group
	cache   *lru.Cache[string, cached]
	proven  atomic.Pointer[Capabilities]

	mu    sync.Mutex
	rand  *rand.Rand
	quiet time.Time // the server asked to be left alone until then
}

type cached struct {
	answer Answer
	at     time.Time
}

// New checks the configuration; it sends nothing. Until [Client.Probe] has
// succeeded, the model is asked in plain text and only local checks hold it.
func New(c Config) (*Client, error) {
	api, err := dialect(c)
	if err != nil {
		return nil, fmt.Errorf("llm: %w", err)
	}
	through := c.Transport
	if through == nil {
		through = transport()
	}
	api.HTTPClient = newDoer(through, c.Now, c.APIKey)
	cache, err := lru.New[string, cached](cacheSize)
	if err != nil {
		return nil, fmt.Errorf("llm: cache: %w", err)
	}
	client := &Client{
		model: c.Model, price: c.Price, reserve: c.Reserve, now: c.Now, sleep: c.Sleep,
		api: openai.NewClientWithConfig(api), cache: cache, rand: rand.New(c.Rand),
		limiter: rate.NewLimiter(rate.Limit(float64(or(c.RequestsPerMinute, 60))/60), or(c.Concurrency, 4)),
		slots:   make(chan struct{}, or(c.Concurrency, 4)),
	}
	if client.sleep == nil {
		client.sleep = sleep
	}
	for range 4 {
		client.markKey = fmt.Appendf(client.markKey, "%016x", client.rand.Uint64())
	}
	client.breaker = gobreaker.NewCircuitBreaker[openai.ChatCompletionResponse](breakerSettings())
	client.proven.Store(&Capabilities{Path: PathText})
	return client, nil
}

func or(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

// dialect turns the configuration into go-openai's, and refuses what cannot work.
func dialect(c Config) (openai.ClientConfig, error) {
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"):
		return openai.ClientConfig{}, errors.New("base URL: need http:// or https:// and a host, such as http://localhost:11434/v1")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return openai.ClientConfig{}, errors.New("base URL: leave out user, password, query and fragment; the key has its own setting")
	case c.Model == "":
		return openai.ClientConfig{}, errors.New("model: name the model to ask")
	case c.Now == nil || c.Rand == nil:
		return openai.ClientConfig{}, errors.New("clock and randomness are needed")
	}
	host := base.Hostname()
	api := c.API
	if api == "" {
		api = OpenAI
		if strings.HasSuffix(host, ".openai.azure.com") && !strings.Contains(base.Path, "/openai/v1") {
			api = AzureOpenAI
		}
	}
	switch {
	case api == "anthropic" || host == "api.anthropic.com":
		return openai.ClientConfig{}, errors.New("anthropic is not supported: its OpenAI-compatible mode ignores schemas and log probabilities, " +
			"and the client library sends it no key; put a gateway that speaks OpenAI's protocol in front of it")
	case api == OpenAI:
		config := openai.DefaultConfig(c.APIKey)
		config.BaseURL = c.BaseURL
		return config, nil
	case api == AzureOpenAI:
		config := openai.DefaultAzureConfig(c.APIKey, c.BaseURL)
		config.APIVersion = azureVersion
		config.AzureModelMapperFunc = func(deployment string) string { return deployment } // the default one edits names
		return config, nil
	default:
		return openai.ClientConfig{}, fmt.Errorf("api %q is neither %s nor %s", api, OpenAI, AzureOpenAI)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Choose asks the model for one code. It takes 12 seconds at most, repeats and
// one repair included. Any error is an [*Error]: nothing of the reply may then be
// used, and the caller does without. Identical prompts under way share one call,
// and answers are kept for 30 days, in memory, per site.
func (c *Client) Choose(ctx context.Context, p Prompt) (Answer, error) {
	if err := p.check(); err != nil {
		return Answer{}, &Error{Reason: ReasonPrompt, Detail: err.Error()}
	}
	hash := p.hash()
	for {
		if hit, ok := c.cache.Get(hash); ok && c.now().Sub(hit.at) < cacheLife {
			return hit.answer, nil
		}
		answer, leaderGone, err := c.share(ctx, hash, p)
		if leaderGone && ctx.Err() == nil {
			continue // whoever asked first gave up; that is no reason for us to
		}
		return answer, err
	}
}

// share joins the call under way for the same prompt, or makes it. The call ends
// with the context of whoever made it.
func (c *Client) share(ctx context.Context, hash string, p Prompt) (answer Answer, leaderGone bool, err error) {
	led := false
	flight := c.flights.DoChan(hash, func() (any, error) {
		led = true
		answer, err := c.choose(ctx, p)
		if err != nil {
			return nil, err
		}
		answer.PromptHash = hash
		keep := answer
		keep.Shared, keep.Usage = true, Usage{}
		c.cache.Add(hash, cached{keep, c.now()})
		return answer, nil
	})
	select {
	case <-ctx.Done():
		return Answer{}, false, canceled(context.Cause(ctx))
	case result := <-flight:
		if result.Err != nil {
			var e *Error
			gone := !led && errors.As(result.Err, &e) && e.Reason == ReasonCanceled
			return Answer{}, gone, result.Err
		}
		answer, _ = result.Val.(Answer)
		if !led {
			answer.Shared, answer.Usage = true, Usage{}
		}
		return answer, false, nil
	}
}

var errOutOfTime = errors.New("out of time")

// choose asks, and once more if the answer can be repaired.
func (c *Client) choose(ctx context.Context, p Prompt) (Answer, error) {
	ctx, stop := context.WithTimeoutCause(ctx, totalTimeout, errOutOfTime)
	defer stop()
	caps := *c.proven.Load()
	messages, schema := p.messages(c.markKey), p.schema()
	call := call{site: p.Site, until: c.now().Add(totalTimeout)}
	for repaired := false; ; repaired = true {
		resp, err := c.send(ctx, &call, c.request(caps, messages, schema))
		if err != nil {
			return Answer{}, err
		}
		if caps.Model != "" && resp.Model != caps.Model {
			return Answer{}, &Error{Reason: ReasonModelChanged, Detail: "another model answers than the one probed"}
		}
		answer, bad := p.read(resp, caps.Path)
		if bad == nil {
			answer.Repaired, answer.Usage = repaired, call.used
			answer.Model, answer.Fingerprint = plain(resp.Model), plain(resp.SystemFingerprint)
			return answer, nil
		}
		if repaired || !bad.repairable() {
			return Answer{}, bad
		}
		messages = append(messages, repair(resp.Choices[0].Message.Content, bad)...)
	}
}
