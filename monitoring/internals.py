"""What goes on inside: for whoever looks for a cause."""

from __future__ import annotations

from monitoring.dashboard import MATCHERS, Dashboard, Variable
from monitoring.panels import Lines, Query, Row
from monitoring.promql import or_none
from monitoring.recordings import LEDGER
from monitoring.thresholds import THRESHOLDS

LIMIT = {one.name: one.default for one in THRESHOLDS}
RATE = "[$__rate_interval]"
OURS = "and on (namespace, release, instance) signals_threads"
"""Python tells of every process in the same words; these are the workers'."""


def _quantile(share: float, metric: str, *by: str) -> str:
    kept = ", ".join(("le", *by))
    return f"histogram_quantile({share:g}, sum by ({kept}) (rate({metric}_bucket{RATE})))"


_LANES = Row(
    "Lanes and rings",
    [
        Lines(
            "Lanes with work",
            "Leased by a worker, rung and not taken yet, halted by a pause or an open circuit, or waiting for"
            " a retry or a rate limit.",
            [Query(f"sum by (state) ({LEDGER} (signals_lanes))", "{{state}}")],
            stacked=True,
        ),
        Lines(
            "Lanes in flight",
            "Lanes that each worker holds; no more than it has threads for posting.",
            [
                Query("signals_lanes_in_flight", "{{instance}}"),
                Query('max(signals_threads{kind="posting"})', "threads of a worker"),
            ],
        ),
        Lines(
            "Wait for a worker",
            "From a lane's ring to its being taken.",
            [
                Query(_quantile(0.5, "signals_ring_wait_seconds"), "p50"),
                Query(_quantile(0.99, "signals_ring_wait_seconds"), "p99"),
                Query(f"max({LEDGER} (signals_oldest_ring_seconds))", "oldest that nobody took"),
            ],
            unit="s",
            runbooks=["SignalsLanesStuck"],
        ),
        Lines(
            "Ring queue",
            "Rings that wait in the Celery queue.",
            [Query(f"sum({LEDGER} (signals_ring_queue))", "rings")],
            runbooks=["SignalsLanesStuck"],
        ),
        Lines(
            "Repaired by the sweep",
            "Leases of workers that went silent, and rings that nobody answered, per second.",
            [
                Query(f"sum(rate(signals_leases_expired_total{RATE}))", "leases expired"),
                Query(f"sum(rate(signals_rings_lost_total{RATE}))", "rings lost"),
            ],
            unit="ops",
        ),
        Lines(
            "Held back by brakes",
            "Times per second that a lane had to wait for a rate limit.",
            [Query(f"sum({LEDGER} (rate(signals_throttled_total{RATE})))", "throttled")],
            unit="ops",
        ),
    ],
)

_POSTING = Row(
    "Posting",
    [
        Lines(
            "Attempts made again",
            "By class of action, per second.",
            [Query(f"sum by (class) (rate(signals_retries_total{RATE}))", "{{class}}")],
            unit="ops",
        ),
        Lines(
            "Connections used",
            "New ones cost a TLS handshake each; per second.",
            [Query(f"sum by (kind) (rate(signals_connections_total{RATE}))", "{{kind}}")],
            unit="ops",
            stacked=True,
        ),
        Lines(
            "Circuit breaker",
            "1 while an endpoint counts as out of order; none does while none is named.",
            [
                Query(
                    or_none(f"max by (endpoint) ({LEDGER} (signals_circuit_open))", "endpoint"),
                    "{{endpoint}}",
                )
            ],
            runbooks=["SignalsCircuitOpen"],
        ),
        Lines(
            "Trouble",
            "Failures that are tried again by themselves, by where they happen, per second.",
            [Query(f"sum by (where) (rate(signals_trouble_total{RATE}))", "{{where}}")],
            unit="ops",
        ),
    ],
)

_REDIS = Row(
    "Redis",
    [
        Lines(
            "Calls",
            "Scripts run in Redis, per second.",
            [Query(f"sum by (call) (rate(signals_redis_call_seconds_count{RATE}))", "{{call}}")],
            unit="ops",
            stacked=True,
        ),
        Lines(
            "Duration of calls, p99",
            "As the worker sees it: network and waiting included.",
            [Query(_quantile(0.99, "signals_redis_call_seconds", "call"), "{{call}}")],
            unit="s",
        ),
        Lines(
            "Failed calls",
            "Calls that were not answered well, per second.",
            [Query(f"sum by (call) (rate(signals_redis_errors_total{RATE}))", "{{call}}")],
            unit="ops",
            runbooks=["SignalsRedisDown"],
        ),
        Lines(
            "Memory",
            "What Redis uses, and its limit, if it has one.",
            [
                Query(f"max({LEDGER} (signals_redis_memory_bytes))", "used"),
                Query(f"max({LEDGER} (signals_redis_memory_limit_bytes)) > 0", "limit"),
            ],
            unit="bytes",
            runbooks=["SignalsRedisMemory"],
        ),
        Lines(
            "State",
            "1 is yes. Up and append-only should be 1, evicting and refusing 0.",
            [
                Query("min(signals_redis_up)", "up, for all workers"),
                Query(f"min({LEDGER} (signals_redis_aof_enabled))", "append-only"),
                Query(f"max({LEDGER} (signals_redis_evicting))", "evicting"),
                Query(f"max({LEDGER} (signals_redis_refusing))", "refusing signals"),
            ],
            runbooks=[
                "SignalsRedisNoAppendOnly",
                "SignalsRedisEvicting",
                "SignalsRedisRefusing",
                "SignalsLedgerLost",
            ],
        ),
        Lines(
            "Clock skew",
            "Clock of Redis minus clock of each worker.",
            [Query("signals_clock_skew_seconds", "{{instance}}")],
            unit="s",
            signed=True,
            runbooks=["SignalsClockSkew"],
        ),
    ],
)

_PROCESS = Row(
    "Processes",
    [
        Lines(
            "CPU",
            "Cores that each worker uses; Python threads share one.",
            [Query(f"rate(process_cpu_seconds_total{RATE}) {OURS}", "{{instance}}")],
            unit="none",
        ),
        Lines(
            "Memory of workers",
            "Resident memory.",
            [Query(f"process_resident_memory_bytes {OURS}", "{{instance}}")],
            unit="bytes",
        ),
        Lines(
            "Open files",
            "Descriptors, sockets among them.",
            [Query(f"process_open_fds {OURS}", "{{instance}}")],
        ),
        Lines(
            "Garbage collections",
            "Of all workers, by generation, per second.",
            [
                Query(
                    f"sum by (generation) (rate(python_gc_collections_total{RATE}) {OURS})",
                    "generation {{generation}}",
                )
            ],
            unit="ops",
        ),
        Lines(
            "Uptime",
            "Since each worker started.",
            [Query(f"time() - process_start_time_seconds {OURS}", "{{instance}}")],
            unit="s",
        ),
        Lines(
            "Versions",
            "Workers by what they are made of.",
            [
                Query(
                    "count by (version, python, celery, redis_py) (signals_build_info)",
                    "{{version}}, Python {{python}}, Celery {{celery}}, redis-py {{redis_py}}",
                )
            ],
        ),
        Lines(
            "Files that are watched",
            "Changes of files taken over and refused since the start; failing: a broken one is ignored now.",
            [
                Query(
                    or_none("sum by (file, result) (signals_config_changes_total)", "file"),
                    "{{file}} {{result}}",
                ),
                Query(or_none("max by (file) (signals_config_failing)", "file"), "{{file}} failing"),
            ],
            runbooks=["SignalsReloadFailing"],
        ),
    ],
)

_GATEWAY = Row(
    "Gateway",
    [
        Lines(
            "Requests",
            "By route and class of status, per second.",
            [
                Query(
                    f"sum by (route, status) (rate(signals_gateway_requests_total{RATE}))",
                    "{{route}} {{status}}",
                )
            ],
            unit="reqps",
            stacked=True,
            runbooks=["SignalsGatewayErrors", "SignalsGatewayAbsent"],
        ),
        Lines(
            "Duration of requests, p99",
            "By route. TradingView waits 3 s.",
            [Query(_quantile(0.99, "signals_gateway_request_duration_seconds", "route"), "{{route}}")],
            unit="s",
            limit=LIMIT["gatewaySeconds"],
            runbooks=["SignalsGatewaySlow"],
        ),
        Lines(
            "Admissions",
            "What became of the signals that came over HTTP, per second.",
            [Query(f"sum by (status) (rate(signals_gateway_admissions_total{RATE}))", "{{status}}")],
            unit="ops",
            stacked=True,
            runbooks=["SignalsInvalidRising"],
        ),
        Lines(
            "Waiting for Redis",
            "Signals in the gateway's hands; beyond SIGNALS_GATEWAY_BACKLOG it answers 503.",
            [
                Query("sum by (instance) (signals_gateway_waiting)", "{{instance}}"),
                Query(
                    f"sum(rate(signals_gateway_unreleased_total{RATE}))", "texts that stay known, per second"
                ),
            ],
        ),
    ],
)

INTERNALS = Dashboard(
    uid="signals-internals",
    title="Signal Dispatch / Internals",
    description="Lanes, rings, posting, Redis, processes and the gateway.",
    rows=[_LANES, _POSTING, _REDIS, _PROCESS, _GATEWAY],
    variables=[
        Variable(
            "instance",
            f'{{__name__=~"signals_threads|signals_gateway_waiting", {MATCHERS}}}',
            "Processes.",
        )
    ],
    matchers=f'{MATCHERS}, instance=~"$instance"',
)
