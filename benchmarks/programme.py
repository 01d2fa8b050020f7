"""Which scenarios there are, in which order, and how much of each."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from benchmarks.samples import CEILING, NAIVE, OURS, RATE, Samples
from benchmarks.scenarios import delays, latency, observing, sending, throughput, yardstick
from benchmarks.scenarios import scale as scale_
from benchmarks.stage import Stage

Play = Callable[[Stage, Samples], None]

FALLBACK_RATE = 400.0
"""Signals per second that count as half of naive's capacity where that was not measured."""


def full(scale: float = 1.0) -> Mapping[str, Play]:
    """Minutes per round. ``scale``: share of the signals, where their number is not the point."""
    many = round(10_000 * scale)
    return {
        "sink": lambda stage, samples: yardstick.sink(stage, samples, many),
        "fan-out": lambda stage, samples: throughput.fan(stage, samples, many),
        "streams": lambda stage, samples: throughput.stream(stage, samples, many),
        "metrics": lambda stage, samples: observing.observe(stage, samples, 10 * many),
        "slow": lambda stage, samples: throughput.slow(stage, samples, 2 * many),
        "publish": lambda stage, samples: sending.send(stage, samples, many),
        "idle-latency": lambda stage, samples: latency.idle(stage, samples, 200),
        "half-load": lambda stage, samples: latency.half(stage, samples, _half_rate(samples), 10),
        "isolation": lambda stage, samples: latency.isolation(stage, samples, 1000),
        "at-rest": scale_.at_rest,
        "two-workers": lambda stage, samples: scale_.pair(stage, samples, many),
        "delayed": lambda stage, samples: delays.delays(stage, samples, 100_000, 10),
    }


def once() -> Mapping[str, Play]:
    """Large ones, played in the first round only."""
    return {
        "many-lanes": lambda stage, samples: scale_.many_lanes(stage, samples, 100_000),
        "backlog": lambda stage, samples: scale_.backlog(stage, samples, 1_000_000),
        "million-delayed": lambda stage, samples: delays.delays(stage, samples, 1_000_000, 20),
    }


def quick(scale: float = 1.0) -> Mapping[str, Play]:
    """Seconds in all; too little to judge small differences by."""
    some = round(700 * scale)
    return {
        "sink": lambda stage, samples: yardstick.sink(stage, samples, 10 * some),
        "fan-out": lambda stage, samples: throughput.fan(stage, samples, some),
        "streams": lambda stage, samples: throughput.stream(
            stage, samples, some, only=(CEILING, NAIVE, OURS)
        ),
        "publish": lambda stage, samples: sending.send(stage, samples, some),
        "idle-latency": lambda stage, samples: latency.idle(stage, samples, 20),
        "at-rest": scale_.at_rest,
    }


def _half_rate(samples: Samples) -> float:
    seen = samples.of(throughput.FAN_OUT, NAIVE, RATE)
    return statistics.median(seen) / 2 if seen else FALLBACK_RATE
