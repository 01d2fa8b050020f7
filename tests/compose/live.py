"""The profile for real accounts, with the paper endpoint in place of the real one."""

from __future__ import annotations

import json

import yaml

from tests.compose.stack import LIVE, Stack, fetch
from tests.compose.watching import jobs
from tests.compose.working import receipts
from tests.proof import NotSo, eventually, see

TOKEN = "00000000-0000-4000-8000-000000000002"
ACCOUNTS = {"accounts": [{"name": "alpha", "token": TOKEN, "market": "futures"}]}
ORDER = {"connectorName": "alpha", "action": "closeLong"}


def prove(stack: Stack) -> None:
    """On the data of the demo, and as docs/compose.md tells to."""
    _require_paper(stack)
    (stack.secrets / "accounts.yaml").write_text(yaml.safe_dump(ACCOUNTS))
    stack.up(*LIVE, "paper", "prometheus")
    eventually(lambda: jobs() == ["gateway", "worker"], 60, "Prometheus sees worker-live and gateway-live")
    looks = list(
        map(json.loads, stack.inside("worker-live", "signal-worker", "check", "--json").splitlines())
    )
    see(
        looks and all(one["level"] != "bad" for one in looks),
        f"profile live: up, watched, and signal-worker check finds nothing bad in {len(looks)} looks",
    )
    see(not stack.ledger("worker-live")["totals"].get("admitted"), "it knows none of the demo's signals")
    hook = "/trading-signal/webhook"
    wrong, _ = fetch("gateway", hook, ORDER | {"connectorToken": TOKEN[::-1]})
    right, _ = fetch("gateway", hook, ORDER | {"connectorToken": TOKEN})
    see(
        (wrong, right) == (403, 200),
        f"its gateway refuses another token with {wrong}, and takes the account's",
    )
    eventually(lambda: stack.ledger("worker-live")["totals"].get("accepted") == 1, 30, "it is accepted")
    found = [(one["connector"], one["action"], one["status"]) for one in receipts()]
    see(found == [("alpha", "closeLong", 200)], "it is posted once, and nothing of the demo is")


def _require_paper(stack: Stack) -> None:
    """Nothing of this proof may reach the real endpoint."""
    told = json.loads(stack.compose("--profile", "live", "config", "--format", "json"))
    if not told["services"]["worker-live"]["environment"]["SIGNALS_ENDPOINT_URL"].startswith("http://paper:"):
        raise NotSo("worker-live would post to the real endpoint")
