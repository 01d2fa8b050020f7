"""Puts the gateway together: routes, their parts, and what happens at start and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from producers.aio import AsyncSignalProducer
from producers.gateway import openapi
from producers.gateway.access import DETAIL, ROUTE, Access
from producers.gateway.auth import Doorman
from producers.gateway.desk import Desk
from producers.gateway.gauges import Gauges
from producers.gateway.health import Readiness
from producers.gateway.idempotency import Claims
from producers.gateway.intake import Intake
from producers.gateway.keys import read_keys
from producers.gateway.limits import Limiter
from producers.gateway.pages import add_docs
from producers.gateway.problems import MISTAKE, Problem, as_json
from producers.gateway.recipients import Recipients
from producers.gateway.releases import Releases
from producers.gateway.v1 import V1
from producers.gateway.webhook import Webhook
from producers.producer import SignalProducer
from worker.accounts import follow_accounts
from worker.errors import SettingsError
from worker.lanes import Lanes
from worker.lanes.redis import connect
from worker.rings import CeleryBell, make_app
from worker.settings import Settings
from worker.tracing import open_tracing
from worker.watched import Watched

PROBED_WITHIN = 2.5
"""Seconds in which the event loop must answer a probe."""
FLUSHED_WITHIN = 2.0
"""Seconds that spans have at the end to be sent."""
PATIENCE = 1.0
"""Seconds of trouble with Redis that are waited through; senders do not wait for long either."""
DEAD = "the admission thread is dead"


_Name = Annotated[str, Query(min_length=1, max_length=128)]


class Gateway:
    """All parts of one process."""

    def __init__(self, settings: Settings) -> None:
        """Opens no connection yet. Raises SettingsError."""
        self.settings = settings
        if not (webhook_is_guarded(settings) or settings.api_keys_file):
            raise SettingsError(
                "anybody could send signals: set SIGNALS_ACCOUNTS_FILE, so that tokens are checked, or"
                " SIGNALS_GATEWAY_PATH_SECRET, or SIGNALS_GATEWAY_OPEN=true, or SIGNALS_API_KEYS_FILE to"
                " serve /v1 only"
            )
        self.gauges = Gauges()
        # Read by the event loop, which must not wait for a large file.
        self._accounts = follow_accounts(settings.accounts_file, in_background=True)
        keys = settings.api_keys_file
        self._keys = Watched(keys, read_keys, in_background=True) if keys else None
        self._celery = make_app(
            settings.redis_url, settings.prefix, horizon=settings.horizon, timeout=settings.redis_timeout
        )
        bell = CeleryBell(self._celery)
        hasty = settings.model_copy(update={"redis_patience": min(PATIENCE, settings.redis_patience)})
        self._sync = SignalProducer(settings=hasty, bell=bell, accounts=self._accounts)
        self._client = connect(settings.redis_url, timeout=settings.redis_timeout)
        lanes = Lanes(
            self._client,
            prefix=settings.prefix,
            timing=settings.timing(),
            patience=0.0,  # a single try: a person asks again, and a text that stays known does no harm
            durability=settings.required_durability(),
        )
        self._desk = Desk(self._client, lanes, bell, prefix=settings.prefix)
        self._releases = Releases(self._desk.release)
        self._producer = AsyncSignalProducer(
            self._sync, most_waiting=settings.gateway_backlog, before=self._releases.flush
        )
        self._ready = Readiness(self._desk.ready, within=1.0)
        files = {"accounts_file": self._accounts, "api_keys_file": self._keys}
        self.gauges.watch(waiting=lambda: self._producer.waiting, files=files)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tracing = open_tracing("signal-gateway") if settings.tracing else None
        self.app: ASGIApp = Access(self._routes(), self.gauges)

    def _routes(self) -> ASGIApp:
        settings, limiter = self.settings, Limiter()
        recipients = Recipients(None if self._accounts is None else self._accounts.current)
        doorman = Doorman(None if self._keys is None else self._keys.current)
        intake = Intake(self._producer, self.gauges, deadline=settings.gateway_deadline)
        claims = Claims(self._desk, deadline=settings.gateway_deadline)
        v1 = V1(settings, intake, claims, recipients, doorman, self._desk, limiter)
        app = FastAPI(
            redirect_slashes=False,
            docs_url=None,
            redoc_url=None,
            openapi_url="/openapi.json" if settings.gateway_docs else None,
            lifespan=self._life,
        )
        posts = [Post("/v1/signals", "send", v1.send)]
        if webhook_is_guarded(settings):
            webhook = Webhook(settings, intake, claims, recipients, self._releases, self.gauges, limiter)
            posts.append(Post(webhook_path(settings), "webhook", webhook))
        if self._tracing is not None:
            posts = [Post(one.path, one.name, self._tracing.around(one.path, one)) for one in posts]
        # The framework knows them too, for the sake of those who come with another method.
        app.router.routes += [Route(one.path, one, methods=["POST"], name=one.name) for one in posts]
        _add_reading(app, v1)
        self._add_health(app)
        for kind, handler in _HANDLERS.items():
            app.add_exception_handler(kind, handler)
        described = openapi.document(
            webhook=webhook_path(settings) if webhook_is_guarded(settings) else None,
            secret=settings.gateway_path_secret is not None,
            accounts=settings.accounts_file is not None,
        )
        app.openapi = lambda: described  # type: ignore[method-assign]
        if settings.gateway_docs:
            add_docs(app, title=str(described["info"]["title"]))
        return Shortcut(app, posts)

    def _add_health(self, app: FastAPI) -> None:
        """For load balancers, which ask where they send.

        What is wrong is told in the log, and on the port of the metrics.
        """

        @app.get("/livez", include_in_schema=False)
        async def livez(request: Request) -> Response:
            return _probed(request, None if self._producer.alive else DEAD)

        @app.get("/readyz", include_in_schema=False)
        async def readyz(request: Request) -> Response:
            return _probed(request, await self._ready.trouble())

    def live(self) -> tuple[bool, str]:
        """Whether this process does its work; called in other threads than its own."""
        if not self._producer.alive:
            return False, DEAD
        return self._asked(_nothing())

    def ready(self) -> tuple[bool, str]:
        """Whether it can take signals; likewise."""
        return self._asked(self._ready.trouble())

    def _asked(self, question: Coroutine[Any, Any, str | None]) -> tuple[bool, str]:
        """``question`` is put to the event loop, and gives what is wrong."""
        if self._loop is None or self._loop.is_closed():
            question.close()
            return False, "it is starting, or has ended"
        try:
            trouble = asyncio.run_coroutine_threadsafe(question, self._loop).result(PROBED_WITHIN)
        except TimeoutError:
            return False, "the event loop hangs"
        return trouble is None, trouble or "ok"

    @asynccontextmanager
    async def _life(self, _: FastAPI) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        releasing = asyncio.create_task(self._releases.run())
        yield
        await self._producer.close()
        releasing.cancel()
        with suppress(asyncio.CancelledError):
            await releasing
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._releases.flush()
        self._sync.close()
        self._client.close()
        self._celery.close()
        if self._tracing is not None:
            self._tracing.close(FLUSHED_WITHIN)


class Post:
    """A route that signals are posted to: an ASGI application with a path and a name."""

    def __init__(self, path: str, name: str, app: ASGIApp) -> None:
        """``path`` may end with ``/{secret}``, which the application checks."""
        self.path, self.name, self._app = path, name, app
        self._start, _, self._has_secret = path.partition("{")

    def fits(self, path: str) -> bool:
        if not self._has_secret:
            return path == self.path
        return path.startswith(self._start) and "/" not in path[len(self._start) :]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE] = self.name
        await self._app(scope, receive, send)


class Shortcut:
    """Leads POSTs of signals past the framework, which would take longer over them than all we do."""

    def __init__(self, app: ASGIApp, posts: Sequence[Post]) -> None:
        self._app = app
        self._posts = posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            for post in self._posts:
                if post.fits(scope["path"]):
                    await post(scope, receive, send)
                    return
        await self._app(scope, receive, send)


async def _nothing() -> None:
    """Nothing is wrong if this is answered."""


def _probed(request: Request, trouble: str | None) -> Response:
    if trouble is None:
        return PlainTextResponse("ok\n")
    request.scope[DETAIL] = trouble
    return PlainTextResponse("not now\n", 503)


def webhook_is_guarded(settings: Settings) -> bool:
    """Whether it was decided who may use the webhook; otherwise there is none."""
    return bool(settings.accounts_file or settings.gateway_path_secret or settings.gateway_open)


def webhook_path(settings: Settings) -> str:
    return "/trading-signal/webhook" + ("/{secret}" if settings.gateway_path_secret else "")


def _add_reading(app: FastAPI, v1: V1) -> None:
    @app.get("/v1/signals", name="order")
    async def order(request: Request, connector: _Name, clientOrderId: _Name) -> Response:  # noqa: N803
        return await v1.order(request, connector, clientOrderId)

    @app.get("/v1/signals/{signal_id}", name="signal")
    async def signal(request: Request, signal_id: str) -> Response:
        return await v1.signal(request, signal_id)

    @app.delete("/v1/signals/{signal_id}", name="drop")
    async def drop(request: Request, signal_id: str) -> Response:
        return await v1.drop(request, signal_id)

    @app.get("/v1/lanes/{connector:path}", name="lane")
    async def lane(request: Request, connector: str) -> Response:
        return await v1.lane(request, connector)


async def _problem(request: Request, error: Problem) -> Response:
    request.scope[DETAIL] = error.detail
    return as_json(error)


async def _http(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # Starlette knows the methods of the first route of a path only.
        routes = [one for one in request.app.routes if one.matches(request.scope)[0] is not Match.NONE]
        methods = [getattr(one, "methods", None) or ["GET"] for one in routes]
        headers["Allow"] = ", ".join(sorted({name for names in methods for name in names}))
    return await _problem(request, Problem(error.status_code, str(error.detail), headers=headers))


async def _failed(_: Request, __: Exception) -> Response:
    return as_json(MISTAKE)  # and the framework raises it again, to be logged around it


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return await _problem(request, Problem(422, f"{where}: {first['msg']}"))


_HANDLERS: dict[Any, Any] = {
    Problem: _problem,
    HTTPException: _http,
    RequestValidationError: _invalid,
    Exception: _failed,
}
