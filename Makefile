# Prahari: make demo shows the main job, make test passes the tests.
# Needs Go and a C compiler; the rest comes from go.mod.
SHELL    := /bin/sh
GO       ?= go
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -X main.version=$(VERSION)+$(COMMIT)
BIN      := bin/prahari
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# A time, or a number of runs: 5000x.
FUZZTIME ?= 30s

.PHONY: soak mutate bench-matcher bench-scanner bench-vault all build test demo lint fmt fuzz bench golden interop consumers clean
all: build

build: ## build bin/prahari
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/prahari

# The race detector runs on the packages with goroutines of ours.
CONCURRENT := ./scanner/... ./store/... ./fixtures/...
test: ## pass the tests
	$(GO) vet ./...
	$(GO) test -shuffle=on -timeout 30m $$($(GO) list ./... | grep -v -e /scanner -e /store -e /fixtures)
	$(GO) test -race -shuffle=on -timeout 30m $(CONCURRENT)
	$(MAKE) fuzz FUZZTIME=5000x
	@command -v python3 >/dev/null || echo "SKIPPED: no python3 on this machine, so its mail parser did not read the drafts"
	@[ -n "$$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || command -v initdb >/dev/null || echo "SKIPPED: no PostgreSQL server on this machine, so the store's tests ran on SQLite alone"
	@command -v age >/dev/null || echo "SKIPPED: no age on this machine, so it opened nothing that was sealed"
	@[ -n "$$MUTATE" ] || echo "SKIPPED: verify.sh on all of the ten thousand damaged bundles, it read a sample; make mutate runs it on all"
	@[ "$$(id -u)" = 0 ] || echo "SKIPPED: filling a disk, which needs a small one that only root can mount"
	@[ -n "$$CORPUS" ] || echo "SKIPPED: the tests on a labelled corpus, for CORPUS names none; make bench-matcher runs them"

demo: build ## the main job, on an embedded data centre
	$(BIN) demo

lint: ## formatting, vet, golangci-lint
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not formatted: $$out"; exit 1; fi
	$(GO) run $(LINT) run ./...

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

# What a fuzz target finds stays in testdata and fails 'make test' until it is fixed.
fuzz: ## each fuzz target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

bench: ## all benchmarks; compare runs with benchstat
	$(GO) test -run '^$$' -bench . -benchmem ./...

golden: ## rewrite golden files; review the diff
	$(GO) test ./report ./bundle ./cmd/prahari -update

interop: build ## an independent MTProto client against the embedded data centre (needs node and npm)
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
	  cd fixtures/mtcute && npm ci --ignore-scripts --no-audit --no-fund && PRAHARI=$(CURDIR)/$(BIN) node check.mjs </dev/null; \
	else echo "SKIPPED: no node and npm on this machine, so no independent MTProto client was run against the data centre"; fi

# Tests hand what prahari makes to its real consumers: those that Debian has, by
# their packages' names. A test whose consumer is missing says so and is skipped.
CONSUMERS := age busybox chromium fonts-noto-core openssh-client openssl pandoc poppler-utils postgresql-15 tmux unzip zip
consumers: ## install the programs that tests hand artefacts to (Debian, as root)
	@missing=""; for p in $(CONSUMERS); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then echo "consumers: all installed"; exit 0; fi; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then echo "SKIPPED: installing$$missing takes apt-get and root; the tests that need them will say so"; exit 0; fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null

clean:
	rm -rf bin prahari-demo

mutate: ## verify.sh too on all ten thousand damaged bundles, some ten minutes
	MUTATE=10000 $(GO) test ./bundle -count=1 -run TestTenThousand -v -timeout 60m

# A soak of 15 seconds is part of 'make test'. SOAK_SEED repeats the faults of an earlier one.
SOAK ?= 10m
soak: ## all faults together at random for SOAK, against processes of prahari; what was kept is compared one by one
	@SOAK=$(SOAK) $(GO) test ./cmd/prahari -count=1 -run 'TestSoak$$' -v -timeout 0 > soak.log 2>&1 || { cat soak.log; exit 1; }
	@sed -n 's/.*soak_test.go:[0-9]*: //p' soak.log; rm -f soak.log

bench-scanner: ## reading histories and pushes beside a bare loop and mtcute, with growth and memory; some minutes
	@if command -v npm >/dev/null; then cd fixtures/mtcute && npm ci --ignore-scripts --no-audit --no-fund >/dev/null; \
	else echo "SKIPPED: no node and npm on this machine, so nothing is measured beside mtcute"; fi
	@BENCH_SCANNER=$${BENCH_SCANNER:-300} BENCH_SOURCES=$${BENCH_SOURCES:-5000} $(GO) test ./scanner -count=1 -run TestSpeed -v -timeout 60m > bench-scanner.log || { cat bench-scanner.log; exit 1; }
	@sed -n 's/.*speed_test.go:[0-9]*: //p' bench-scanner.log; rm -f bench-scanner.log

# BENCH_BUNDLE=100000 for the size that the vault is made for; filling its case takes some minutes.
bench-vault: ## evidence beside plain rows, a list of cases over a million findings, an export beside sha256sum and age, verifying at two sizes
	@BENCH_VAULT=$${BENCH_VAULT:-20000} $(GO) test ./store -count=1 -run 'TestVaultSpeed|TestCaseListSpeed' -v -timeout 20m > bench-vault.log || { cat bench-vault.log; exit 1; }
	@sed -n 's/.*vault_test.go:[0-9]*: //p' bench-vault.log; rm -f bench-vault.log
	@BENCH_BUNDLE=$${BENCH_BUNDLE:-20000} $(GO) test ./cmd/prahari -count=1 -run TestSpeedOfBundle -v -timeout 120m > bench-vault.log || { cat bench-vault.log; exit 1; }
	@sed -n 's/.*bundle_speed_test.go:[0-9]*: //p' bench-vault.log; rm -f bench-vault.log

bench-matcher: ## the matcher against yardsticks and on a labelled corpus; BENCH names the suite's folder
	sh matcher/bench.sh 64 1
