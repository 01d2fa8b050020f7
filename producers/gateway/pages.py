"""``/docs``: the OpenAPI document for people, without a request to any other host."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_FILES = "/docs/files"


def add_docs(app: FastAPI, *, title: str) -> None:
    """Serve the page, and the files of Swagger UI beside it."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=title,
        oauth2_redirect_url=None,
        swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{_FILES}/swagger-ui.css",
        swagger_favicon_url=f"{_FILES}/favicon.png",
    )
    html = bytes(page.body)
    policy = {"Content-Security-Policy": _policy(html), "Referrer-Policy": "no-referrer"}

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(html, headers=policy)

    app.mount(_FILES, StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-files")


def _policy(html: bytes) -> str:
    """Only what this host serves, and the page's own scripts by their hashes. A key is typed in here."""
    scripts = re.findall(rb"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(one).digest()).decode() for one in scripts]
    allowed = " ".join(["'self'", *(f"'sha256-{one}'" for one in hashes)])
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
