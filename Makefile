# The loop of a change: `make test` before a commit, `make run` to try it.

.PHONY: run test dist bench demo demo-crash mutants breaking setup web

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

mutants: setup
	cargo xtask mutants

breaking: setup
	cargo xtask breaking $(REF)
