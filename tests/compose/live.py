"""The profile for real accounts, with the paper endpoint in place of the real one."""

from __future__ import annotations

import json

import yaml

from tests.compose.stack import LIVE, Stack, fetch
from tests.compose.watching import jobs
from tests.compose.working import receipts
from tests.proof import NotSo, eventually, see

TOKEN = "00000000-0000-4000-8000-000000000002"
ACCOUNTS = [{"name": "alpha", "token": TOKEN, "market": "futures"}]
HOOK = "/trading-signal/webhook"
PROFILE = ("--profile", "live")
ORDER = {"connectorName": "alpha", "action": "closeLong"}


def prove(stack: Stack) -> None:
    """On the data of the demo, and as docs/compose.md tells to."""
    _require_paper(stack)
    write_accounts(stack, ACCOUNTS)
    stack.up(*LIVE, "paper", "prometheus")
    fetch("paper", "/mischief", {"rules": []})  # each order counts here
    eventually(lambda: jobs() == ["gateway", "worker"], 60, "Prometheus sees worker-live and gateway-live")
    told = stack.inside("worker-live", "signal-worker", "check", "--json")
    looks = [json.loads(line) for line in told.splitlines()]
    see(
        looks and all(one["level"] != "bad" for one in looks),
        f"profile live: up, watched, and signal-worker check finds nothing bad in {len(looks)} looks",
    )
    see(not stack.ledger("worker-live")["totals"].get("admitted"), "it knows none of the demo's signals")
    wrong, _ = fetch("gateway", HOOK, ORDER | {"connectorToken": TOKEN[::-1]})
    right, _ = fetch("gateway", HOOK, ORDER | {"connectorToken": TOKEN})
    see(
        (wrong, right) == (403, 200),
        f"its gateway refuses another token with {wrong}, and takes the account's",
    )
    eventually(lambda: stack.ledger("worker-live")["totals"].get("accepted") == 1, 30, "it is accepted")
    see(answered() == [("alpha", 200)], "it is posted once, and nothing of the demo is")
    _prove_change(stack)


def _prove_change(stack: Stack) -> None:
    write_accounts(stack, [*ACCOUNTS, {"name": "beta", "token": TOKEN}])
    stack.compose(*PROFILE, "restart", *LIVE)
    order = ORDER | {"connectorName": "beta", "connectorToken": TOKEN}
    eventually(lambda: fetch("gateway", HOOK, order)[0] == 200, 60, "an order for the new account is taken")
    eventually(lambda: ("beta", 200) in answered(), 60, "the new account's order is posted")
    see(True, "an account that is added is known after a restart, and its order posted")


def write_accounts(stack: Stack, accounts: list[dict[str, str]]) -> None:
    """As editors do: the new file takes the old one's place."""
    new = stack.secrets / "accounts.yaml.new"
    new.write_text(yaml.safe_dump({"accounts": accounts}))
    new.chmod(0o644)
    new.replace(stack.secrets / "accounts.yaml")


def answered() -> list[tuple[str, int]]:
    return [(one["connector"], one["status"]) for one in receipts()]


def _require_paper(stack: Stack) -> None:
    """Nothing of this proof may reach the real endpoint."""
    told = json.loads(stack.compose(*PROFILE, "config", "--format", "json"))
    if not told["services"]["worker-live"]["environment"]["SIGNALS_ENDPOINT_URL"].startswith("http://paper:"):
        raise NotSo("worker-live would post to the real endpoint")
