# What tests and benchmarks need beside cargo, from Debian. `make test` installs what is missing.
TEST_PACKAGES := dovecot-imapd openssl postfix strace
# Debian's python3 comes without what makes virtual environments.
TEST_PACKAGES += $(shell python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv)
# For the language server. Node from elsewhere brings npm along; Debian's does not.
TEST_PACKAGES += $(shell command -v npm >/dev/null || echo nodejs npm)
BENCH_PACKAGES := dovecot-imapd openssl wrk

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call install,PACKAGES): installs those that are missing, without questions and without starting any service.
define install
	@missing=; for package in $(1); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing$$missing"; \
		$(SUDO) apt-get update -qq && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing; \
	fi
endef

# Azure's own SDK, each version in a virtual environment of its own; tests/azure holds what they are made of.
AZURE_SDKS := 1.0.0 2.0.0b2 2.0.0b4

.PHONY: test lint bench fmt azure-sdks language-server

# Every test, those that start Dovecot, Postfix and strace included.
test: lint
	$(call install,$(TEST_PACKAGES))
	$(MAKE) --no-print-directory azure-sdks language-server
	cargo test --locked -- --include-ignored

azure-sdks: $(AZURE_SDKS:%=target/azure/%/installed)

# Made anew when what it is made of changes.
target/azure/%/installed: tests/azure/requirements-%.txt
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# VS Code's YAML language server, for tests/authoring.
language-server: target/language-server/installed

# In a folder of its own: npm installs beside the lock.
target/language-server/installed: tests/language_server/package.json tests/language_server/package-lock.json
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $^ $(@D)/
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	touch $@

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

fmt:
	cargo fmt

# Each measure of docs/measures.md beside its floor; exits 1 when one is below what is promised.
bench:
	$(call install,$(BENCH_PACKAGES))
	cargo build --locked --release --bin larum --example floor-web --example floor-mail
	cargo bench --locked --bench measures
