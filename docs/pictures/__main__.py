"""Takes pictures of the dashboards, drawn from real data with Grafana's own components: `make pictures`.

python -m docs.pictures --seconds 300
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from docs.pictures.collect import HOUSE, collect

HERE = Path(__file__).resolve().parent
DATA = HOUSE / ".run" / "pictures" / "data.json"
PAGE = HERE / "dist"
WIDTH = 1500
LARGEST = 400_000
"""Bytes of a picture: the repository keeps each version for ever."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="of traffic before the pictures are taken")
    parser.add_argument("--again", action="store_true", help="with the data of the last time")
    options = parser.parse_args()
    if not options.again:
        boards = collect(options.seconds)
        DATA.write_text(json.dumps(boards))
    _build()
    shutil.copy(DATA, PAGE / "data.json")
    with _served(PAGE) as address:
        _take(address, list(json.loads(DATA.read_text())))


def _build() -> None:
    """Raises CalledProcessError if npm fails; it has told why."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("pictures: npm is not installed; Node.js 20 or newer brings it")
    if not (HERE / "node_modules").exists():
        # Grafana names React 18 and 19 in turns, to no harm here.
        install = [npm, "install", "--legacy-peer-deps", "--no-package-lock", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=HERE, check=True)
    subprocess.run([npm, "run", "build", "--silent"], cwd=HERE, check=True)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nobody wants to know."""

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _take(address: str, names: list[str]) -> None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit(f"pictures: playwright is missing: {sys.executable} -m pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium wants no sandbox; it loads nothing but our own page.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        for name in names:
            page.goto(f"{address}/?board={name}")
            page.wait_for_selector("[data-drawn]", timeout=60_000)
            page.wait_for_timeout(1500)  # canvases are drawn a frame after they are mounted
            picture = HERE / f"{name}.png"
            page.locator("#board").screenshot(path=picture)
            _shrink(picture)
            print(f"{picture.relative_to(HOUSE)}: {picture.stat().st_size // 1000} kB")
        browser.close()
    if failures:
        sys.exit("pictures: the page failed: " + "; ".join(failures))


def _shrink(picture: Path) -> None:
    if tool := shutil.which("pngquant"):
        subprocess.run([tool, "--force", "--ext", ".png", "--speed", "1", "128", picture], check=True)
    if (size := picture.stat().st_size) > LARGEST:
        sys.exit(f"pictures: {picture.name} has {size} bytes, more than {LARGEST}; is pngquant installed?")


if __name__ == "__main__":
    main()
