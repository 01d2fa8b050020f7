"""That orders go out, with one worker and with three, once each, and that the books agree."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from urllib.parse import quote

from tests.compose.stack import Json, Stack, fetch_json
from tests.proof import NotSo, eventually, see

ENDS = ("accepted", "cancelled", "rejected", "expired", "unsent", "invalid", "unknown", "discarded")
DRAINED = 120
"""Seconds: longer than the traffic's longest delay, and a POST that hangs."""
WORKERS = 3


def prove_traffic(stack: Stack) -> None:
    eventually(lambda: stack.ledger()["totals"].get("accepted", 0) >= 50, 90, "50 signals are accepted")
    arrived = [one for one in receipts() if one["status"] == 200]
    accounts = {one["connector"] for one in arrived}
    see(
        len(arrived) >= 50 and all(one["answer"] == "ok" for one in arrived),
        f"made-up signals of {len(accounts)} accounts are posted to the paper endpoint, and accepted",
    )


def prove_scaling(stack: Stack) -> None:
    scale(stack, WORKERS)
    eventually(
        lambda: len(metric('up{job="worker"} == 1')) == WORKERS, 60, f"Prometheus sees {WORKERS} workers"
    )
    posting = 'sum by (instance) (signals_post_duration_seconds_count{job="worker"}) > 0'
    eventually(lambda: len(metric(posting)) == WORKERS, 90, f"{WORKERS} workers post")
    see(True, f"`--scale worker={WORKERS}`: Prometheus sees {WORKERS} workers, and each of them posts")
    scale(stack, 1)
    see(True, "`--scale worker=1` while signals flow")


def scale(stack: Stack, workers: int) -> None:
    stack.up("--no-recreate", "--scale", f"worker={workers}")
    running = [one for one in stack.containers("worker") if one["State"]["Running"]]
    if len(running) != workers:
        raise NotSo(f"{len(running)} workers run, not {workers}")


def metric(query: str) -> list[Json]:
    return list(fetch_json("prometheus", f"/api/v1/query?query={quote(query)}")["data"]["result"])


def prove_books(stack: Stack) -> None:
    """Held against each other when all is quiet: what arrived, and what the ledger says."""
    stack.compose("stop", "traffic")
    (traffic,) = stack.containers("traffic")
    see(traffic["State"]["ExitCode"] == 0, "the traffic ends when it is told to, with 0")
    eventually(lambda: quiet(stack), DRAINED, "all signals ended")
    totals, arrived = stack.ledger()["totals"], receipts()
    ended = sum(totals.get(name, 0) for name in ENDS)
    see(totals["admitted"] == ended, f"each of {ended} signals ended, in one way")
    ours, theirs = accepted_by_ledger(stack), Counter(map(kind, filter(answered_ok, arrived)))
    see(
        ours == theirs and ours.total() == totals["accepted"],
        f"the endpoint said ok to {theirs.total()} of them; the ledger holds the same as accepted",
    )
    refused = sum(one["status"] == 400 for one in arrived)
    see(refused == totals.get("rejected", 0), f"the endpoint refused {refused}; the ledger holds as many")
    unclear = [one for one in arrived if one["status"] is None]
    see(
        totals.get("unknown", 0) <= len(unclear),
        f"it left {len(unclear)} without an answer; the ledger calls {totals.get('unknown', 0)} unknown",
    )
    see(not doubled(arrived), "no order was placed twice but full exits whose answer was lost")


def quiet(stack: Stack) -> bool:
    status = stack.ledger()
    return not any(status[name] for name in ("waiting", "delayed", "leased"))


def receipts() -> list[Json]:
    """All that arrived at the paper endpoint."""
    found: list[Json] = []
    while True:
        page = fetch_json("paper", f"/receipts?limit=1000&since={len(found)}")["receipts"]
        found += page
        if not page:
            return found


def kind(receipt: Json) -> tuple[str, str]:
    action = receipt["action"]
    return receipt["connector"], "positionSync" if action == "sync" else action


def answered_ok(receipt: Json) -> bool:
    return bool(receipt["status"] == 200)


def accepted_by_ledger(stack: Stack) -> Counter[tuple[str, str]]:
    told = stack.inside(
        *("worker", "signal-worker", "tail", "--json", "--no-follow", "-n", "1000000"),
        *("--outcome", "accepted"),
    )
    lines = map(json.loads, told.splitlines())
    return Counter((one["connector"], one["action"]) for one in lines)


def doubled(arrived: list[Json]) -> list[str]:
    """Orders that the endpoint placed again although repeating them does harm, or their fate was known."""
    placed = [one for one in arrived if one["placed"] and one["clientOrderId"] and one["action"] != "cancel"]
    wrong, seen = [], dict[tuple[str, str], Json]()
    for one in placed:
        before = seen.get(key := (one["connector"], one["clientOrderId"]))
        if before is not None and (before["status"] is not None or one["body"].get("percent") != "100"):
            wrong.append(one["clientOrderId"])
        seen[key] = one
    return wrong


def prove_restart(stack: Stack) -> None:
    """The engine starts a worker again whose process is killed."""
    with suppress(NotSo):  # the command may end with the container
        stack.inside("worker", "python3", "-c", "import os; os.kill(-1, 9)")

    def is_back() -> bool:
        (worker,) = stack.containers("worker")
        return bool(worker["RestartCount"] and worker["State"]["Health"]["Status"] == "healthy")

    eventually(is_back, 90, "a killed worker is started again and gets healthy")
    see(True, "a worker whose process is killed is started again, and gets healthy")
