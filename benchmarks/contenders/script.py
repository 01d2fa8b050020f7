"""Bare scripts: no queue, no guard. They post what standard input tells: ``first count`` per line.

    python -m benchmarks.contenders.script post|session|ceiling URL

``post`` is ``requests.post``; ``session`` keeps a Session; ``ceiling`` sends copies of one prepared request
through a Session that ignores the environment, which is all that can be had from requests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import requests

from benchmarks.signals import fan_out


def ceiling(url: str) -> Callable[[dict[str, str]], requests.Response]:
    session = requests.Session()
    session.trust_env = False
    template = requests.Request("POST", url, headers={"Content-Type": "application/json"}).prepare()

    def post(message: dict[str, str]) -> requests.Response:
        prepared = template.copy()
        prepared.body = json.dumps(message).encode()
        prepared.headers["Content-Length"] = str(len(prepared.body))
        return session.send(prepared, timeout=10)

    return post


def main() -> None:
    kind, url = sys.argv[1:]
    session = requests.Session()
    posts: dict[str, Callable[[dict[str, str]], requests.Response]] = {
        "post": lambda message: requests.post(url, json=message, timeout=10),
        "session": lambda message: session.post(url, json=message, timeout=10),
        "ceiling": ceiling(url),
    }
    for line in sys.stdin:
        first, count = map(int, line.split())
        for number in range(first, first + count):
            posts[kind](fan_out(number)).raise_for_status()


if __name__ == "__main__":
    main()
