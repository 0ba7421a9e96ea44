# Visionkeeper. `make help` lists the targets.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# What `make dist` builds for. Azure Functions runs it on linux/amd64.
GOOS   ?= linux
GOARCH ?= amd64
DIST   ?= dist

# What is left to chance in tests starts from here; the same seed repeats it.
ifndef RAPID_SEED
RAPID_SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif

# Who plays the Functions host in local runs: funchost (ours) or func (Core Tools).
HOST ?= funchost

NODE_MODULES := dev/tools/node_modules/.package-lock.json dev/emulator/jstest/node_modules/.package-lock.json
STATICCHECK  := honnef.co/go/tools/cmd/staticcheck@v0.7.0

.DEFAULT_GOAL := help
.PHONY: help run demo test test-browser test-long fuzz bench lint tools app dist publish clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 21

run: tools app ## run everything on this machine, with a demo project, until Ctrl-C (HOST=func takes Core Tools)
	@$(GO) build -o build/local ./dev/local && exec build/local -app build/app -host $(HOST)

demo: tools app ## run the whole story once, by itself, and check what it leaves in the archive
	@$(GO) build -o build/local ./dev/local && exec build/local -app build/app -host $(HOST) -demo

test: export FIGURES := $(CURDIR)/build/figures
test: export RAPID_CHECKS ?= 200
test test-long: export RAPID_SEED := $(RAPID_SEED)
# The race detector makes the end of each process a second longer.
test: export GORACE := atexit_sleep_ms=0
# The race detector would make minutes of the year; the histories have it on the same paths.
# Most tests wait for other processes, so more run at once than there are cores.
test: tools ## run all tests, with the race detector, against a real Azurite; print what they counted
	@mkdir -p build && rm -f $(FIGURES)
	@echo 'What is left to chance: RAPID_SEED=$(RAPID_SEED)'
	$(GO) test -race -shuffle=on -parallel 8 -timeout 30m -skip '^TestAYear$$' ./...
	$(GO) test -count=1 -run '^TestAYear$$' ./internal/reconcile
	@sort $(FIGURES)

test-long: N ?= 5000
test-long: tools ## try N random histories of trainings, faults and crashes (default 5000)
	RAPID_CHECKS=$(N) $(GO) test -race -count=1 -timeout 0 -v -run Convergence ./internal/reconcile

fuzz: FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME each (default 30s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

test-browser: ## try the emulator's page in Chromium, which must be installed
	$(GO) test -race -count=1 -tags browser -run Browser ./dev/emulator

bench: tools ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

lint: ## check format and common mistakes
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

tools: $(NODE_MODULES) ## install Azurite and the official JavaScript client, as their lock files pin them
%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --loglevel=error --ignore-scripts
	@touch $@

dist: ## lay out what Core Tools upload, for linux/amd64 or the GOARCH given
	rm -rf $(DIST)
	mkdir -p $(DIST)
	CGO_ENABLED=0 GOOS=$(GOOS) GOARCH=$(GOARCH) $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(DIST)/visionkeeper .
	cp host.json policy.json .funcignore $(DIST)/
	for f in functions/*/function.json; do \
	  name=$$(basename $$(dirname $$f)); mkdir -p $(DIST)/$$name && cp $$f $(DIST)/$$name/ || exit 1; \
	done

app: # the same layout, for this machine
	@$(MAKE) --no-print-directory -s dist DIST=build/app GOOS=$$($(GO) env GOHOSTOS) GOARCH=$$($(GO) env GOHOSTARCH)

publish: ## upload dist/ to the function app: make publish APP=name
	@test -n "$(APP)" || { echo "Name the function app: make publish APP=name"; exit 2; }
	@command -v func >/dev/null || { echo "Azure Functions Core Tools (func) are not installed: https://learn.microsoft.com/azure/azure-functions/functions-run-local"; exit 2; }
	@$(MAKE) --no-print-directory dist
	cd $(DIST) && func azure functionapp publish $(APP) --no-build

clean: ## remove what was built
	rm -rf build dist
