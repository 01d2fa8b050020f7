"""What OpenTelemetry is told: one span per attempt, in its sender's trace, and the truth."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from producers import MemoryProducer, SignalProducer
from tests.unit.fakes import FakeObserver, FakePoster, make_head
from worker.errors import InvalidSignal, SettingsError, TokenMissing
from worker.handling import Job, Pace
from worker.lanes import Deferral, Head, Settlement
from worker.policy import Policy
from worker.settings import Settings
from worker.traced import TracedHandler
from worker.tracing import open_tracing, reader_of_traces
from worker.tracing.otel import Tracing
from worker.verdict import Attempt, Verdict

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


class Case:
    """A traced handler whose endpoint the test scripts, and the spans it leaves."""

    def __init__(self, attempt: Attempt | Exception, composed: bytes | Exception = b"{}") -> None:
        def post(_: bytes) -> Attempt:
            if isinstance(attempt, Exception):
                raise attempt
            return attempt

        def compose(_: Head) -> bytes:
            if isinstance(composed, Exception):
                raise composed
            return composed

        self._exporter = InMemorySpanExporter()
        self.tracing = Tracing(
            "a-worker",
            "https://user:secret@host.example:8443/hook?key=k",
            SimpleSpanProcessor(self._exporter),
        )
        self.handler = TracedHandler(
            self.tracing,
            poster=FakePoster(post),
            observer=FakeObserver(),
            compose=compose,
            policy=lambda _: Policy(),
            pace=Pace(),
            clock=lambda: 100.0,
        )

    def handle(self, **head: object) -> Settlement | Deferral:
        return self.handler.handle(Job(make_head(trace=PARENT, **head), 99.0, 1000, 99.0, 1))

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_an_attempt_is_two_spans_in_the_senders_trace() -> None:
    case = Case(Attempt(Verdict.ACCEPTED, "200", 0.25, status=200, reused=True))
    case.handle(attempt=2, action_class="full", action="closeLong")
    whole, post = case.spans()["process signal"], case.spans()["POST"]
    assert whole.context is not None
    assert whole.parent is not None
    assert post.parent is not None
    assert (format(whole.context.trace_id, "032x"), format(whole.parent.span_id, "016x")) == (
        TRACE_ID,
        "b7ad6b7169203331",
    )
    assert post.parent.span_id == whole.context.span_id
    assert (whole.kind, post.kind) == (SpanKind.CONSUMER, SpanKind.CLIENT)
    assert told(whole) == {
        "messaging.system": "signal-dispatch",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": "a-1",
        "signals.connector": "a",
        "signals.action": "closeLong",
        "signals.class": "full",
        "signals.attempt": 2,
        "signals.result": "accepted",
        "signals.why": "200",
    }
    assert told(post) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "host.example",
        "server.port": 8443,
        "signals.connection.reused": True,
        "signals.verdict": "accepted",
    }
    assert post.end_time is not None
    assert post.start_time is not None
    assert whole.start_time is not None
    assert post.end_time - post.start_time == 250_000_000, "it lasted as long as the POST did"
    assert whole.start_time <= post.start_time
    assert whole.resource.attributes["service.name"] == "a-worker"


@pytest.mark.parametrize(
    ("attempt", "head", "result", "verdict"),
    [
        (Attempt(Verdict.UNKNOWN, "timeout", 1.0), {}, "unknown", "unknown"),
        (Attempt(Verdict.REJECTED, "400", 0.1, status=400), {}, "rejected", "rejected"),
        (Attempt(Verdict.UNSENT, "connection refused", 0.1), {}, "retry", "unsent"),
        (Attempt(Verdict.UNKNOWN, "502", 0.1, status=502), {"action_class": "full"}, "retry", "unknown"),
        (Attempt(None, "withheld", 0.1), {}, "not posted", None),
        (Attempt(Verdict.ACCEPTED, "200", 0.1), {"orphan": True}, "unknown", None),
    ],
)
def test_spans_end_with_the_truth(
    attempt: Attempt, head: dict[str, object], result: str, verdict: str | None
) -> None:
    case = Case(attempt)
    answer = case.handle(**head)
    spans = case.spans()
    whole = spans["process signal"]
    assert told(whole)["signals.result"] == result
    assert (told(spans["POST"])["signals.verdict"] if "POST" in spans else None) == verdict
    assert whole.status.is_ok is not (isinstance(answer, Settlement)), "an error only if that is its end"
    if verdict is not None:
        assert spans["POST"].status.status_code is StatusCode.ERROR
        assert told(spans["POST"])["error.type"] == attempt.why


@pytest.mark.parametrize(
    ("failure", "result", "why"),
    [
        (InvalidSignal("connectorName: too long"), "invalid", "connectorName: too long"),
        (TokenMissing("no token"), "retry", "no token"),
    ],
)
def test_what_is_not_posted_has_a_span_and_no_post(failure: Exception, result: str, why: str) -> None:
    case = Case(Attempt(Verdict.ACCEPTED, "200", 0.1), failure)
    case.handle()
    assert list(case.spans()) == ["process signal"]
    assert told(case.spans()["process signal"])["signals.result"] == result
    assert told(case.spans()["process signal"])["signals.why"] == why


def test_a_failure_of_ours_is_told_as_what_it_will_be_judged() -> None:
    case = Case(ZeroDivisionError("token-inside"))
    with pytest.raises(ZeroDivisionError):
        case.handle()
    span = case.spans()["process signal"]
    assert (told(span)["signals.result"], told(span)["signals.why"]) == (
        "unknown",
        "internal error: ZeroDivisionError",
    )
    assert "token-inside" not in span.to_json()


@pytest.mark.parametrize("parent", [None, "", "rubbish", f"00-{'0' * 32}-{'0' * 16}-01", "\udcff"])
def test_without_a_trace_one_begins(parent: str | None) -> None:
    case = Case(Attempt(Verdict.ACCEPTED, "200", 0.1))
    case.handler.handle(Job(make_head(lane="\udcff", trace=parent), 99.0, 1000, 99.0, 1))
    assert case.spans()["process signal"].parent is None
    assert told(case.spans()["process signal"])["signals.connector"] == "\\udcff"


def test_trouble_with_tracing_is_not_the_attempts(caplog: pytest.LogCaptureFixture) -> None:
    case = Case(Attempt(Verdict.ACCEPTED, "200", 0.1))
    case.tracing._tracer = None  # type: ignore[assignment]
    result = case.handle()
    assert isinstance(result, Settlement)
    assert [record.getMessage() for record in caplog.records] == ["span lost"]


def test_a_request_is_a_span_whose_trace_its_signals_are_in() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing("a-gateway", "", SimpleSpanProcessor(exporter))
    traces: list[str | None] = []

    async def app(_: Any, __: Any, send: Any) -> None:
        traces.append(reader_of_traces()())
        await send({"type": "http.response.start", "status": 503})

    async def send(_: Any) -> None: ...

    route = tracing.around("/webhook/{secret}", app)
    for headers in ([(b"traceparent", PARENT.encode())], [], [(b"traceparent", b"\xff")]):
        asyncio.run(route({"headers": headers, "path": "/webhook/hidden"}, send, send))
    spans = exporter.get_finished_spans()
    assert [span.context and f"{span.context.span_id:016x}" for span in spans] == [
        trace and trace.split("-")[2] for trace in traces
    ]
    assert [span.parent is None for span in spans] == [False, True, True]
    assert str(traces[0]).split("-")[1] == TRACE_ID
    assert (spans[0].kind, spans[0].name, told(spans[0])["http.response.status_code"]) == (
        SpanKind.SERVER,
        "POST /webhook/{secret}",
        503,
    )
    assert "hidden" not in spans[0].to_json()
    assert reader_of_traces()() is None, "outside of a request there is none"


def test_a_producer_keeps_the_active_trace_if_it_is_to() -> None:
    tracing = Tracing("an-app", "", SimpleSpanProcessor(InMemorySpanExporter()))
    with MemoryProducer() as memory, tracing._tracer.start_as_current_span("strategy") as span:
        off = SignalProducer("memory://", queue=memory._queue, bell=memory._bell, settings=Settings())
        on = SignalProducer(
            "memory://", queue=memory._queue, bell=memory._bell, settings=Settings(tracing=True)
        )
        assert off.terms().trace is None
        assert (on.terms().trace or "").split("-")[2] == format(span.get_span_context().span_id, "016x")
        kept = off.terms()
        assert off.in_trace(kept) is kept
        assert on.in_trace(kept).trace == on.terms().trace
    assert on.terms().trace is None


def test_without_the_extra_it_is_said_which() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None; from worker.tracing import *\n"
        "import worker.tracing as t\n"
        "for make in (lambda: t.open_tracing('w'), t.reader_of_traces):\n"
        "    try: make()\n"
        "    except t.SettingsError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.count("pip install '.[otel]'") == 2


def test_settings_that_opentelemetry_refuses_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(SettingsError, match=r"SIGNALS_TRACING: .*OTEL_"):
        open_tracing("w")


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    tracing = Tracing("w", "", SimpleSpanProcessor(InMemorySpanExporter()))
    assert tracing._provider.resource.attributes["service.name"] == "mine"


def test_without_tracing_nothing_of_it_is_loaded() -> None:
    code = "import sys, worker.app, producers, worker.traced; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    # Others, as redis-py, load what they find of OpenTelemetry.
    assert {"opentelemetry.exporter", "worker.tracing.otel"} & set(done.stdout.split()) == set()
