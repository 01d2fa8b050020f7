"""Posts one signal and tells what became of it; how that goes over the wire is `transport`'s."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from worker.errors import SettingsError
from worker.exchange import Exchange, Withheld
from worker.transport import DeadlineAdapter, Post
from worker.verdict import Attempt, Reading, Verdict, judge, retry_after

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # a compressed answer could be a bomb
    "User-Agent": "signal-dispatch",
}


class Courier:
    """Posts bodies to the endpoint; safe to use from many threads."""

    def __init__(
        self,
        url: str,
        *,
        deadline: float = 10.0,
        connect_timeout: float = 3.0,
        connections: int = 64,
        max_idle: float = 4.0,
        response_limit: int = 4096,
        ca_file: str | None = None,
        reading: Reading | None = None,
    ) -> None:
        """``deadline``: seconds for the whole exchange, from looking up the name to the last byte.
        ``response_limit``: bytes of an answer's body beyond which its meaning is unknown.
        Raises SettingsError if ``url`` is not one to post to.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("SIGNALS_ENDPOINT_URL: must be an http:// or https:// address")
        self.deadline = deadline
        self._limit = response_limit
        self._reading = reading or Reading()
        self._adapter = DeadlineAdapter(
            connections=connections,
            max_idle=max_idle,
            connect_timeout=connect_timeout,
            limit=response_limit,
            verify=ca_file or True,
        )
        self._template = Post(url, _HEADERS)

    def post(self, body: bytes, *, may_begin: Callable[[], bool] = lambda: True) -> Attempt:
        """Post ``body`` once. Never raises: every failure is a verdict.

        ``may_begin`` is asked immediately before the first byte goes out; if it says no, nothing does.
        """
        started = time.monotonic()
        exchange = Exchange(started + self.deadline, may_begin)
        try:
            response = self._adapter.send(self._template.carrying(body, exchange))
        except Withheld:
            return Attempt(None, "withheld", time.monotonic() - started)
        except Exception as error:  # noqa: BLE001 - whatever it was, its order has a fate to be told
            verdict = Verdict.UNKNOWN if exchange.began else Verdict.UNSENT
            why = _explain(error)
            return Attempt(verdict, why, time.monotonic() - started, reused=exchange.reused)
        seconds = time.monotonic() - started
        status, said = response.status_code, response.raw.read()
        if len(said) > self._limit:
            verdict, why = self._oversized(status), f"{status} with an oversized answer"
            return Attempt(verdict, why, seconds, status=status, reused=exchange.reused)
        verdict = judge(status, said, self._reading)
        why = (
            f"{status} with another answer"
            if 200 <= status < 300 and verdict is not Verdict.ACCEPTED
            else str(status)
        )
        wait = retry_after(response.headers.get("Retry-After"))
        return Attempt(verdict, why, seconds, status=status, retry_after=wait, reused=exchange.reused)

    def close(self) -> None:
        """Drop idle connections."""
        self._adapter.close()

    def _oversized(self, status: int) -> Verdict:
        # A refusal stays one however long its page; anything else is not the documented answer.
        verdict = judge(status, b"", self._reading)
        return Verdict.UNKNOWN if verdict is Verdict.ACCEPTED else verdict


def _explain(error: BaseException) -> str:
    """The innermost cause by its kind, without text that might quote what was sent."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = inner or getattr(error, "reason", None) or error.__cause__ or error.__context__
        if not isinstance(inner, BaseException):
            break
        error = inner
    return _KINDS.get(type(error).__name__, type(error).__name__)


_KINDS = {
    "TimeoutError": "timeout",
    "ReadTimeoutError": "timeout",
    "ConnectTimeoutError": "connect timeout",
    "ConnectionRefusedError": "connection refused",
    "ConnectionResetError": "connection reset",
    "BrokenPipeError": "connection reset",
    "RemoteDisconnected": "connection closed without an answer",
    "gaierror": "name not found",
    "SSLCertVerificationError": "TLS certificate not trusted",
    "SSLError": "TLS failure",
    "IncompleteRead": "answer cut short",
    "BadStatusLine": "not an HTTP answer",
    "HTTPException": "not an HTTP answer",
}
