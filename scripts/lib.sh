# shellcheck shell=bash
# Helpers of the scripts beside this file: progress, errors with a next step, long steps.
# To be sourced, after `set -euo pipefail`.

# What is built once for all checkouts lies here, one folder <name>-<version> each.
# shellcheck disable=SC2034 # used by the scripts that source this file
cache=${OPENMCP_DNS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openmcp-dns}
# shellcheck disable=SC2034 # as above
cargo_deny_version=0.20.2
# shellcheck disable=SC2034 # as above
cargo_auditable_version=0.7.7

# All progress goes to stderr, so that the output of what is run stays clean.
say() { printf '%s\n' "$*" >&2; }

# headline TEXT: starts a step. Shows the seconds since the script began.
headline() { printf '\n== %4d s  %s\n' "$SECONDS" "$*" >&2; }

# fail MESSAGE HINT: ends the script with what is wrong and what to do next.
fail() {
    say "error: $1"
    say "hint: $2"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANT: compares dotted numbers.
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

long_step_pid=
stop_long_step() {
    if [ -n "$long_step_pid" ]; then
        # The whole group: a compiler's children must not go on alone.
        kill -TERM -- "-$long_step_pid" 2>/dev/null || true
        long_step_pid=
    fi
}

# long_step LABEL LOG COMMAND...: runs a command with its output in LOG, says every 15 s that it is
# still running, and shows the end of LOG when it fails.
long_step() {
    local label=$1 log=$2 started=$SECONDS next=15 code=0
    shift 2
    say "   $label ..."
    # Job control gives the command its own process group.
    set -m
    "$@" >"$log" 2>&1 &
    long_step_pid=$!
    set +m
    while kill -0 "$long_step_pid" 2>/dev/null; do
        sleep 0.2
        if [ $((SECONDS - started)) -ge "$next" ]; then
            say "   $label ... $((SECONDS - started)) s"
            next=$((next + 15))
        fi
    done
    wait "$long_step_pid" || code=$?
    long_step_pid=
    if [ "$code" -ne 0 ]; then
        say "   $label: failed after $((SECONDS - started)) s; the end of $log:"
        tail -n 30 "$log" | sed 's/^/   | /' >&2
        return "$code"
    fi
    say "   $label: done in $((SECONDS - started)) s"
}
