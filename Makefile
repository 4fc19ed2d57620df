# Everything starts here. `make run` and `make test` set up what they need; a second call does not repeat it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup needed run report report-picture charts chromium test lint types unit tests fuzz differential mutants check fix docs sbom image pin bench clean-local bootstrap synth diff deploy destroy

# Python 3.13 must be on the machine: uv is told to use it, and never to download one.
export UV_PYTHON_PREFERENCE := only-system
# Python keeps what it has compiled: else each of hundreds of processes would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
UV := $(or $(shell command -v uv 2>/dev/null),.tools/uv/bin/uv)
SPOTLAKE := .venv/bin/spotlake
ARCH := $(shell uname -m | sed s/aarch64/arm64/)

help: ## What can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Installers show their progress to people, and nothing to logs.
QUIET := $(shell [ -t 2 ] || echo --quiet)
READY := .venv/.ready node_modules/.ready
setup: $(if $(filter-out $(wildcard $(READY)),$(READY)),needed) $(READY) .tools/lambda-python/.ready build/layers/.ready-$(ARCH) ## Install everything the other targets need

# What cannot be fetched from the package registries is told before anything is.
needed: ## Check that Python, Node and npm are on the PATH
	@for python in python3.13 python3 python; do \
	  $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && exit 0; done; \
	  echo "Python 3.13 is needed on the PATH (Debian 13: apt-get install python3; elsewhere: pyenv, or python.org)" >&2; exit 1
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null \
	  || { echo "Node 20 or later, with npm, is needed on the PATH (Debian: apt-get install nodejs npm; elsewhere: nodejs.org)" >&2; exit 1; }

.tools/uv/bin/uv:
	@python3 -m pip --version >/dev/null 2>&1 \
	  || { echo "uv or pip is needed on the PATH (Debian: apt-get install python3-pip; elsewhere: docs.astral.sh/uv)" >&2; exit 1; }
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools/uv --require-hashes -r functions/full_run/uv.txt

.venv/.ready: pyproject.toml uv.lock .python-version | $(UV)
	@$(UV) sync --locked $(QUIET)
	@touch $@

node_modules/.ready: package.json package-lock.json
	@npm ci --ignore-scripts --loglevel=error --no-audit --no-fund --no-update-notifier >/dev/null
	@touch $@

# The interpreter of emulated Lambdas: boto3 as in the real runtime, and nothing of the tools.
.tools/lambda-python/.ready: pyproject.toml uv.lock .python-version | $(UV)
	@$(UV) venv --quiet --clear --python 3.13 .tools/lambda-python
	@$(UV) export --quiet --locked --only-group lambda-runtime --no-emit-project --output-file .tools/lambda-python/requirements.txt >/dev/null
	@$(UV) pip install --quiet --python .tools/lambda-python/bin/python --require-hashes -r .tools/lambda-python/requirements.txt
	@touch $@

build/layers/.ready-%: uv.lock layers/build.py .venv/.ready | $(UV)
	@PATH="$(dir $(abspath $(UV))):$$PATH" .venv/bin/python layers/build.py --arch $*
	@touch $@

RUN_VARIABLES := TIMESTAMP MODE REGIONS INSTANCE_TYPES DESIRED_COUNT SUBSCRIPTIONS AZURE STATE_DIR RESUME
# A misspelt variable would change nothing, and the wrong run would begin.
ifneq ($(filter run,$(MAKECMDGOALS)),)
given := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
unknown := $(filter-out UV $(RUN_VARIABLES),$(given))
$(if $(unknown),$(error $(unknown): not a variable of `make run`; it takes $(RUN_VARIABLES)))
endif

# Variables are data, from the command line and from the environment: make never expands what they hold, and the shell
# reads it from its environment.
DATA := $(RUN_VARIABLES) RUNS REPOSITORY CDK_ARGS EXAMPLES SEED SAMPLE MODULE REST
$(foreach name,$(DATA),$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))))
export $(DATA)
# Variables of `make run` become flags of `spotlake run`.
run_flag = $(if $(filter RESUME,$(1)),$(if $(filter 1,$(RESUME)),--resume),$(if $($(1)),--$(shell echo $(1) | tr 'A-Z_' 'a-z-') "$$$(1)"))
switched = $(if $(filter-out 0 1,$($(2))),$(if $(filter $(1),$(MAKECMDGOALS)),$(error $(2): '$($(2))' is not allowed; give 1 (on) or 0 (off))))
$(call switched,run,RESUME)
$(call switched,mutants,REST)

run: setup ## Collect one slot, end to end, on this machine (variables: README)
	@$(SPOTLAKE) run $(foreach name,$(RUN_VARIABLES),$(call run_flag,$(name)))

report: setup ## Make the page of the last run and open it (RUNS="ID ID": several beside each other)
	@set -f; $(SPOTLAKE) report --open $$RUNS

report-picture: setup ## Take README's picture of the last local run's page (needs Chromium)
	@$(SPOTLAKE) report --picture docs/pictures/report.png

# What the two libraries hold of others (reporting/page.py says which).
BUNDLED := internmap delaunator interval-tree-1d binary-search-bounds isoformat
VENDOR := layers/common/python/spotlake/reporting/vendor
charts: node_modules/.ready ## Copy the report page's chart libraries, as package.json pins them, into the library
	cp node_modules/d3/dist/d3.min.js node_modules/@observablehq/plot/dist/plot.umd.min.js $(VENDOR)/
	mv $(VENDOR)/plot.umd.min.js $(VENDOR)/plot.min.js
	cp node_modules/d3/LICENSE $(VENDOR)/d3.LICENSE
	cp node_modules/@observablehq/plot/LICENSE $(VENDOR)/plot.LICENSE
	for name in $(BUNDLED); do cp node_modules/$$name/LICENSE $(VENDOR)/$$name.LICENSE; done

clean-local: ## Forget what local runs have kept (.local)
	rm -rf .local

test: setup lint types tests ## Every check and every test

check: lint types unit ## The small loop before a commit: lint, types, unit tests

lint: .venv/.ready ## Check style and format (ruff)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

fix: .venv/.ready ## Repair style and format where ruff can
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

types: .venv/.ready ## Check types (mypy --strict)
	@.venv/bin/mypy

# The report page's tests drive a browser of this machine; Playwright's own would come from a host beyond the registries.
chromium: ## Install Debian's Chromium where there is none (root only; otherwise says so)
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null || { [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq && apt-get install -qq -y chromium >/dev/null; } \
	  || echo "no Chromium: tests/report will fail until it is there (apt-get install chromium)" >&2

unit: setup ## Run tests/unit alone
	@.venv/bin/pytest -q -n 2 --dist loadfile tests/unit

# Not in `make test`, which tries 50 answers for each API: this takes half an hour. SEED=7 tries the same answers again.
fuzz: setup ## Try EXAMPLES (10,000) generated answers of each of Azure's APIs
	@.venv/bin/python -m tests.functional.fuzz $(if $(EXAMPLES),--examples "$$EXAMPLES") $(if $(SEED),--seed "$$SEED")

# Not in `make test`, which tries 60 histories: this takes half an hour. SEED=7 tries the same histories again.
differential: setup ## Compare EXAMPLES (10,000) random histories, merged, with a plain model of the merge
	@.venv/bin/python -m tests.functional.differential $(if $(EXAMPLES),--examples "$$EXAMPLES") $(if $(SEED),--seed "$$SEED")

# Half an hour for each seed. SEED='7 8' tries the same changes again, SAMPLE=0 all 23,000, MODULE='stores.*' a part;
# REST=1 makes the changes that mutmut never makes (constants, f-strings, dropped statements and conditions, order).
mutants: setup .tools/mutants/.ready ## Change the library in small ways: do the quick tests notice? (SAMPLE of each module: 12)
	@set -f; .tools/mutants/bin/python -m tests.mutants $(if $(SAMPLE),--sample "$$SAMPLE") $(if $(SEED),--seed $$SEED) $(if $(MODULE),--module "$$MODULE") $(if $(filter 1,$(REST)),--rest)

tests: setup chromium ## Every test, without lint and types
	@.venv/bin/pytest -q --doctest-modules --pyargs spotlake
	@.venv/bin/pytest -q -n 3 --dist loadfile --no-loadscope-reorder

# Environments of their own: the merge is measured where nothing else takes memory, and mutmut is nobody else's.
.tools/bench/.ready .tools/mutants/.ready: .tools/%/.ready: pyproject.toml uv.lock .python-version | $(UV)
	@UV_PROJECT_ENVIRONMENT=.tools/$* $(UV) sync --locked --quiet --group $*
	@touch $@

# REPOSITORY=registry/name pushes elsewhere than to the deployed stack's own repository.
image: .venv/.ready ## Build the full run's image and push it (docker or podman here, else CodeBuild in AWS)
	@$(SPOTLAKE) image $(if $(REPOSITORY),--repository "$$REPOSITORY")

pin: .venv/.ready ## Write the present digest of the base image into the full run's Dockerfile (asks public.ecr.aws)
	@$(SPOTLAKE) image --pin

# From the two lock files alone: nothing is installed for it. runtime.cdx.json is what the layers and the image hold.
SBOM = $(UV) export --quiet --locked --preview-features sbom-export --format cyclonedx1.5
sbom: .venv/.ready | $(UV) ## List every package with version and hash (CycloneDX JSON, in build/sbom)
	@mkdir -p build/sbom
	@$(SBOM) --no-default-groups --group history --output-file build/sbom/runtime.cdx.json >/dev/null
	@$(SBOM) --all-groups --output-file build/sbom/python.cdx.json >/dev/null
	@npm sbom --package-lock-only --sbom-format cyclonedx >build/sbom/node.cdx.json
	@ls build/sbom/*.cdx.json

docs: .venv/.ready ## Build the documentation site into build/site (a broken link fails)
	@set -o pipefail; NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build 2>&1 | { grep -v '^INFO' || true; }
	@echo "build/site/index.html; with search: .venv/bin/python -m http.server --bind 127.0.0.1 --directory build/site 8000"

bench: .tools/bench/.ready ## Measure the merge at full size, beside pandas and other libraries
	@.tools/bench/bin/python -m benchmarks.merge

# Thin over the CDK CLI. CDK_ARGS passes any words on: make deploy CDK_ARGS="-c schedule_enabled=true"
CDK := set -f; SPOTLAKE_NAG=1 node_modules/.bin/cdk

# A deployment without credentials would say so after half a minute, and not what to do.
SIGNED_IN = @.venv/bin/python -m cdk.signed_in

bootstrap: setup build/layers/.ready-arm64 ## Prepare the AWS account and region for the CDK, once
	$(SIGNED_IN)
	@$(CDK) bootstrap $$CDK_ARGS

synth: setup build/layers/.ready-arm64 ## Synthesise the stack into cdk.out (no account, no network)
	@$(CDK) synth --quiet $$CDK_ARGS

diff: setup build/layers/.ready-arm64 ## What a deployment would change
	@$(CDK) diff $$CDK_ARGS

# What an earlier deployment left behind (bucket, tables) is adopted, with everything in it. Full runs get their image.
OUTPUTS := cdk.out/outputs.json
deploy: setup build/layers/.ready-arm64 ## Deploy to the AWS account you are signed in to
	$(SIGNED_IN)
	@$(CDK) deploy --import-existing-resources --outputs-file $(OUTPUTS) $$CDK_ARGS
	@$(SPOTLAKE) image --outputs $(OUTPUTS)

destroy: setup build/layers/.ready-arm64 ## Remove the stack; bucket and tables stay
	$(SIGNED_IN)
	@$(CDK) destroy $$CDK_ARGS
