# The logic is in scripts/; this file only gives it short names.

# Arguments of the demo, the image or bench-scale, for example: make demo ARGS=--once
ARGS ?=

# Kubeconfigs for test-clusters and test-openmcp; the scripts say what else they take.
export PLATFORM WORKLOADS TOOLBOX OPENMCP_DNS

# Steps of the tests on real servers, for example: make test STEPS="names policy"
STEPS ?=

.DEFAULT_GOAL := help
.PHONY: help demo image check test test-clusters test-openmcp bench bench-gate bench-policy bench-scale bench-takeover

help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

demo: ## Builds, then runs the main job on a folder of manifests; ARGS="--once" prints and exits
	@scripts/demo $(ARGS)

image: ## Makes the container image as an archive, without a container engine; ARGS="--name registry.example/openmcp-dns:0.1.0"
	@scripts/image $(ARGS)

check: ## For every day: format, clippy, and the tests that need no server and no compiler for WebAssembly
	@scripts/check

test: ## Sets everything up, then runs all checks and tests; STEPS="names policy" runs only these steps on real servers
	@scripts/test $(STEPS)

test-clusters: ## Installs the service into real clusters and breaks it: make test-clusters PLATFORM=kubeconfig WORKLOADS="kubeconfig ..."
	@scripts/test-clusters

test-openmcp: ## Follows docs/openmcp.md on real clusters, as openMCP's operator runs the service: arguments as for test-clusters
	@scripts/test-openmcp

bench: ## Measures the time from a new route to its first right answer, on real servers; PROFILE=dev skips the release build
	@scripts/bench

bench-takeover: ## Measures the time from the death of the leader until the next change is in DNS, on real servers
	@scripts/bench takeover

bench-gate: ## Measures what a quiet agent notices of one that attacks the gate
	@cargo bench --locked -p openmcp-dns-tests --bench gate

bench-policy: ## Measures the policy engine beside native code and Rego, and a swap under load
	@scripts/bench-policy

bench-scale: ## Measures recording at 1,000 to 100,000 names, in memory and on etcd; ARGS="--million" adds a million
	@scripts/bench-scale $(ARGS)
