# The logic is in scripts/; this file only gives it short names.

# Arguments of the demo, for example: make demo ARGS=--once
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-policy

help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

demo: ## Builds, then runs the main job on a folder of manifests; ARGS="--once" prints and exits
	@scripts/setup demo
	@cargo run -q -p openmcp-dns -- demo examples/landscape $(ARGS)

test: ## Sets everything up, then runs all checks and tests, those on real servers included
	@scripts/test

bench: ## Measures the time from a new route to its first right answer, on real servers; PROFILE=dev skips the release build
	@scripts/bench

bench-policy: ## Measures the policy engine beside native code and Rego, and a swap under load
	@scripts/bench-policy
