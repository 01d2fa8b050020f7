"""``/v1``: send signals, ask for them, and take them back, by API key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from producers.admission import Draft, Terms
from producers.aio import Wish
from producers.gateway import replies
from producers.gateway.access import DETAIL
from producers.gateway.auth import Doorman
from producers.gateway.bodies import idempotency_key, read_body
from producers.gateway.desk import Desk
from producers.gateway.headers import Headers
from producers.gateway.idempotency import Claims, content_of
from producers.gateway.intake import Intake, NotKnown
from producers.gateway.keys import ApiKey
from producers.gateway.limits import Limiter, Shares
from producers.gateway.problems import Problem, as_json
from producers.gateway.recipients import Recipients
from producers.producer import BATCH
from producers.receipts import Receipt
from worker.clock import steady
from worker.contract import split
from worker.errors import InvalidSignal
from worker.lanes.views import LaneView, Trace
from worker.settings import Settings

T = TypeVar("T")

MOST = BATCH
"""Signals of one request; so they are admitted in one step."""
MOST_MEMBERS = 10_000
"""Signals that the groups of one request may become."""
SHARE = 4
"""One API key may have this part of what waits: so much is soon admitted when others come."""
_BESIDE = ("max_age", "dedup_window")
"""What a request may say in its query of all its signals."""
_NOT_FOUND = "there is no such signal, or it ended too long ago, or is none of this key's"


class V1:
    """What the routes have in common: who asks, and what may be seen."""

    def __init__(
        self,
        settings: Settings,
        intake: Intake,
        claims: Claims,
        recipients: Recipients,
        doorman: Doorman,
        desk: Desk,
        limiter: Limiter,
    ) -> None:
        self._settings = settings
        self._claims = claims
        self._intake = intake
        self._recipients = recipients
        self._doorman = doorman
        self._desk = desk
        self._limiter = limiter
        self._shares = Shares(settings.gateway_backlog // SHARE)

    # sending

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /v1/signals``, as an ASGI application."""
        try:
            response = await self._send(scope, receive, steady())
        except Problem as problem:
            scope[DETAIL] = problem.detail
            response = as_json(problem)
        await response(scope, receive, send)

    async def _send(self, scope: Scope, receive: Receive, arrived: float) -> Response:
        headers = Headers(scope)
        key = self._doorman.admit(headers)
        self._shares.check(key.name)
        settings = self._settings
        body = await read_body(
            headers, receive, limit=settings.gateway_body_limit, timeout=settings.gateway_read_timeout
        )
        self._doorman.check_signature(key, scope, headers, body)
        items = split(body, MOST)
        self._check_rate(key, len(items))
        if not items:
            raise Problem(422, "the body holds no signal")
        if len(items) > MOST:
            raise Problem(413, f"{len(items)} signals in one request, {MOST} are allowed")
        given = _key_of(headers)
        terms = self._terms(scope["query_string"])
        hold = settings.gateway_order_window
        wishes, places = self._wishes(
            _names(given, len(items)), items, key, terms, arrived + hold if hold else None
        )
        self._limiter.owe("key", key.name, key.rate, max(0, len(wishes) - len(items)))
        with self._shares.hold(key.name, len(wishes)):
            if given is None:
                receipts = await self._admit(wishes, places)
            else:
                asked, content = steady(), content_of(items, scope["query_string"])
                window = self._longest_window(wishes, terms)
                claim = await self._claims.claim(f"key {key.name}", given, content, window=window)
                receipts = await self._admit(wishes, places, asked=asked)
                await self._claims.settle(claim, receipts)
        return replies.answer(receipts, places)

    async def _admit(
        self, wishes: Sequence[Wish], places: Sequence[int], *, asked: float | None = None
    ) -> list[Receipt]:
        try:
            return await self._intake.admit(wishes, asked=asked)
        except NotKnown as error:
            error.more["receipts"] = replies.as_dicts(error.receipts, places[: len(error.receipts)])
            raise

    def _wishes(
        self,
        names: Sequence[str | None],
        items: Sequence[Mapping[str, object] | InvalidSignal],
        key: ApiKey,
        terms: Terms,
        hold_until: float | None,
    ) -> tuple[list[Wish], list[int]]:
        """A draft for each signal and member of a group, and of each which item of the request it is."""
        wishes: list[Wish] = []
        places: list[int] = []
        for place, (item, name) in enumerate(zip(items, names, strict=True)):
            for source in self._sources(item, key):
                wishes.append((Draft(source, name, hold_until=hold_until), terms))
                places.append(place)
            if len(wishes) > MOST_MEMBERS:
                text = f"signals for more than {MOST_MEMBERS} connectors in one request"
                raise Problem(413, text)
        return wishes, places

    def _sources(self, item: Mapping[str, object] | InvalidSignal, key: ApiKey) -> Sequence[object]:
        if isinstance(item, InvalidSignal):
            return [item]
        try:
            return self._recipients.of_key(item, key)
        except InvalidSignal as error:
            return [error.with_traceback(None)]

    def _longest_window(self, wishes: Sequence[Wish], terms: Terms) -> float:
        """Seconds in which one of the signals is known by its key, and its place in the request counts."""
        accounts = None if terms.window_fixed else self._recipients.current()
        if accounts is None:
            return terms.window
        sources = (draft.source for draft, _ in wishes)
        names = (source.get("connectorName") for source in sources if isinstance(source, Mapping))
        found = (accounts.get(name) for name in names if isinstance(name, str))
        return max([terms.window, *(one.dedup_window or 0 for one in found if one is not None)])

    def _terms(self, query: bytes) -> Terms:
        given = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
        for name in given:
            if name not in _BESIDE:
                raise Problem(422, f"the query may hold {' and '.join(_BESIDE)}, not {name[:64]!r}")
        try:
            return self._intake.producer.producer.terms(
                max_age=_seconds(given, "max_age"), dedup_window=_seconds(given, "dedup_window")
            )
        except InvalidSignal as error:
            raise Problem(422, str(error)) from None

    # asking

    async def signal(self, request: Request, signal_id: str) -> Response:
        """``GET /v1/signals/{id}``."""
        key = await self._reader(request)
        return replies.json_response(signal_json(await self._found(key, signal_id)))

    async def order(self, request: Request, connector: str, client_order_id: str) -> Response:
        """``GET /v1/signals?connector=&clientOrderId=``."""
        key = await self._reader(request)
        found = None
        if self._covers(key, connector):
            found = await self._ask(partial(self._desk.order, connector, client_order_id))
        if found is None or found.signal.connector != connector:
            raise Problem(404, _NOT_FOUND)
        return replies.json_response(signal_json(found))

    async def lane(self, request: Request, connector: str) -> Response:
        """``GET /v1/lanes/{connector}``."""
        key = await self._reader(request)
        found = None
        if self._covers(key, connector):
            found = await self._ask(partial(self._desk.lane, connector))
            if found is None and self._knows(key, connector):
                return replies.json_response(
                    {"connector": connector, "waiting": 0, "delayed": 0, "state": "idle"}
                )
        if found is None:
            raise Problem(404, "there is no such connector, or it is none of this key's")
        return replies.json_response(lane_json(found))

    async def drop(self, request: Request, signal_id: str) -> Response:
        """``DELETE /v1/signals/{id}``."""
        key = await self._reader(request)
        found = await self._found(key, signal_id)
        result = await self._ask(partial(self._desk.drop, found.signal.id, by=f"api key {key.name}"))
        if result == "done":
            return replies.json_response(signal_json(await self._found(key, signal_id)))
        raise Problem(409, _NOT_DROPPED[result], state=found.signal.state)

    async def _reader(self, request: Request) -> ApiKey:
        headers = Headers(request.scope)
        key = self._doorman.admit(headers)
        if key.hmac_secret is not None:
            body = await read_body(
                headers, request.receive, limit=1024, timeout=self._settings.gateway_read_timeout
            )
            self._doorman.check_signature(key, request.scope, headers, body)
        self._check_rate(key, 1)
        return key

    async def _found(self, key: ApiKey, signal_id: str) -> Trace:
        found = await self._ask(partial(self._desk.signal, signal_id))
        if found is None or not self._covers(key, found.signal.connector):
            raise Problem(404, _NOT_FOUND)
        return found

    def _covers(self, key: ApiKey, connector: str) -> bool:
        return key.covers(connector, self._recipients.current())

    def _knows(self, key: ApiKey, connector: str) -> bool:
        """Whether there is a connector of this name, as far as this can be told."""
        accounts = self._recipients.current()
        if connector in key.connectors:
            return True
        if accounts is None:
            return 1 <= len(connector) <= 128 and connector.isprintable()
        return accounts.get(connector) is not None

    def _check_rate(self, key: ApiKey, count: int) -> None:
        if not self._limiter.take("key", key.name, key.rate, count):
            raise Problem(
                429,
                f"more than {key.rate:g} signals per second of this API key",
                headers={"Retry-After": str(self._limiter.wait("key", key.name, key.rate))},
            )

    async def _ask(self, question: Callable[[], T]) -> T:
        return await self._desk.ask(question, within=self._settings.gateway_deadline)


_NOT_DROPPED = {
    "sending": "a worker is posting it: too late",
    "doubtful": "an earlier attempt may have reached the endpoint: look at the account",
    "gone": "it has ended already",
}


def _key_of(headers: Headers) -> str | None:
    """The Idempotency-Key. Raises Problem 422."""
    try:
        return idempotency_key(headers)
    except InvalidSignal as error:
        raise Problem(422, str(error)) from None


def _names(given: str | None, count: int) -> list[str | None]:
    """One idempotency key per signal; of a batch ``key:0``, ``key:1``, …"""
    if given is None or count == 1:
        return [given] * count
    return [f"{given}:{place}" for place in range(count)]


def _seconds(query: Mapping[str, list[str]], name: str) -> float | None:
    if name not in query:
        return None
    try:
        return float(query[name][-1])
    except ValueError:
        raise Problem(422, f"{name} must be a number of seconds") from None


def signal_json(trace: Trace) -> dict[str, Any]:
    """A signal and what was tried; times as RFC 3339."""
    view = trace.signal
    fields = {name: value for name, value in asdict(view).items() if value != ""}
    if "action_class" in fields:
        fields["class"] = fields.pop("action_class")
    history = [_with_times(asdict(one)) for one in trace.history]
    return {**_with_times(fields), "in_doubt": view.in_doubt, "history": history}


def lane_json(view: LaneView) -> dict[str, Any]:
    return _with_times({name: value for name, value in asdict(view).items() if value != ""})


def _with_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removesuffix("_ms"): _time(value) if name.endswith("_ms") else value
        for name, value in fields.items()
    }


def _time(ms: int | None) -> str | None:
    if ms is None:
        return None
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):  # somebody else wrote there
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
