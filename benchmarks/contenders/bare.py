"""FastAPI routes that only read the JSON of a signal, for comparison with the gateway.

uvicorn benchmarks.contenders.bare:app --port PORT --no-access-log
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

app = FastAPI()


@app.post("/body")
async def body(signal: dict[str, Any]) -> PlainTextResponse:
    """As one writes it first."""
    return PlainTextResponse("ok" if signal else "empty")


@app.post("/lean")
async def lean(request: Request) -> PlainTextResponse:
    """As lean as FastAPI gets."""
    return PlainTextResponse("ok" if await request.json() else "empty")
