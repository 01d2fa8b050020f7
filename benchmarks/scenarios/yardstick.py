"""Whether the sink is fast enough to measure by: what it costs and bears when nobody else is slow."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack

from benchmarks.samples import RATE, Samples
from benchmarks.signals import fan_out
from benchmarks.stage import Meter, Stage

YARDSTICK, SINK_ALONE, CAPACITY = "sink", "raw sockets", "POSTs per sink CPU second"
SOCKETS = 32


def sink(stage: Stage, samples: Samples, count: int) -> None:
    """As many connections as the contenders have threads, one request on each at a time, ready made."""
    count -= count % SOCKETS
    requests = [_request(number) for number in range(count)]
    with ExitStack() as stack:
        address = ("127.0.0.1", int(stage.sink_url.rsplit(":", 1)[1]))
        sockets = [stack.enter_context(socket.create_connection(address)) for _ in range(SOCKETS)]
        meter = Meter(stage)
        for start in range(0, count, SOCKETS):
            for one, request in zip(sockets, requests[start : start + SOCKETS], strict=True):
                one.sendall(request)
            for one in sockets:
                one.recv(4096)
        cost = meter.cost(count)
    stage.require_each_once(YARDSTICK, count)
    stage.clean()
    samples.put(YARDSTICK, SINK_ALONE, "sink CPU µs/signal", cost.sink_us)
    samples.put(YARDSTICK, SINK_ALONE, CAPACITY, 1e6 / cost.sink_us)
    samples.put(YARDSTICK, SINK_ALONE, RATE, cost.rate)


def _request(number: int) -> bytes:
    body = json.dumps(fan_out(number)).encode()
    return b"POST / HTTP/1.1\r\nHost: sink\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
