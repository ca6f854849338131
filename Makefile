# The loop of a change: `make test` before a commit, `make run` to try it.

.PHONY: run test dist bench demo demo-crash fuzz mutants breaking setup web

run: web
	@cargo run --release -p stoa -- up

test: setup
	cargo xtask test

setup:
	sh scripts/setup.sh

# The SDK and the console, where there is npm.
web:
	@sh scripts/web.sh

# What ships: target/dist/stoa.stripped, and its symbols beside it.
dist: web
	cargo build --profile dist -p stoa
	objcopy --only-keep-debug target/dist/stoa target/dist/stoa.debug
	objcopy --strip-debug --add-gnu-debuglink=target/dist/stoa.debug target/dist/stoa target/dist/stoa.stripped

# Measures what ships.
bench:
	@cargo run --profile dist -p stoa -- bench

demo:
	@cargo run --release -p stoa -- demo

demo-crash:
	@cargo run --release -p stoa -- demo --crash

# Very many mutated requests a face, and questions of access, from another seed each time. What failed says its seed:
# `make fuzz SEED=7 CASES=1000` runs it again.
CASES ?= 100000
SEED ?= $(shell date +%s)
fuzz: setup
	STOA_FUZZ_CASES=$(CASES) STOA_FUZZ_SEED=$(SEED) cargo nextest run --no-fail-fast --success-output final \
		-p stoa -p stoa-access -p stoa-node -p stoa-rest -p stoa-graphql -p stoa-mcp -p stoa-live \
		-E 'test(mutated) | test(nonsense) | test(a_query_and_json) | test(in_pieces) | test(judged) | test(all_methods_answer)'

mutants: setup
	cargo xtask mutants

breaking: setup
	cargo xtask breaking $(REF)
