"""Traces: which signal of whose request was posted when, told to OpenTelemetry. Off unless it is asked for.

Nothing here is imported by a process that does not trace, beyond this file. ``otel`` is the only module that
knows OpenTelemetry (the extra ``otel``), which takes its own settings from ``OTEL_…``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.errors import SettingsError

if TYPE_CHECKING:
    from worker.tracing.otel import Tracing


def open_tracing(service: str, endpoint: str = "") -> Tracing:
    """Begin to export spans over OTLP. ``service``: what this process is called unless OTEL_SERVICE_NAME says
    otherwise; ``endpoint``: where it posts to.

    Close it at the end. Raises SettingsError if OpenTelemetry is missing or refuses its settings.
    """
    try:
        from worker.tracing.otel import exporting
    except ImportError as error:
        raise _missing(error) from None
    try:
        return exporting(service, endpoint)
    except Exception as error:  # noqa: BLE001 - it reads its settings by itself, and raises what it likes
        text = f"SIGNALS_TRACING: OpenTelemetry refuses its settings (OTEL_…): {error}"
        raise SettingsError(text) from None


def reader_of_traces() -> Callable[[], str | None]:
    """What tells the trace that its caller is in (a W3C traceparent), or None.

    Raises SettingsError if OpenTelemetry is missing.
    """
    try:
        from worker.tracing.otel import current_trace
    except ImportError as error:
        raise _missing(error) from None
    return current_trace


def _missing(error: ImportError) -> SettingsError:
    return SettingsError(
        f"SIGNALS_TRACING: needs OpenTelemetry: pip install '.[otel]' ({error.name} is missing)"
    )
