# Everything a person needs to build, try and test gca. As root on Debian or Ubuntu what is missing is installed, and named.
GO       ?= go
FUZZTIME ?= 10s
ROUNDS   ?= 5

.PHONY: build payloads dist demo demo-down test check unit test-clients test-servers test-compose chaos test-records drill test-handovers fuzz bench bench-keys bench-micro bench-micro-keep bench-scale bench-nginx bench-deploy shots soak compiler clean
.PHONY: man completions licences release-files release-tag release-tools release-check snapshot release vulnerabilities

export CGO_ENABLED = 0

# The static binary, for this machine.
build:
	$(GO) build -trimpath -ldflags '-s -w' -o bin/gca ./cmd/gca

# What a release carries: the binaries of both kinds of server, compressed into provision/payload/carried. They are never committed.
RELEASE = -trimpath -buildvcs=auto -ldflags '-s -w'
# It is built by the Go that go.mod names, or by a newer one, whatever this machine is set to: holes in older ones' library are mended there.
payloads dist release-files snapshot release vulnerabilities: export GOTOOLCHAIN = auto
payloads:
	GOOS=linux GOARCH=amd64 $(GO) build $(RELEASE) -o bin/gca-linux-amd64 ./cmd/gca
	GOOS=linux GOARCH=arm64 $(GO) build $(RELEASE) -o bin/gca-linux-arm64 ./cmd/gca
	GOOS= GOARCH= $(GO) run ./cmd/payloads provision/payload/carried bin/gca-linux-amd64 bin/gca-linux-arm64

# A gca that deploys to either kind of server from wherever it runs, and downloads nothing: make dist GOOS=darwin GOARCH=arm64
dist: payloads
	GOOS= GOARCH= $(GO) test -count=1 -tags payloads -run '^TestCarried_release$$' ./provision/payload
	GOOS=$(GOOS) GOARCH=$(GOARCH) $(GO) build $(RELEASE) -tags payloads -o $(CARRIER) ./cmd/gca
	@echo "$(CARRIER): $$(wc -c <$(CARRIER)) bytes"
CARRIER = dist/gca-$(GOOS)-$(GOARCH)$(if $(filter windows,$(GOOS)),.exe)
GOOS   ?= $(shell $(GO) env GOOS)
GOARCH ?= $(shell $(GO) env GOARCH)

# The manual pages, in bin/man: man bin/man/gca-deploy.1
man:
	rm -rf bin/man
	$(GO) run -trimpath -tags man ./cmd/gca man bin/man

# What the shells complete, in bin/completions.
completions:
	mkdir -p bin/completions
	$(GO) build -trimpath -o bin/completions/.gca ./cmd/gca
	for shell in bash zsh fish; do bin/completions/.gca completion $$shell >bin/completions/gca.$$shell || exit 1; done
	rm bin/completions/.gca

# The licences of everything that is linked into gca, in bin/THIRD_PARTY. One that was not looked at before ends this.
licences:
	mkdir -p bin
	GOOS= GOARCH= $(GO) run ./cmd/licences >bin/THIRD_PARTY

# What a release consists of beside its binaries, and the binaries for servers that they carry.
release-files: payloads man completions licences
	rm -rf bin/man.gz && cp -r bin/man bin/man.gz && gzip -9 -n bin/man.gz/*

# A release is tagged with the version that the program itself tells.
GCA_VERSION := $(shell sed -n 's/^const version = "\(.*\)"$$/\1/p' cmd/gca/main.go)
release-tag:
	@test '$(TAG)' = 'v$(GCA_VERSION)' || { echo 'the tag is $(TAG), but cmd/gca/main.go says $(GCA_VERSION)'; exit 1; }

# The tools of releases. They are no tools of go.mod: goreleaser alone has 1800 packages, which would choose the versions of what
# is linked into gca. Each one is built with the versions that its own release was tested with, under Go's checksum database.
GORELEASER = github.com/goreleaser/goreleaser/v2@v2.17.0
CYCLONEDX  = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
TOOLS      = $(CURDIR)/bin/tools
release-tools: $(TOOLS)/$(notdir $(subst /v2@,@,$(GORELEASER))) $(TOOLS)/$(notdir $(CYCLONEDX))
$(TOOLS)/goreleaser@%:
	env -u GOTOOLCHAIN GOFLAGS= GOOS= GOARCH= GOBIN=$(TOOLS) $(GO) install $(GORELEASER) && touch $@
# The bill of materials names the sum of the tool that wrote it, so that is built without the folders of this machine, too.
$(TOOLS)/cyclonedx-gomod@%:
	env -u GOTOOLCHAIN GOFLAGS= GOOS= GOARCH= GOBIN=$(TOOLS) $(GO) install -trimpath $(CYCLONEDX) && touch $@

RELEASER = PATH="$(TOOLS):$$PATH" GCA_VERSION=$(GCA_VERSION) $(TOOLS)/goreleaser
release-check: release-tools
	$(RELEASER) check

# A release of two targets in dist/release, and what it weighs; nothing is published. A laptop's binary stays under 60 MB.
snapshot: release-tools
	GCA_TWO_TARGETS=1 $(RELEASER) release --snapshot --clean
	@find dist/release -type f \( -name 'gca' -o -name 'gca.exe' -o -name 'gca-*' -o -name SHA256SUMS \) -printf '%10s  %P\n' | sort -k2
	@heavy=$$(find dist/release -type f \( -name gca -o -name gca.exe \) -size +60000000c); \
		test -z "$$heavy" || { echo "more than 60 MB: $$heavy"; exit 1; }

release: release-tools
	$(RELEASER) release --clean

# What is known of holes in what is linked. Where Go's database is not reached, VULNDB=module takes it as the module proxy has it.
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
VULNMODULE  = golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018
VULNDB     ?= https://vuln.go.dev
vulnerabilities:
	$(GO) build -trimpath -o bin/gca-symbols ./cmd/gca
	db='$(VULNDB)'; test "$$db" != module || db=file://$$(cd / && $(GO) mod download -json $(VULNMODULE) | sed -n 's/.*"Dir": "\(.*\)",$$/\1/p')/data/osv; \
		env -u GOTOOLCHAIN GOFLAGS= $(GO) run $(GOVULNCHECK) -mode binary -db "$$db" bin/gca-symbols

# A throwaway server, a deploy, an answer: the whole of it, on this machine. It stays up until demo-down.
demo:
	$(GO) build -trimpath -ldflags '-s -w' -o .demo/gca ./cmd/gca
	$(GO) build -o .demo/demo ./cmd/demo
	.demo/demo up .demo

demo-down:
	$(GO) build -o .demo/demo ./cmd/demo
	.demo/demo down .demo
	rm -rf .demo

# Everything but the long walks of test-servers. Where no lab server can be booted, the last lines say what was left out.
test: check unit
	@$(GO) run ./cmd/lab check || { \
		echo; echo 'LEFT OUT: every test that needs a lab server (deploy, reboot, lab), for the reason above.'; \
		test "$$CI" != true; }

check:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./cmd/gca
	GOOS=darwin $(GO) vet ./cmd/gca
	GOARCH=386 $(GO) build -o /dev/null ./cmd/gca
	$(GO) tool staticcheck ./...

unit: compiler
	CGO_ENABLED=1 $(GO) test -race -timeout 35m -skip '$(LONG)' ./...

# The long walks, left out above: real clients; on lab servers every trap by its number, two systems by three logins with a reboot and a restore, and what
# packages, bans, kernel settings and sshd do.
LONG = ^(TestBalancer$$|TestRelease$$|TestTrap|TestMigrate|TestLockout|TestMatrix|TestCut|TestHandover_odd|TestUpgrade|TestTLS|TestLab_|TestClient_|TestDestroy_packages|TestDeploy_(impossible|noMirror|diskFull|stalled|silentLaptop|abortSilent|putBackAlone|whilePutBack|twoLaptops))

test-servers:
	GCA_EVERY=1 $(GO) test -count=1 -timeout 120m -run '$(LONG)|^(TestJournal_UndoAfterEveryStep|TestAgent_CutAnywhere)$$' ./cmd/gca ./provision/converge ./provision/remote

# The real Claude Code, Codex and Gemini CLI, headless, through the adapter to the fake. Needs npm and node 20 or newer; npm
# fetches the clients once, into the user's cache folder. Each client's version is printed first.
test-clients: build
	GCA_BINARY=$(CURDIR)/bin/gca $(GO) test -count=1 -v -timeout 20m -run '^TestClient_' ./cmd/clients

# What gca export compose writes, as an engine runs it: COMPOSE=podman-compose takes Podman. Its Nginx comes from a registry.
COMPOSE ?= docker compose
test-compose:
	GCA_COMPOSE='$(COMPOSE)' $(GO) test -count=1 -v -timeout 15m -run '^TestCompose$$' ./cmd/gca

# The pictures of the README, from a deploy to a lab server and a conversation with the fake. Look at them before you commit them.
shots:
	mkdir -p docs/shots
	GCA_SHOTS=$(CURDIR)/docs/shots $(GO) test -count=1 -timeout 10m -run '^(TestLab_Shots|TestShots_Chat)$$' ./cmd/gca

# -race needs a C compiler, and the test of install.sh a shell that is not bash.
compiler:
	@command -v busybox >/dev/null || { echo 'installing busybox, by which install.sh is tested'; \
		apt-get install -y -q busybox || { apt-get update -q && apt-get install -y -q busybox; }; }
	@command -v gcc >/dev/null || { echo 'installing gcc and libc6-dev, which go test -race needs'; \
		apt-get install -y -q gcc libc6-dev || { apt-get update -q && apt-get install -y -q gcc libc6-dev; }; }

# CHAOS deploys, each with one fault that its seed draws; make test makes do with eight. GCA_CHAOS_SEED=N is the first seed,
# GCA_CHAOS_FAULTS=cut,stall draws from these alone. It ends with a table of what came of each fault.
CHAOS ?= 200
chaos:
	GCA_CHAOS=$(CHAOS) $(GO) test -count=1 -timeout 90m -v -run '^TestChaos$$' ./cmd/gca

# A fresh deploy that dies after each record of its journal in turn: its worker is killed, or the power goes. Each is run again, and
# must end where an undisturbed one does. DEATHS=N takes fewer.
DEATHS ?= 1000
test-records:
	GCA_DEATHS=$(DEATHS) $(GO) test -count=1 -timeout 90m -v -run '^TestChaos$$' ./cmd/gca

# The disaster drill: a server that serves, a backup, and the server is gone; a new machine becomes the same adapter. It prints
# the seconds from an empty machine to the first answer.
drill:
	$(GO) test -count=1 -v -timeout 15m -run '^TestDrill$$' ./cmd/gca

# Twenty restarts under 200 open streams and a closed loop of requests, none of which may be lost; make test makes do with three.
test-handovers:
	GCA_HANDOVERS=20 $(GO) test -count=1 -v -timeout 30m -run '^TestHandover$$' ./cmd/gca

# What keys, quotas and restarts do under load, in figures: 200 keys of which half fail at random, projects at their limits for an
# hour of virtual time, prefix caches over many keys, and twenty handovers on a lab server.
bench-keys: test-handovers
	GCA_CHAOS_REQUESTS=10000 $(GO) test -count=1 -v -run '^TestChaos$$' ./proxy
	$(GO) test -count=1 -v -run '^(TestQuotaIsUsedWithoutAFailure|TestTooMuchIsServedInTurn|TestSoonestIsExact|TestUndeclaredProjectsAreLearned|TestPrefixCachesAreUsed)$$' ./proxy/keys
	$(GO) test -run '^$$' -bench AcquireDone -benchmem ./proxy/keys

# What an adapter costs, beside a floor that only passes bytes on; docs/performance.md says how. Other adapters are put beside it
# by CANDIDATES='NAME=http://:TOKEN@127.0.0.1:PORT …', and BENCH holds flags such as -only W2,W3.
bench: build
	$(GO) run ./cmd/bench $(BENCH) $(CANDIDATES)

# Mixed load with faults, reloads and handovers for SOAK: at the end memory, goroutines, descriptors and latency are as they were.
SOAK ?= 20m
soak: build
	$(GO) run ./cmd/bench soak -for $(SOAK)

# Large requests through Nginx with the site as it is deployed, beside the adapter alone.
bench-nginx: build
	$(GO) run ./cmd/bench -without direct -only W2,W3 -site provision/converge/testdata/golden/site.golden $(BENCH)

# Each fuzz target for FUZZTIME. What fails is kept in testdata/fuzz as it was found: to make it smaller takes longer than to find it.
# Go itself reports the end of the time as a failure now and then; without a failing input it is none.
fuzz:
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep ^Fuzz); do \
			echo "== $$pkg $$target"; \
			out=$$($(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$pkg 2>&1); code=$$?; echo "$$out"; \
			test $$code = 0 || case "$$out" in *'Failing input'*) exit 1;; *'    context deadline exceeded'*) ;; *) exit 1;; esac; \
		done; \
	done

# What one request, chunk, answer and key lease cost, beside the figures of the last release (docs/bench/micro.txt, from another
# machine perhaps: allocations compare, times do not). bench-micro-keep makes today's the kept ones.
PARTS = Translate|Answer|Chunk|Decode|Reader|Next|Scan|Schemas|Shaper|AcquireDone|Meters|UsageAdd
MICRO = $(GO) test -run '^$$' -bench '$(PARTS)' -benchmem -benchtime 50ms -count 4 ./proxy ./proxy/gemini ./proxy/upstream ./proxy/front/... ./proxy/keys

bench-micro:
	@mkdir -p bin
	$(MICRO) | tee bin/micro.txt
	$(GO) tool benchstat docs/bench/micro.txt bin/micro.txt

bench-micro-keep:
	@mkdir -p docs/bench
	$(MICRO) | grep -E '^(goos|goarch|pkg|cpu|Benchmark)' > docs/bench/micro.txt

# The same load with one number growing: keys, streams at once, bytes of a request. Nothing may grow faster than that.
bench-scale: build
	for keys in 1 64 4096; do echo "== $$keys keys"; $(GO) run ./cmd/bench -rounds 2 -without direct -shapes anthropic -only W1 -keys $$keys; done
	$(GO) run ./cmd/bench -rounds 2 -without direct -shapes anthropic -only S100,S1000,S5000,B10K,B100K,B1000K,B10000K

# What deploys take, beside ssh and apt-get alone, on lab servers: ROUNDS of each in turns.
bench-deploy:
	$(GO) test -run '^$$' -bench '^BenchmarkDeploy$$' -benchtime $(ROUNDS)x -timeout 60m ./cmd/gca

clean:
	rm -rf bin dist provision/payload/carried
