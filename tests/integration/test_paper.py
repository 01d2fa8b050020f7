"""The paper endpoint over real sockets: the good answer, and each bad one."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
import requests

from worker.errors import SettingsError
from worker.paper import Mischief, PaperServer

TOKEN = "11111111-2222-3333-4444-555555555555"
ORDER = {"connectorName": "acct 1", "connectorToken": TOKEN, "action": "openLong", "fixed": "1"}


@pytest.fixture(autouse=True)
def _no_handler_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A bug in a connection's thread reaches nobody but the log."""
    yield
    failures = [record for record in caplog.get_records("call") if record.name.startswith("worker.paper")]
    assert failures == []


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    with PaperServer(seed=1) as server:
        yield server


def post(paper: PaperServer, timeout: float = 5, **changes: Any) -> requests.Response:
    return requests.post(paper.webhook_url, json={**ORDER, **changes}, timeout=timeout, allow_redirects=False)


def request_bytes(body: bytes, announced: int | None = None) -> bytes:
    length = len(body) if announced is None else announced
    head = f"POST /trading-signal/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


def raw_connection(paper: PaperServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", paper.port), timeout=5)


class TestWellBehaved:
    def test_a_signal_is_answered_ok_and_recorded(self, paper: PaperServer) -> None:
        before = time.time()
        answer = post(paper, clientOrderId="x-1")
        assert (answer.status_code, answer.text) == (200, "ok")
        assert answer.headers["Content-Type"].startswith("text/plain")
        [receipt] = paper.receipts
        assert (receipt.number, receipt.connector, receipt.action) == (1, "acct 1", "openLong")
        assert receipt.client_order_id == "x-1"
        assert receipt.body == {**ORDER, "clientOrderId": "x-1"}
        assert (receipt.complete, receipt.placed, receipt.notes) == (True, True, ())
        assert (receipt.status, receipt.answer) == (200, "ok")
        assert receipt.answered_at is not None
        assert before <= receipt.received_at <= receipt.answered_at <= time.time()
        assert paper.book.account("acct 1").long == 1

    def test_kept_alive_connections_show(self, paper: PaperServer) -> None:
        with requests.Session() as session:
            for _ in range(3):
                assert session.post(paper.webhook_url, json=ORDER, timeout=5).text == "ok"
        post(paper)
        numbers = [receipt.connection for receipt in paper.receipts]
        assert numbers[0] == numbers[1] == numbers[2] != numbers[3]

    def test_pipelined_requests_are_answered_in_turn(self, paper: PaperServer) -> None:
        body = json.dumps(ORDER).encode()
        with closing(raw_connection(paper)) as connection:
            connection.sendall(request_bytes(body) * 3)
            paper.wait_for_receipts(3)
        assert paper.book.account("acct 1").long == 3

    def test_a_repeated_id_is_a_second_order(self, paper: PaperServer) -> None:
        for _ in range(2):
            post(paper, clientOrderId="x")
        account = paper.book.account("acct 1")
        assert (account.long, account.orders, account.doubled) == (Decimal(2), 2, 1)

    def test_a_delayed_order_takes_effect_later(self, paper: PaperServer) -> None:
        post(paper, delaySeconds=0.2)
        [receipt] = paper.receipts
        assert paper.wait_until(lambda: paper.book.account("acct 1").long == 1)
        assert time.time() >= receipt.received_at + 0.2

    @pytest.mark.parametrize(
        "body", [b"{", b"[]", b'{"connectorName": "a"}', b'{"connectorToken": "t", "action": "buy"}']
    )
    def test_bad_requests_are_refused(self, paper: PaperServer, body: bytes) -> None:
        answer = requests.post(paper.webhook_url, data=body, timeout=5)
        assert answer.status_code == 400
        assert len(answer.text.splitlines()) == 1
        [receipt] = paper.receipts
        assert (receipt.status, receipt.placed) == (400, False)

    def test_only_the_wrong_token_of_a_known_connector_is_refused(self) -> None:
        with PaperServer(tokens={"acct 1": TOKEN}) as paper:
            assert post(paper).status_code == 200
            assert post(paper, connectorName="unknown", connectorToken="any").status_code == 200
            answer = post(paper, connectorToken="wrong-token")
            assert answer.status_code == 401
            assert "wrong-token" not in answer.text
            assert paper.receipts[-1].placed is False

    def test_other_paths_and_methods(self, paper: PaperServer) -> None:
        assert requests.post(paper.url + "/elsewhere", json=ORDER, timeout=5).status_code == 404
        assert requests.get(paper.url + "/elsewhere", timeout=5).status_code == 404
        assert requests.delete(paper.url + "/elsewhere", timeout=5).status_code == 404
        assert requests.get(paper.webhook_url, timeout=5).status_code == 405
        assert requests.put(paper.webhook_url, timeout=5).status_code == 501
        assert paper.receipts == []

    def test_a_request_received_in_part_is_recorded(self, paper: PaperServer) -> None:
        with closing(raw_connection(paper)) as connection:
            connection.sendall(request_bytes(b'{"connectorName"', announced=200))
        [receipt] = paper.wait_for_receipts(1)
        assert (receipt.complete, receipt.placed, receipt.answered) == (False, False, False)
        assert receipt.raw == b'{"connectorName"'

    @pytest.mark.parametrize("length", ["", "x", "-1", "99999999", "99999999999999"])
    def test_a_body_of_unknown_or_absurd_length_is_refused(self, paper: PaperServer, length: str) -> None:
        with closing(raw_connection(paper)) as connection:
            head = f"POST /trading-signal/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 411 ")
        assert paper.receipts[0].complete is False

    def test_many_connections_at_once(self, paper: PaperServer) -> None:
        senders = [
            threading.Thread(target=post, args=(paper,), kwargs={"connectorName": f"a{n}"}) for n in range(50)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert [receipt.number for receipt in paper.receipts] == list(range(1, 51))
        assert len(paper.book.accounts) == 50


class TestMisbehaving:
    @pytest.mark.parametrize(("status", "placed"), [(400, False), (429, False), (500, True), (503, False)])
    def test_a_status(self, paper: PaperServer, status: int, placed: bool) -> None:
        paper.mischief = Mischief.from_text(f"{status}:first=1,retry_after=2,body=sorry")
        answer = post(paper)
        assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (status, "sorry", "2")
        assert post(paper).status_code == 200
        first, second = paper.receipts
        assert (first.status, first.placed, second.mischief) == (status, placed, None)
        assert first.mischief is not None
        assert paper.book.account("acct 1").orders == 1 + placed

    def test_a_status_that_http_does_not_know(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("599")
        assert post(paper).status_code == 599

    def test_a_hang_outlasts_the_sender(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("hang")
        with pytest.raises(requests.ReadTimeout):
            post(paper, timeout=0.2)
        [receipt] = paper.receipts
        assert (receipt.placed, receipt.answered, receipt.status) == (True, False, None)

    def test_a_hang_ends_with_a_close(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("hang:seconds=0.05,place=false")
        with pytest.raises(requests.ConnectionError):
            post(paper)
        assert paper.receipts[0].placed is False

    def test_stop_does_not_wait_for_a_hang(self) -> None:
        # given a request that hangs for long
        paper = PaperServer(mischief=Mischief.from_text("hang:seconds=600"))
        paper.start()
        with closing(raw_connection(paper)) as connection:
            connection.sendall(request_bytes(json.dumps(ORDER).encode()))
            paper.wait_for_receipts(1)
            # when the server stops
            started = time.monotonic()
            paper.stop()
            # then at once, and the sender is told nothing
            assert time.monotonic() - started < 30
            assert connection.recv(100) == b""

    @pytest.mark.parametrize("rule", ["reset", "reset_early:connector=acct 1"])
    def test_a_reset_after_the_body(self, paper: PaperServer, rule: str) -> None:
        paper.mischief = Mischief.from_text(rule)
        with closing(raw_connection(paper)) as connection:
            connection.sendall(request_bytes(json.dumps(ORDER).encode()))
            with pytest.raises(ConnectionResetError):
                connection.recv(100)
        [receipt] = paper.receipts
        whole = rule == "reset"
        assert (receipt.complete, receipt.placed, receipt.answered) == (whole, whole, False)

    def test_a_reset_before_the_body(self, paper: PaperServer) -> None:
        # given a rule that needs no body
        paper.mischief = Mischief.from_text("reset_early")
        with closing(raw_connection(paper)) as connection:
            # when only the headers are sent
            connection.sendall(request_bytes(b"", announced=200))
            # then the connection is cut off already
            with pytest.raises(ConnectionResetError):
                connection.recv(100)
        [receipt] = paper.receipts
        assert (receipt.complete, receipt.placed, receipt.raw) == (False, False, b"")

    def test_a_drip_beats_a_timeout_per_read(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("drip:every=0.004")
        answer = post(paper, timeout=0.2)
        assert answer.text == "ok"
        [receipt] = paper.receipts
        assert receipt.answered_mono is not None
        assert receipt.answered_mono - receipt.received_mono > 0.2
        assert receipt.placed

    def test_a_drip_stops_with_the_server(self) -> None:
        paper = PaperServer(mischief=Mischief.from_text("drip:every=60"))
        paper.start()
        with closing(raw_connection(paper)) as connection:
            connection.sendall(request_bytes(json.dumps(ORDER).encode()))
            [receipt] = paper.wait_for_receipts(1)
            paper.stop()
            assert connection.recv(100) == b""
        assert receipt.answered is False

    @pytest.mark.parametrize("size", [1, 2, 3, 1_000_000])
    def test_a_huge_body_begins_like_a_good_one(self, paper: PaperServer, size: int) -> None:
        paper.mischief = Mischief.from_text(f"huge:size={size}")
        answer = post(paper)
        assert len(answer.content) == size
        assert paper.receipts[0].answered

    def test_a_sender_that_leaves_a_huge_body_was_not_answered(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("huge:size=100000000")
        with requests.post(paper.webhook_url, json=ORDER, timeout=5, stream=True) as answer:
            assert answer.status_code == 200
        [receipt] = paper.receipts
        assert (receipt.answered, receipt.placed) == (False, True)

    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_a_redirect_is_not_an_order(self, paper: PaperServer, status: int) -> None:
        paper.mischief = Mischief.from_text(f"redirect:status={status},first=1")
        answer = post(paper)
        assert (answer.status_code, answer.is_redirect) == (status, True)
        assert paper.book.account("acct 1").orders == 0

    def test_a_redirect_that_is_followed_shows(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("redirect:status=307,first=1")
        assert requests.post(paper.webhook_url, json=ORDER, timeout=5).text == "ok"
        assert [receipt.status for receipt in paper.receipts] == [307, 200]
        paper.mischief = Mischief.from_text("redirect:first=1")
        assert requests.post(paper.webhook_url, json=ORDER, timeout=5).status_code == 405

    def test_another_body(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("body:body=accepted")
        answer = post(paper)
        assert (answer.status_code, answer.text) == (200, "accepted")
        assert paper.receipts[0].placed

    def test_a_close_comes_after_a_good_answer_and_unannounced(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("close")
        with closing(http.client.HTTPConnection("127.0.0.1", paper.port, timeout=5)) as client:
            client.request("POST", "/trading-signal/webhook", json.dumps(ORDER))
            answer = client.getresponse()
            assert (answer.read(), answer.getheader("Connection")) == (b"ok", None)
            assert client.sock.recv(1) == b""

    def test_latency(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("latency:min=0.1,max=0.2")
        started = time.monotonic()
        assert post(paper).text == "ok"
        assert time.monotonic() - started >= 0.1
        [receipt] = paper.receipts
        assert receipt.answered_mono is not None
        assert receipt.answered_mono - receipt.received_mono >= 0.1

    def test_latency_of_the_whole_server(self) -> None:
        with PaperServer(latency=(0.05, 0.1)) as paper:
            started = time.monotonic()
            post(paper)
            assert time.monotonic() - started >= 0.05


class TestPages:
    def test_overview_as_json(self, paper: PaperServer) -> None:
        post(paper)
        seen = requests.get(paper.url, timeout=5).json()
        assert seen["receipts"] == 1
        [account] = seen["connectors"]
        assert (account["name"], account["position"]["long"], account["receipts"]) == ("acct 1", "1", 1)

    def test_overview_as_html_escapes_what_came_in(self, paper: PaperServer) -> None:
        post(paper, connectorName="<script>alert(1)</script>", log=TOKEN, clientOrderId=f"id-{TOKEN}")
        answer = requests.get(paper.url, headers={"Accept": "text/html"}, timeout=5)
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "<script>" not in answer.text
        assert "&lt;script&gt;" in answer.text
        assert "http-equiv" in answer.text
        assert "$" not in answer.text
        assert TOKEN not in answer.text

    def test_receipts_in_pages(self, paper: PaperServer) -> None:
        for n in range(5):
            post(paper, connectorName="even" if n % 2 == 0 else "odd")
        page = requests.get(paper.url + "/receipts?since=1&limit=2", timeout=5).json()
        assert [receipt["number"] for receipt in page["receipts"]] == [2, 3]
        assert (page["next"], page["total"]) == (3, 5)
        odd = requests.get(paper.url + "/receipts?connector=odd", timeout=5).json()
        assert [receipt["number"] for receipt in odd["receipts"]] == [2, 4]
        assert requests.get(paper.url + "/receipts?limit=-1", timeout=5).status_code == 400

    def test_one_connector(self, paper: PaperServer) -> None:
        post(paper, limit="10", clientOrderId="x")
        seen = requests.get(paper.url + "/connectors/acct%201", timeout=5).json()
        assert [order["clientOrderId"] for order in seen["openOrders"]] == ["x"]
        assert len(seen["history"]) == 1
        assert requests.get(paper.url + "/connectors/nobody", timeout=5).status_code == 404

    def test_no_page_shows_a_token(self, paper: PaperServer) -> None:
        post(paper, log=f"by mistake {TOKEN}", authorization=TOKEN, clientOrderId=f"id-{TOKEN}")
        requests.post(paper.webhook_url, json=ORDER, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5)
        requests.post(paper.webhook_url, data=json.dumps(ORDER)[:-1], timeout=5)
        for path in ("/", "/receipts", "/connectors/acct%201", "/mischief"):
            assert TOKEN not in requests.get(paper.url + path, timeout=5).text

    def test_health(self, paper: PaperServer) -> None:
        assert requests.get(paper.url + "/healthz", timeout=5).text == "ok"

    def test_rules_can_be_replaced_at_run_time(self, paper: PaperServer) -> None:
        rules = {"rules": [{"effect": "503", "connector": "acct*", "first": 1}]}
        answer = requests.post(paper.url + "/mischief", json=rules, timeout=5)
        assert answer.status_code == 200
        assert answer.json() == requests.get(paper.url + "/mischief", timeout=5).json()
        assert [post(paper).status_code for _ in range(2)] == [503, 200]

    @pytest.mark.parametrize("body", ["", "{", "[{}]", '["hang:nth=x"]', "{}"])
    def test_bad_rules_change_nothing(self, paper: PaperServer, body: str) -> None:
        paper.mischief = Mischief.from_text("503")
        answer = requests.post(paper.url + "/mischief", data=body, timeout=5)
        assert answer.status_code == 400
        assert len(answer.text.splitlines()) == 1
        assert paper.mischief == Mischief.from_text("503")

    def test_reset_forgets_all_but_the_rules(self, paper: PaperServer) -> None:
        paper.mischief = Mischief.from_text("503:first=1")
        assert [post(paper).status_code for _ in range(2)] == [503, 200]
        assert requests.delete(paper.url + "/receipts", timeout=5).text == "ok"
        assert (paper.receipts, paper.book.accounts) == ([], {})
        assert [post(paper).status_code for _ in range(2)] == [503, 200]
        assert paper.receipts[0].number == 1


class TestLife:
    def test_it_serves_until_stopped(self) -> None:
        paper = PaperServer()
        serving = threading.Thread(target=paper.serve_forever)
        serving.start()
        assert requests.get(paper.url + "/healthz", timeout=5).text == "ok"
        paper.stop()
        serving.join(5)
        assert not serving.is_alive()
        with pytest.raises(requests.ConnectionError):
            requests.get(paper.url + "/healthz", timeout=5)

    def test_stop_ends_idle_connections_and_frees_the_port(self) -> None:
        with PaperServer() as paper:
            connection = raw_connection(paper)
            requests.get(paper.url + "/healthz", timeout=5)
        with closing(connection):
            assert connection.recv(1) == b""
        with PaperServer(port=paper.port) as again:
            assert post(again).text == "ok"

    def test_a_server_never_started_can_be_stopped(self) -> None:
        paper = PaperServer()
        paper.stop()
        paper.stop()

    def test_a_port_in_use_is_one_line_of_error(self, paper: PaperServer) -> None:
        with pytest.raises(SettingsError, match="cannot listen on"):
            PaperServer(port=paper.port)
        with pytest.raises(SettingsError, match="cannot listen on"):
            PaperServer(port=99999)

    def test_a_latency_the_wrong_way_round_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="latency"):
            PaperServer(latency=(2, 1))

    def test_it_can_listen_everywhere(self) -> None:
        with PaperServer(host="0.0.0.0") as paper:
            assert paper.url.startswith("http://127.0.0.1:")
            assert post(paper).text == "ok"

    def test_waiting_for_receipts_gives_up(self, paper: PaperServer) -> None:
        with pytest.raises(TimeoutError, match="0 of 1"):
            paper.wait_for_receipts(1, timeout=0.05)
