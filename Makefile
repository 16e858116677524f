GO ?= go
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Packages that run goroutines or talk to a database.
CONCURRENT := llm|models|features|scoring|training|pglocal|store|jobs|api|web|webhook|cmd

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## say what there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## the program, in bin/tallyman
	CGO_ENABLED=0 $(GO) build -trimpath $(VCS) -o bin/tallyman ./cmd/tallyman

# Git refuses to look at a checkout of another account, and go build with it.
VCS = $(shell git status >/dev/null 2>&1 || echo -buildvcs=false)

.PHONY: demo
demo: ## a service with a simulated distributor to look at; ^C stops it (ARGS="--fresh" begins anew)
	@sh scripts/setup.sh demo
	@$(MAKE) --no-print-directory build
	@exec bin/tallyman demo $(ARGS)

# The packages that take longest begin first, so that none is alone at the end.
LONGEST := ./e2e ./store ./cmd/tallyman ./web ./jobs ./pglocal

# Compiled as the program is, so that e2e, which builds it, finds its packages compiled.
.PHONY: test
test: ## every test
	@sh scripts/setup.sh test
	CGO_ENABLED=0 sh scripts/in-memory.sh $(GO) test -timeout 10m $(LONGEST) ./...

.PHONY: check
check: ## what CI runs: vet, lint, generated, race, test
	@sh scripts/setup.sh check
	@$(MAKE) --no-print-directory vet lint generated race test

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: lint
lint: ## golangci-lint, formatting included
	$(GOLANGCI) run ./...

.PHONY: fmt
fmt: ## format everything
	$(GOLANGCI) fmt ./...

.PHONY: generated
generated: ## fail when a generated file is not what its source says
	@sh scripts/generated.sh

.PHONY: race
race: ## tests of the concurrent packages under the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 15m $$($(GO) list ./... | grep -E '^tallyman/($(CONCURRENT))(/|$$)')

.PHONY: e2e
e2e: ## browser and process tests of the built program
	@sh scripts/setup.sh test
	$(GO) test -count=1 -timeout 15m -tags e2e ./e2e/...

.PHONY: fuzz
fuzz: ## every fuzzer for FUZZTIME (20s)
	@sh scripts/fuzz.sh

.PHONY: soak
soak: ## 100,000 command sequences; the program under 50 kills and 10 stops of PostgreSQL; long attacks (SOAK=short: two minutes)
	@sh scripts/soak.sh $(or $(SOAK),long)

.PHONY: bench
bench: ## every benchmark
	@sh scripts/setup.sh demo
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $(BENCH) $$($(GO) list ./...)

.PHONY: bench-xgboost
bench-xgboost: ## the learner beside XGBoost on the same data
	bash docs/bench/xgboost/run.sh

.PHONY: bench-fold
bench-fold: ## the feature fold beside DuckDB on the same events (needs node and npm)
	sh docs/bench/fold/run.sh

.PHONY: bench-approve
bench-approve: ## approvals beside pgbench, and the commands that read what they leave
	@sh scripts/setup.sh demo
	sh docs/bench/approve/run.sh

.PHONY: schema
schema: ## write store's schema file anew from its migrations
	@sh scripts/setup.sh demo
	$(GO) test ./store -count=1 -run '^TestSchemaFile$$' -update

.PHONY: golden
golden: ## write every golden file anew; look at the diff
	$(GO) test $$(grep -rlE --include='*_test.go' 'flag\.Bool\("update"' . | xargs -n1 dirname | sort -u) -update
