"""``POST /trading-signal/webhook``: what the endpoint of Crypto Arsenal takes, for TradingView and scripts.

TradingView sends a message again after a 5xx, 5 s apart, up to 3 times; the first may have been taken all
the same, and the second may reach another replica. So a signal that places an order without a clientOrderId
is known by its text for a minute, unless its answer went out in time: then the same text is a new signal. So
it is within the first seconds, for two alerts of a moment may be alike and nobody sends again so soon; unless
this replica knows that the first was not told (``doubts``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from producers.admission import Draft, Terms, new_id
from producers.fanout import GROUP, is_for_group
from producers.gateway import replies
from producers.gateway.access import DETAIL
from producers.gateway.bodies import has_left, idempotency_key, one_signal, read_body
from producers.gateway.doubts import Doubts, Ids
from producers.gateway.gauges import Gauges
from producers.gateway.headers import Headers
from producers.gateway.idempotency import Claims, content_of
from producers.gateway.intake import Intake, NotKnown
from producers.gateway.limits import Limiter
from producers.gateway.problems import TEXT, Problem, as_json, as_text, wants_json
from producers.gateway.recipients import Recipients
from producers.gateway.releases import Releases
from producers.gateway.sources import Sources
from producers.receipts import Receipt, Status
from worker.clock import steady
from worker.errors import InvalidSignal
from worker.settings import Settings

PATH = "/trading-signal/webhook"
IN_TIME = 2.5
"""Seconds from arrival in which an answer must be out to have been heard; TradingView waits 3."""
_LATER = {"Retry-After": "5"}
"""As TradingView does: longer than the same text is another signal for other replicas."""

_OK = Response(b"ok", media_type="text/plain")
"""Made once: it holds nothing of a request."""


@dataclass
class Taken:
    """What became of one message."""

    receipts: Sequence[Receipt]
    text: str | None = None
    """Stands for it, if it has no id."""
    ids: Ids = field(default_factory=dict)
    """Under which it was sent."""

    @property
    def released(self) -> Sequence[str]:
        """Ids of signals that are known by their text, and need not be once this answer is out."""
        known = (receipt.id or receipt.first_id for receipt in self.receipts if receipt.ok and self.text)
        return [name for name in known if name]


class Webhook:
    """The route, as an ASGI application."""

    def __init__(
        self,
        settings: Settings,
        intake: Intake,
        claims: Claims,
        recipients: Recipients,
        releases: Releases,
        gauges: Gauges,
        limiter: Limiter,
    ) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._claims = claims
        self._intake = intake
        self._recipients = recipients
        self._releases = releases
        self._gauges = gauges
        self._limiter = limiter
        self._doubts = Doubts()
        self._lasting = intake.producer.producer.terms(dedup_window=settings.gateway_dedup_window)
        self._sources = Sources(settings.gateway_sources)
        secret = settings.gateway_path_secret
        self._secret = None if secret is None else secret.get_secret_value().encode()

    @property
    def _terms(self) -> Terms:
        return self._intake.producer.producer.in_trace(self._lasting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = steady()
        headers = Headers(scope)
        taken = Taken(())
        try:
            taken = await self._take(scope, headers, receive, arrived)
            response = _answer(taken.receipts, headers)
        except Problem as problem:
            scope[DETAIL] = problem.detail
            response = (as_json if wants_json(headers) else as_text)(problem)
        if not taken.released:
            await response(scope, receive, send)
            return
        gone = await has_left(receive)
        await response(scope, receive, send)
        if gone or steady() - arrived > IN_TIME:
            self._gauges.unreleased()
            self._doubt(taken)
        else:
            self._releases.later(taken.released)

    async def _take(self, scope: Scope, headers: Headers, receive: Receive, arrived: float) -> Taken:
        self._check_path(scope["path"])
        if not self._sources.allows(scope["client"]):
            raise Problem(403, "signals are not taken from this address (SIGNALS_GATEWAY_SOURCES)")
        settings = self._settings
        body = await read_body(
            headers, receive, limit=settings.gateway_body_limit, timeout=settings.gateway_read_timeout
        )
        try:
            signal = one_signal(body, headers.get("content-type"))
            given = idempotency_key(headers)
            sources = self._recipients.of_webhook(signal)
        except InvalidSignal as error:
            raise Problem(400, str(error)) from None
        self._check_rate(signal)
        text = text_of(body) if given is None and _is_nameless_order(signal) else None
        hold = settings.gateway_order_window
        until = arrived + hold if hold else None
        before = self._doubts.settle(text) if text else {}
        ids = {name: before.get(name) or new_id() for name in map(_connector_of, sources)}
        drafts = [
            Draft(
                source,
                given,
                ids[_connector_of(source)],
                key_window=settings.dedup_window,
                text=text,
                hold_until=until,
            )
            for source in sources
        ]
        asked, claim = steady(), None
        if given is not None:
            owner = f"webhook {signal.get(GROUP)} {signal.get('connectorName')}"
            content = content_of([signal])
            claim = await self._claims.claim(owner, given, content, window=settings.dedup_window)
        taken = Taken([], text, ids)
        try:
            taken.receipts = await self._admit(drafts, asked)
        except Problem:
            self._doubt(taken)
            raise
        if claim is not None:
            await self._claims.settle(claim, taken.receipts)
        return taken

    async def _admit(self, drafts: Sequence[Draft], asked: float) -> Sequence[Receipt]:
        """Raises Problem 503 if the message is to be sent again."""
        try:
            receipts = await self._intake.admit([(draft, self._terms) for draft in drafts], asked=asked)
        except NotKnown as error:
            # A redelivery is safe, by clientOrderId or by text.
            raise Problem(503, "the queue did not answer in time: send it again", headers=_LATER) from error
        if any(receipt.status is Status.FULL for receipt in receipts):
            # TradingView sends again after a 5xx only. What of a group was taken stays known until then.
            raise Problem(503, _full(receipts), headers=_LATER)
        return receipts

    def _doubt(self, taken: Taken) -> None:
        if taken.text:
            self._doubts.note(taken.text, taken.ids)

    def _check_path(self, path: str) -> None:
        given = path.removeprefix(f"{PATH}/").encode()
        if self._secret is not None and not hmac.compare_digest(given, self._secret):
            raise Problem(404, "there is nothing here")

    def _check_rate(self, signal: Mapping[str, object]) -> None:
        rate = self._settings.gateway_connector_rate
        kind = GROUP if is_for_group(signal) else "connectorName"
        if not self._limiter.take(f"webhook {kind}", str(signal.get(kind))[:256], rate):
            text = f"more than {rate:g} signals per second of one connector or group"
            raise Problem(429, text, headers={"Retry-After": "1"})


def text_of(body: bytes) -> str:
    """What stands for a message that has no id: all of it, to the byte."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _connector_of(source: Mapping[str, object]) -> str:
    return str(source.get("connectorName"))


def _full(receipts: Sequence[Receipt]) -> str:
    full = [receipt for receipt in receipts if receipt.status is Status.FULL]
    most = "" if len(receipts) == 1 else f"{len(receipts) - len(full)} of {len(receipts)} taken; "
    return f"{most}{full[0].connector}: {full[0].error}"


def _is_nameless_order(signal: Mapping[str, object]) -> bool:
    if signal.get("position") is not None:
        return True
    # A cancel that comes twice cancels twice, which is harmless; and it must never be taken for a duplicate.
    return signal.get("clientOrderId") is None and not str(signal.get("action")).startswith("cancel")


def _answer(receipts: Sequence[Receipt], headers: Headers) -> Response:
    if wants_json(headers):
        return replies.answer(receipts, [0] * len(receipts), invalid=400)
    status = replies.status_of(receipts, invalid=400)
    if status == replies.OK:
        return _OK
    if len(receipts) == 1:
        raise replies.problem_of(receipts[0], status)
    bad = [receipt for receipt in receipts if not receipt.ok]
    text = f"{len(receipts) - len(bad)} of {len(receipts)} taken; {bad[0].connector}: {bad[0].error}\n"
    return Response(text.encode("utf-8", "replace"), status, media_type=TEXT)
