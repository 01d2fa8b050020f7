"""The OpenAPI document, by hand: routes read requests themselves, so no framework knows what they take."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from worker.contract import json_schema

_SIGNAL = {
    "connectorName": "BTC Trend",
    "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
    "action": "openLong",
    "percent": "25",
    "clientOrderId": "long-2026-11-22-1",
}
_RECEIPT = {
    "index": 0,
    "status": "accepted",
    "id": "0b3d5f0a6c2e4d7f9a1b3c5d7e9f0a1b",
    "connector": "BTC Trend",
    "error": None,
    "first_id": None,
    "state": None,
    "warnings": [],
    "due_in": 0.0,
    "ok": True,
}
_TEXT = {"type": "string"}
_KEY = {"type": "string", "pattern": "^[!-~]([ -~]{0,248}[!-~])?$"}
_NULLABLE = {"type": ["string", "null"]}
_COUNT = {"type": ["integer", "null"]}
_TIME = {"type": ["string", "null"], "format": "date-time"}


def document(*, webhook: str | None, secret: bool, accounts: bool) -> dict[str, Any]:
    """``webhook``: the path of that route, if there is one; ``secret``: its last part is a secret;
    ``accounts``: tokens and groups are known, so that signals need none and may be for a group."""
    paths: dict[str, Any] = {
        "/v1/signals": {"post": _send(), "get": _order()},
        "/v1/signals/{signal_id}": {"get": _find(), "delete": _drop()},
        "/v1/lanes/{connector}": {"get": _lane()},
    }
    if webhook is not None:
        paths = {webhook: {"post": _webhook(secret=secret)}, **paths}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Signal Dispatch gateway",
            "version": version("signal-dispatch"),
            "description": "Puts trading signals on the queue. The schemas tell every field and rule.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(accounts=accounts),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _webhook(*, secret: bool) -> dict[str, Any]:
    parameters = [_header("Idempotency-Key", "Your own name for the message: sent twice, posted once.", _KEY)]
    if secret:
        parameters.append(_path("secret", "SIGNALS_GATEWAY_PATH_SECRET"))
    return {
        "operationId": "webhook",
        "summary": "Send one signal as to the endpoint of Crypto Arsenal",
        "description": "Takes JSON or form fields, whatever the content type says, and answers `ok`.",
        "parameters": parameters,
        "requestBody": _body(_ref("Addressed"), _SIGNAL),
        "responses": {
            "200": {
                "description": "Taken now or known already",
                "content": {
                    "text/plain": {"schema": {"const": "ok"}},
                    "application/json": {"schema": _ref("Receipts"), "example": {"receipts": [_RECEIPT]}},
                },
            },
            "207": {
                "description": "Taken for some members of the group",
                "content": {
                    "text/plain": {"schema": _TEXT},
                    "application/json": {"schema": _ref("Receipts")},
                },
            },
            **_problems(400, 401, 403, 404, 408, 409, 413, 429, 503, text=True),
        },
    }


def _send() -> dict[str, Any]:
    seconds = {"type": "number", "exclusiveMinimum": 0, "maximum": 604_800}
    return {
        "operationId": "send",
        "summary": "Send signals",
        "description": "One signal, an array of up to 500, or JSON lines. They are taken in their order. A"
        " signal for a `group` gives a receipt for each member.",
        "security": [{"key": []}],
        "parameters": [
            _header(
                "Idempotency-Key",
                "Your own name for the request: sent twice, posted once. With another request it is refused.",
                _KEY,
            ),
            _header("X-Signature", "`t=<unix time>,v1=<hex HMAC-SHA256>`, if the key has a secret."),
            _query("max_age", "Seconds after its due time that a signal may still be posted.", seconds),
            _query("dedup_window", "Seconds that ids and keys are remembered.", seconds),
        ],
        "requestBody": _body(
            {
                "anyOf": [
                    _ref("Addressed"),
                    {"type": "array", "items": _ref("Addressed"), "minItems": 1, "maxItems": 500},
                ]
            },
            [_SIGNAL],
        ),
        "responses": {
            "200": {
                **_json("All taken now or known already", _ref("Receipts"), {"receipts": [_RECEIPT]}),
                "links": {name: _by_id(name) for name in ("find", "drop")},
            },
            "207": _json("Not all: each receipt tells", _ref("Receipts")),
            **_problems(400, 401, 403, 408, 409, 413, 422, 429, 503, 504),
        },
    }


def _by_id(operation: str) -> dict[str, Any]:
    return {"operationId": operation, "parameters": {"signal_id": "$response.body#/receipts/0/id"}}


def _find() -> dict[str, Any]:
    return {
        "operationId": "find",
        "summary": "Where a signal is, or how it ended",
        "security": [{"key": []}],
        "parameters": [_path("signal_id", "As its receipt says")],
        "responses": {"200": _json("Found", _ref("SignalState")), **_problems(400, 401, 404, 429, 503)},
    }


def _order() -> dict[str, Any]:
    name = {"type": "string", "minLength": 1, "maxLength": 128}
    return {
        "operationId": "findOrder",
        "summary": "The signal that a clientOrderId belongs to",
        "security": [{"key": []}],
        "parameters": [
            {"name": "connector", "in": "query", "required": True, "schema": name},
            {"name": "clientOrderId", "in": "query", "required": True, "schema": name},
        ],
        "responses": {"200": _json("Found", _ref("SignalState")), **_problems(400, 401, 404, 422, 429, 503)},
    }


def _drop() -> dict[str, Any]:
    return {
        "operationId": "drop",
        "summary": "Call a waiting signal off",
        "security": [{"key": []}],
        "parameters": [_path("signal_id", "As its receipt says")],
        "responses": {
            "200": _json("It waited, and is cancelled now", _ref("SignalState")),
            **_problems(400, 401, 404, 409, 429, 503),
        },
    }


def _lane() -> dict[str, Any]:
    return {
        "operationId": "lane",
        "summary": "What waits of one connector",
        "security": [{"key": []}],
        "parameters": [_path("connector", "Its connectorName")],
        "responses": {"200": _json("It may be idle", _ref("Lane")), **_problems(400, 401, 404, 429, 503)},
    }


def _schemas(*, accounts: bool) -> dict[str, Any]:
    contract: Any = json_schema()
    shapes = {name: _relocated(shape) for name, shape in contract["$defs"].items()}
    signals = ("OrderSignal", "PositionSyncSignal")
    choices = [_ref(name) for name in signals]
    if accounts:
        choices += [_for_group(shapes[name]) for name in signals]
    else:
        for name in signals:
            _require_token(shapes[name])
    return {
        **shapes,
        "Addressed": {
            "description": "A signal. With an accounts file `group` may stand in place of `connectorName`.",
            "anyOf": choices,
        },
        "Receipts": _object({"receipts": {"type": "array", "items": _ref("Receipt")}}),
        "Receipt": _object(
            {
                "index": {"type": "integer", "description": "Which signal of the request"},
                "status": {"enum": ["accepted", "duplicate", "conflict", "full", "invalid"]},
                "ok": {"type": "boolean"},
                "id": _NULLABLE,
                "connector": _NULLABLE,
                "error": _NULLABLE,
                "first_id": _NULLABLE,
                "state": _NULLABLE,
                "warnings": {"type": "array", "items": _TEXT},
                "due_in": {"type": "number"},
            }
        ),
        "SignalState": _object(
            {
                "id": _TEXT,
                "connector": _TEXT,
                "action": _TEXT,
                "class": _TEXT,
                "state": _TEXT,
                "attempts": _COUNT,
                "unknowns": _COUNT,
                "admitted": _TIME,
                "due": _TIME,
                "expires": _TIME,
                "ended": _TIME,
                "outcome": _TEXT,
                "why": _TEXT,
                "order_id": _TEXT,
                "history": {"type": "array", "items": _ref("Attempt")},
                "in_doubt": {"type": "boolean"},
            },
            required=["id", "state", "in_doubt"],
        ),
        "Attempt": _object(
            {"attempt": _COUNT, "at": _TIME, "ms": _COUNT, "verdict": _TEXT, "why": _TEXT},
        ),
        "Lane": _object(
            {
                "connector": _TEXT,
                "waiting": {"type": "integer"},
                "delayed": {"type": "integer"},
                "state": _TEXT,
                "until": _TIME,
                "due": _TIME,
                "head": _TEXT,
                "action": _TEXT,
                "attempts": _COUNT,
            },
            required=["connector", "waiting", "delayed", "state"],
        ),
        "Problem": {
            **_object(
                {
                    "type": _TEXT,
                    "title": _TEXT,
                    "status": {"type": "integer"},
                    "detail": _TEXT,
                }
            ),
            "additionalProperties": True,
        },
    }


def _require_token(shape: Any) -> None:
    token = shape["properties"]["connectorToken"]
    token["anyOf"] = [one for one in token["anyOf"] if one != {"type": "null"}]
    token.pop("default", None)
    shape["required"].append("connectorToken")


def _for_group(shape: Any) -> dict[str, Any]:
    """The same shape with `group` for `connectorName`."""
    properties = {name: field for name, field in shape["properties"].items() if name != "connectorName"}
    group = {"type": "string", "minLength": 1, "maxLength": 128}
    required = ["group", *(name for name in shape["required"] if name != "connectorName")]
    return {**shape, "properties": {"group": group, **properties}, "required": required}


def _relocated(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: part.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _relocated(part)
            for name, part in value.items()
        }
    return [_relocated(part) for part in value] if isinstance(value, list) else value


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _json(description: str, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": description, "content": {"application/json": content}}


_WHEN = {
    400: "Not to be read",
    401: "Not authorized",
    403: "Not allowed",
    404: "Not found, or not for you to see",
    408: "The body came too slowly",
    409: "The id belongs to a different signal, or it is too late",
    413: "Too large",
    422: "Breaks the contract",
    429: "Too many",
    503: "Nothing was taken; try again",
    504: "Not known whether it was taken; repeating is safe with the same ids",
}


def _problems(*statuses: int, text: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/problem+json": {"schema": _ref("Problem")}}
    if text:
        content["text/plain"] = {"schema": _TEXT}
    return {str(status): {"description": _WHEN[status], "content": content} for status in statuses}


def _header(name: str, description: str, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _path(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}
