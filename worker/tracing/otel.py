"""Spans of OpenTelemetry. The only module that knows it.

A span is made when what it tells of is over, so nothing of this stands between a signal and its POST; it goes
into a bounded queue that a thread of its own empties, so a collector that is slow or away costs spans and
nothing else. No span holds a token or a signal's body.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from worker.records import Deferral, Head, Outcome, Settlement
from worker.verdict import Attempt, Verdict

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""Of ASGI."""

_PARENT = "traceparent"
_propagator = TraceContextTextMapPropagator()


def current_trace() -> str | None:
    """The span that is active here, as a W3C traceparent; None if none is."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get(_PARENT)


def exporting(service: str, endpoint: str) -> Tracing:
    """As ``open_tracing``; raises whatever OpenTelemetry raises."""
    return Tracing(service, endpoint, BatchSpanProcessor(OTLPSpanExporter()))


class Tracing:
    """The spans of one process; used by many threads at once, and raises nothing once it is made."""

    def __init__(self, service: str, endpoint: str, processor: SpanProcessor) -> None:
        """``endpoint``: where signals are posted to; of it only host and port are told."""
        self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("signal-dispatch", version("signal-dispatch"))
        self._endpoint = _server(endpoint)

    def attempted(
        self, head: Head, attempt: Attempt | None, result: Settlement | Deferral, *, since: float
    ) -> None:
        """One attempt is over. ``since``: seconds from taking the signal in hand until now."""
        try:
            self._attempted(head, attempt, result, time.time_ns(), since)
        except Exception as error:  # noqa: BLE001 - the attempt was made, and must be written down
            log.warning("span lost", extra={"error": type(error).__name__})

    def _attempted(
        self, head: Head, attempt: Attempt | None, result: Settlement | Deferral, now: int, since: float
    ) -> None:
        span = self._tracer.start_span(
            "process signal",
            _within(head.trace),
            SpanKind.CONSUMER,
            {**_of_signal(head), **_of_result(attempt, result)},
            start_time=_before(now, since),
        )
        if attempt is not None and attempt.asked and attempt.verdict is not None:
            self._posted(attempt, trace.set_span_in_context(span, Context()), now)
        if isinstance(result, Settlement) and result.outcome not in (Outcome.ACCEPTED, Outcome.CANCELLED):
            span.set_status(Status(StatusCode.ERROR, _plain(result.why)))
        span.end(now)

    def _posted(self, attempt: Attempt, parent: Context, now: int) -> None:
        span = self._tracer.start_span(
            "POST", parent, SpanKind.CLIENT, self._endpoint, start_time=_before(now, attempt.seconds)
        )
        span.set_attributes({"http.request.method": "POST", "signals.connection.reused": attempt.reused})
        span.set_attribute("signals.verdict", str(attempt.verdict))
        if attempt.status is not None:
            span.set_attribute("http.response.status_code", attempt.status)
        if attempt.verdict is not Verdict.ACCEPTED:
            span.set_attribute("error.type", attempt.why if attempt.status is None else str(attempt.status))
            span.set_status(Status(StatusCode.ERROR, attempt.why))
        span.end(now)

    def around(self, path: str, app: Application) -> Application:
        """``app`` within a span of each request, in the trace that the request says it belongs to.

        ``path``: the route's, told in place of the request's own, which may hold a secret.
        """

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            with self._tracer.start_as_current_span(
                f"POST {path}",
                _within(_header(scope)),
                SpanKind.SERVER,
                {"http.request.method": "POST", "http.route": path},
                record_exception=False,  # its text may quote what was sent
                set_status_on_exception=False,
            ) as span:
                await app(scope, receive, _telling(span, send))

        return traced

    def close(self, timeout: float) -> None:
        """Send what is left, for at most ``timeout`` seconds. What is told afterwards is lost."""
        # It has no bound of its own that one could set.
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-end", daemon=True)
        closing.start()
        closing.join(timeout)


def _telling(span: Span, send: Send) -> Send:
    async def told(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            span.set_attribute("http.response.status_code", message["status"])
            if message["status"] >= 500:
                span.set_status(Status(StatusCode.ERROR))
        await send(message)

    return told


def _resource(service: str) -> Resource:
    ours = {SERVICE_NAME: service, "service.version": version("signal-dispatch")}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def _within(traceparent: str | None) -> Context:
    """What was said by anybody, or nothing: then a trace begins here."""
    return _propagator.extract({_PARENT: traceparent} if traceparent else {}, Context())


def _header(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == _PARENT.encode()]
    return given[0].decode("latin-1") if len(given) == 1 else None


def _server(endpoint: str) -> Mapping[str, str | int]:
    parts = urlsplit(endpoint)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return {"server.address": parts.hostname, "server.port": port} if parts.hostname else {}


def _before(now: int, seconds: float) -> int:
    return now - round(seconds * 1e9)


def _of_signal(head: Head) -> dict[str, str | int]:
    return {
        "messaging.system": "signal-dispatch",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": _plain(head.id),
        "signals.connector": _plain(head.lane),
        "signals.action": _plain(head.action),
        "signals.class": _plain(head.action_class),
        "signals.attempt": head.attempt,
    }


def _of_result(attempt: Attempt | None, result: Settlement | Deferral) -> dict[str, str | float]:
    if isinstance(result, Settlement):
        return {"signals.result": result.outcome.value, "signals.why": _plain(result.why)}
    why = "" if attempt is None else attempt.why
    if result.refund:
        return {"signals.result": "not posted", "signals.why": why}
    return {"signals.result": "retry", "signals.why": why, "signals.retry.delay": result.delay_ms / 1000}


def _plain(text: str) -> str:
    """What lay in Redis may be no UTF-8, and would spoil all spans that are sent with this one."""
    return text.encode("utf-8", "backslashreplace").decode()
