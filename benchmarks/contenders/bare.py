"""FastAPI routes that only read the JSON of a signal, for comparison with the gateway.

uvicorn benchmarks.contenders.bare:app --port PORT --no-access-log
"""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse

app = FastAPI()


class Order(BaseModel):
    """The fields of the page's first example."""

    connectorName: str  # noqa: N815 - as the page spells it
    connectorToken: str  # noqa: N815
    action: str
    fixed: str | None = None
    percent: str | None = None
    limit: str | None = None
    profit: str | None = None
    loss: str | None = None
    log: str | None = None
    clientOrderId: str | None = None  # noqa: N815


@app.post("/model")
async def model(signal: Order) -> PlainTextResponse:
    """As one writes it first."""
    return PlainTextResponse("ok" if signal.action else "empty")


@app.post("/lean")
async def lean(request: Request) -> PlainTextResponse:
    """As lean as FastAPI gets."""
    return PlainTextResponse("ok" if await request.json() else "empty")
