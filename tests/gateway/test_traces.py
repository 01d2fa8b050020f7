"""One trace from a sender's span over gateway and queue to the POST, told to a collector over OTLP."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from demo.stack import eventually, fetch, free_port
from producers import SignalProducer
from tests.conftest import Workers
from tests.gateway.conftest import ALPHA, Gateways
from worker.paper import Mischief, PaperServer
from worker.settings import Settings
from worker.tracing import open_tracing

SENDER = "b7ad6b7169203331"
TRACE = "0af7651916cd43dd8448eb211c80319c"
ORDER = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "buy", "percent": "10"}


class Collector:
    """Takes OTLP over HTTP and remembers it to the byte."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                zipped = self.headers.get("Content-Encoding") == "gzip"
                collector.bodies.append(gzip.decompress(body) if zipped else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spans(self) -> dict[tuple[str, str], Span]:
        """Every span by the service and its name; of several the last to come."""
        found = {}
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found[names["service.name"], span.name] = span
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    running = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    yield running
    running.close()


def said(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_one_trace_from_the_senders_span_to_the_post(
    gateways: Gateways, workers: Workers, paper: PaperServer, collector: Collector
) -> None:
    # given: a gateway and a worker that trace
    gateway = gateways.start(tracing="on")
    worker = workers.start(paper.webhook_url, tracing="on", accounts_file=gateways.accounts)
    # when: a signal comes that belongs to a trace
    (receipt,) = ids_of(gateway.receipts(ORDER, traceparent=f"00-{TRACE}-{SENDER}-01"))
    names = [
        ("signal-gateway", "POST /trading-signal/webhook"),
        ("signal-worker", "process signal"),
        ("signal-worker", "POST"),
    ]
    spans = eventually(
        lambda: (found := collector.spans()) and set(names) <= set(found) and found,
        within=15,
        what="all spans have come",
    )
    # then: each is the child of the one before
    server, process, post = (spans[name] for name in names)
    assert {span.trace_id.hex() for span in (server, process, post)} == {TRACE}
    assert server.parent_span_id.hex() == SENDER
    assert process.parent_span_id == server.span_id
    assert post.parent_span_id == process.span_id
    assert (said(process)["messaging.message.id"], said(process)["signals.result"]) == (receipt, "accepted")
    assert said(post)["http.response.status_code"] == 200
    assert process.start_time_unix_nano <= post.start_time_unix_nano <= post.end_time_unix_nano
    # and: nobody else is told of it, and no token is in it
    (posted,) = paper.receipts
    assert "traceparent" not in {name.lower() for name in posted.headers}
    assert not any(ALPHA.encode() in body for body in collector.bodies)
    # and: a worker that ends sends what is left
    assert worker.stop() == 0


def ids_of(receipts: list[dict[str, str]]) -> list[str]:
    return [receipt["id"] for receipt in receipts]


def test_a_producers_span_is_the_parent_whatever_becomes_of_the_post(
    workers: Workers, redis_url: str, prefix: str, client: redis.Redis, collector: Collector
) -> None:
    # given: an endpoint that takes orders and does not answer
    settings = Settings(redis_url=redis_url, prefix=prefix, tracing=True)
    with PaperServer(mischief=Mischief.from_text("reset")) as paper, SignalProducer(settings=settings) as out:
        worker = workers.start(paper.webhook_url, tracing="on")
        application = open_tracing("an-app")
        # when: an application sends within a span of its own, and the same once more within another
        order = {**ORDER, "clientOrderId": "once"}
        with application._tracer.start_as_current_span("strategy") as span:
            first = out.send(order)
        with application._tracer.start_as_current_span("again"):
            assert out.send(order).status == "duplicate"
        application.close(5.0)
        names = {("signal-worker", "process signal"), ("signal-worker", "POST"), ("an-app", "strategy")}
        eventually(lambda: names <= set(collector.spans()), within=15, what="all spans have come")
    # then: the POST of unknown fate is in the trace of the one that was taken
    spans = collector.spans()
    process, post = spans["signal-worker", "process signal"], spans["signal-worker", "POST"]
    assert process.trace_id == post.trace_id == spans["an-app", "strategy"].trace_id
    assert process.parent_span_id == spans["an-app", "strategy"].span_id
    assert said(process)["signals.result"] == "unknown"
    assert process.status.code == post.status.code == Status.STATUS_CODE_ERROR
    kept = client.hget(f"{prefix}signal:{first.id}", "trace")
    assert kept is not None
    assert format(span.get_span_context().span_id, "016x") in kept.decode()
    assert worker.stop() == 0


def test_a_collector_that_is_away_harms_nobody(
    gateways: Gateways, workers: Workers, paper: PaperServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: nobody listens, and very few spans are kept meanwhile
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    gateway = gateways.start(tracing="on")
    worker = workers.start(paper.webhook_url, tracing="on", accounts_file=gateways.accounts)
    # when
    for _ in range(20):
        gateway.receipts(ORDER)
    eventually(lambda: len(paper.receipts) == 20, within=15, what="all are posted")
    # then: both are well, end in time, and what they say is no traceback
    assert fetch(f"{workers.addresses[0]}/readyz")[0] == 200
    assert (worker.stop(), gateway.process.stop()) == (0, 0)
    assert "Traceback" not in worker.output() + gateway.process.output()
    assert ALPHA not in worker.output() + gateway.process.output()
    assert "stopped" in worker.output()


def test_without_tracing_nothing_is_kept_or_told(
    gateways: Gateways,
    workers: Workers,
    paper: PaperServer,
    prefix: str,
    client: redis.Redis,
    collector: Collector,
) -> None:
    gateway = gateways.start()
    worker = workers.start(paper.webhook_url, accounts_file=gateways.accounts)
    (signal_id,) = ids_of(gateway.receipts(ORDER, traceparent=f"00-{TRACE}-{SENDER}-01"))
    eventually(lambda: paper.receipts, within=15, what="it is posted")
    assert client.hget(f"{prefix}signal:{signal_id}", "trace") is None
    assert worker.stop() == 0
    assert gateway.process.stop() == 0
    assert collector.bodies == []
