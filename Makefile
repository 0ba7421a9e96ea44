# Visionkeeper. `make help` lists the targets.

# The targets write and remove files in the working folder, so it must be this one.
ifneq ($(shell sed -n 1p go.mod 2>/dev/null),module visionkeeper)
$(error Run make in the folder of Visionkeeper, or name it: make -C FOLDER)
endif

# With -e, also from MAKEFLAGS, the environment would win over what stands here.
ifneq ($(findstring e,$(firstword -$(MAKEFLAGS))),)
$(error Run make without -e)
endif

# Of these only the command line decides, not the environment. Recipes take whatever
# has a value from outside from their own environment: what the shell or make expands
# in the text of a recipe could be commands.
export APP HOST VERSION
APP     :=
# Who plays the Functions host in local runs: funchost (ours) or func (Core Tools).
HOST    := funchost
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

LDFLAGS := -X 'main.version=$$VERSION'

# What is left to chance in tests starts from here; the same seed repeats it.
ifndef RAPID_SEED
RAPID_SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif
export RAPID_SEED

# A link to a folder elsewhere is removed, and what it leads to is left alone.
own-build = ! test -L build || rm build

AZURITE      := dev/tools/node_modules/.package-lock.json
NODE_MODULES := $(AZURITE) $(addsuffix /node_modules/.package-lock.json,dev/emulator/jstest docs/recipes)
STATICCHECK  := honnef.co/go/tools/cmd/staticcheck@v0.7.0
ACTIONLINT   := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.DEFAULT_GOAL := help
.PHONY: help run demo test test-race test-browser test-long fuzz bench lint tools build dist package publish clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 21

run: $(AZURITE) dist ## run everything on this machine, with a demo project, until Ctrl-C (HOST=func takes Core Tools)
	@go build -o build/local ./dev/local && exec build/local -host "$$HOST"

demo: $(AZURITE) dist ## run the whole story once, by itself, and check what it leaves in the archive
	@go build -o build/local ./dev/local && exec build/local -host "$$HOST" -demo

# The program is built so, too, so that what both need is compiled once.
test: export CGO_ENABLED := 0
# Garbage is collected seldom, which takes more memory and a seventh less of the processors'
# time, of tests and of the compiler.
test: export GOGC := 400
test: export RAPID_CHECKS ?= 200
test: tools ## run all tests against a real Azurite, and print what they counted
	$(testing) ./...
	@sort build/figures

# These do the same a thousand times over. Other tests do each of it once under the race
# detector, which would make ten minutes of them.
REPEATING := ^Test(AYear|Convergence|CrashAtEveryRequest|EveryFaultOfEveryOperation)$$

# The race detector makes the end of each process a second longer.
test-race: export GORACE := atexit_sleep_ms=0
test-race: tools ## run all tests but those that repeat themselves with the race detector
	$(testing) -race -skip '$(REPEATING)' ./...

test test-race: export FIGURES := $(CURDIR)/build/figures
# Most tests wait for other processes, so more run at once than there are cores. What vet
# finds, make lint says.
define testing
@$(own-build)
@mkdir -p build && rm -f build/figures
@echo "What is left to chance: RAPID_SEED=$$RAPID_SEED"
go test -vet=off -shuffle=on -parallel 8 -timeout 30m
endef

test-long: tools ## try N random histories of trainings, faults and crashes (default 5000)
	RAPID_CHECKS="$${N:-5000}" go test -race -count=1 -timeout 0 -v -run Convergence ./internal/reconcile

fuzz: ## run every fuzz target for FUZZTIME each (default 30s)
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime "$${FUZZTIME:-30s}" $$pkg || exit 1; \
	  done; \
	done

test-browser: tools ## try the app's page and the emulator's in Chromium, which must be installed
	go test -race -count=1 -tags browser -run Browser ./dev/emulator ./e2e

bench: tools ## compare with other handlers, and run the benchmarks (CHARTS=folder draws the comparison)
	@$(own-build)
	@mkdir -p build
	go run ./dev/bench -charts "$$CHARTS"
	go test -run '^$$' -bench . -benchmem ./...

lint: ## check format and common mistakes
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:" $$unformatted; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	go run $(ACTIONLINT)

tools: $(NODE_MODULES) ## install Azurite and the official JavaScript clients, as their lock files pin them
%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@! test -L "$*/node_modules" || rm "$*/node_modules"
	@echo "Installing what $*/package-lock.json names, once; it takes a minute or so …"
	@npm ci --prefix "$*" --no-audit --no-fund --loglevel=error --ignore-scripts
	@touch "$@"

# The one for this machine keeps what a debugger needs.
build: ## build visionkeeper for Azure (linux/amd64) and build/visionkeeper for this machine
	@$(own-build)
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags "-s -w $(LDFLAGS)" -o visionkeeper .
	CGO_ENABLED=0 GOOS=$$(go env GOHOSTOS) GOARCH=$$(go env GOHOSTARCH) go build -ldflags "$(LDFLAGS)" -o build/ .

dist: build ## copy to dist/ what is published: the files that .funcignore lists
	@rm -rf dist && mkdir dist
	@sed -n 's/^!//p' .funcignore | while read -r name; do \
	  if [ -d "$$name" ]; then mkdir "dist/$$name"; else cp -p "$$name" "dist/$$name"; fi || exit 1; \
	done

package: dist ## zip dist/ for publishing: build/visionkeeper.zip, in which the program keeps its execute bit
	@GOOS=$$(go env GOHOSTOS) GOARCH=$$(go env GOHOSTARCH) go run ./dev/pack dist build/visionkeeper.zip

publish: ## build, and upload to the function app: make publish APP=name
	@test -n "$$APP" || { echo "Name the function app: make publish APP=name"; exit 2; }
	@command -v func >/dev/null || { echo "Azure Functions Core Tools (func) are not installed: https://learn.microsoft.com/azure/azure-functions/functions-run-local"; exit 2; }
	@$(MAKE) --no-print-directory build
	@newer=$$(find . -name node_modules -prune -o \( -name '*.go' ! -name '*_test.go' -o -name 'go.[ms]*' -o -name policy.schema.json \) -newer visionkeeper -print | head -n 1); \
	test -z "$$newer" || { echo "Not published: visionkeeper is older than $$newer. Run make publish again; if the time of that file lies in the future, touch the file first."; exit 1; }
	func azure functionapp publish "$$APP" --no-build

clean: ## remove what was built
	rm -rf build dist visionkeeper
