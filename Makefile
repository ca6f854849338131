# The loop of a change: `make test` before a commit, `make run` to try it.

.PHONY: run test bench demo demo-crash mutants breaking setup

run:
	@cargo run --release -p stoa -- up

test: setup
	cargo xtask test

setup:
	sh scripts/setup.sh

bench:
	@cargo run --release -p stoa -- bench

demo:
	@cargo run --release -p stoa -- demo

demo-crash:
	@cargo run --release -p stoa -- demo --crash

mutants: setup
	cargo xtask mutants

breaking: setup
	cargo xtask breaking $(REF)
