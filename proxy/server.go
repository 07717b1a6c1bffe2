// Package proxy is the adapter's server: clients speak Anthropic's or OpenAI's protocol to it, and it speaks Gemini's, with
// many keys.
//
// A request's way (exchange.go): route, token and body here; Codec.Decode; Prepare for the model; then attempts, each with a
// leased key, until an answer begins; events through the Encoder; one access line. Two points of no return, commitStatus and
// commitContent, decide what a failure can still become.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/fetch"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/anthropic"
	"github.com/gemini-claude-adapter/gca/proxy/front/chat"
	"github.com/gemini-claude-adapter/gca/proxy/front/responses"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const (
	headerBuffer = 32 << 10
	// spareConnections are for what takes no place of MAX_CONCURRENT's and waits for none: probes, lists, idle connections.
	spareConnections = 1024
	// mostConnections is what the largest MAX_CONCURRENT needs; how many there may be now is the listener's to say.
	mostConnections = 2*config.MostConcurrent + spareConnections
	idleTimeout     = 3 * time.Minute // longer than any proxy before us keeps idle connections, so that it closes them, not we
)

// Deps is what a server is given beside its settings.
type Deps struct {
	Logger  *slog.Logger // for the access lines and everything else
	Store   store.Store  // what outlives requests; its owner closes it after Serve
	Version string       // of the adapter, shown by /health and in the User-Agent upstream
	Release string       // the name of the release's folder, as deployed; may be empty

	Env   func(name string) (string, bool) // the environment that wins over reloaded files; nil is an empty one
	Level *slog.LevelVar                   // what Logger shows, set by LOG_LEVEL when settings are reloaded; may be nil
}

// Server answers clients. Its methods are safe for concurrent use; Serve is called once.
type Server struct {
	live     atomic.Pointer[config.Config] // read through settings
	deps     Deps
	log      *slog.Logger
	pool     *keys.Pool
	upstream *upstream.Client
	tokens   atomic.Pointer[gate]
	models   *models
	counts   *counter
	schemas  *front.Schemas
	http     *fasthttp.Server
	conns    *connections
	watcher  *watcher
	owners   *owners
	refusals *refusals
	fetcher  *fetch.Fetcher
	bounds   bounds
	fronts   fronts
	routes   *routes
	inbound  upstream.Buffers // bodies of requests, but for those of Google's own API, which go on to Google as they are
	usage    *usage
	kept     kept
	started  time.Time
	pace     pace

	reloading sync.Mutex

	life     context.Context // ends with the open answers, when draining takes too long
	endLife  context.CancelCauseFunc
	draining atomic.Bool

	requests, errors, streams atomic.Int64
	meters                    *meters
}

type fronts struct{ anthropic, interleaved, chat, responses front.Codec }

func newFronts() fronts {
	usual := anthropic.New()
	interleaved := usual
	interleaved.Interleaved = true
	asked := responses.New()
	return fronts{anthropic: usual, interleaved: interleaved, chat: mixed{Codec: chat.New(), asked: asked}, responses: asked}
}

// pace holds the times, and the one number, that tests shorten.
type pace struct {
	hold      time.Duration // until a streamed answer's status is sent without content
	ping      time.Duration // between heartbeats
	listing   time.Duration // between two looks at Google's list of models, 0 is never
	backoff   time.Duration // the first pause after a fault of the service; it doubles up to maxPause
	count     time.Duration // until an estimate has to do in place of a count
	idleGrace time.Duration // how long an idle connection lives on while draining: longer than Nginx keeps one, so that Nginx closes it
	bodyGrace time.Duration // for any request's body
	bodyIdle  time.Duration // without a byte of a body
	stall     time.Duration // how long a client may not read at all
	spare     int           // connections beside those that MAX_CONCURRENT needs
	dawn      time.Duration // from midnight in Los Angeles on, in which a quota of the day may be yesterday's
}

// New makes a server from validated settings. The error says what the settings lack.
func New(cfg *config.Config, deps Deps) (*Server, error) {
	if deps.Logger == nil || deps.Store == nil {
		return nil, errors.New("a server needs a logger and a store")
	}
	s := &Server{
		deps: deps, log: deps.Logger, started: time.Now(), meters: newMeters(),
		upstream: upstream.New(upstream.Options{
			BaseURL: cfg.BaseURL, ProxyURL: cfg.ProxyURL,
			FirstByte: cfg.RequestTimeout, Idle: cfg.StreamIdleTimeout,
			UserAgent: "gca/" + deps.Version,
		}),
		models:   newModels(cfg.ModelMap),
		schemas:  front.NewSchemas(),
		conns:    newConnections(),
		watcher:  newWatcher(),
		owners:   newOwners(),
		refusals: newRefusals(),
		fetcher:  fetch.New(fetch.Options{MaxTotal: cfg.MaxBody, UserAgent: "gca/" + deps.Version}),
		bounds:   newBounds(cfg),
		fronts:   newFronts(),
		pace: pace{hold: 10 * time.Second, ping: 10 * time.Second, listing: 6 * time.Hour, backoff: 500 * time.Millisecond, count: 3 * time.Second, idleGrace: 10 * time.Second,
			bodyGrace: 30 * time.Second, bodyIdle: 20 * time.Second, stall: 2 * time.Minute, dawn: 5 * time.Minute, spare: spareConnections},
	}
	s.routes = newRoutes(s)
	s.pool = keys.New(cfg.Keys, s.poolOptions(cfg))
	s.live.Store(cfg)
	s.tokens.Store(newGate(cfg))
	s.usage = newUsage(deps.Store, s.models.registry, deps.Logger)
	s.usage.flush() // what was used today
	s.restore()
	s.counts = newCounter(s)
	s.life, s.endLife = context.WithCancelCause(context.Background())
	s.http = &fasthttp.Server{
		Handler:                      s.handle,
		ErrorHandler:                 s.unreadable,
		HeaderReceived:               s.headed,
		ExpectHandler:                s.expect,
		ConnState:                    s.conns.note,
		Logger:                       quiet{s.log},
		ReadBufferSize:               headerBuffer,
		ReadTimeout:                  headTimeout,
		IdleTimeout:                  idleTimeout,
		MaxRequestBodySize:           1, // what fasthttp waits for before a request is handled; readAny knows the limit
		StreamRequestBody:            true,
		Concurrency:                  mostConnections,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		SecureErrorLogMessage:        true,
	}
	return s, nil
}

// settings are those that hold now; they are replaced whole while requests are under way, so a request reads them
// once.
func (s *Server) settings() *config.Config { return s.live.Load() }

// Serve answers on ln until ctx ends, then drains (drain.go), and returns when everything has ended. The error is ln's.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	watching, stopWatching := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { s.watcher.run(watching) })
	background.Go(func() { s.keepListing(watching) })
	background.Go(func() { s.keepState(watching) })
	background.Go(func() { s.keepProbing(watching) })
	defer background.Wait()
	defer stopWatching()
	defer s.upstream.Close()
	stop := context.AfterFunc(ctx, func() {
		s.draining.Store(true)
		_ = ln.Close() // an error means that it is closed
	})
	defer stop()
	if err := s.http.Serve(listener{ln, s.pace.stall, s.full}); err != nil {
		return fmt.Errorf("cannot accept connections: %w", err)
	}
	s.drain()
	return nil
}

// full reports whether there are as many connections as there may be: those that are served, as many that wait, and some to spare.
func (s *Server) full() bool {
	return s.conns.count() >= 2*s.settings().MaxConcurrent+s.pace.spare
}

// quiet keeps fasthttp's remarks on broken connections out of sight unless somebody looks for them.
type quiet struct{ log *slog.Logger }

// Printf leaves out what an error quotes: that is of the request, and there may be a token in it.
func (q quiet) Printf(format string, args ...any) {
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			args[i], _, _ = strings.Cut(err.Error(), `"`)
		}
	}
	q.log.Debug(fmt.Sprintf(format, args...))
}

// rescue turns a panic into a logged error and calls then.
func (s *Server) rescue(then func()) {
	if p := recover(); p != nil {
		s.log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
		then()
	}
}
