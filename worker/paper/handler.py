"""The webhook itself: reads a POST, lets the desk decide, and answers well or as a rule says."""

from __future__ import annotations

from collections.abc import Callable

from worker.paper import wire
from worker.paper.console import MAX_BODY, Console
from worker.paper.desk import Verdict
from worker.paper.mischief import Rule

WEBHOOK_PATH = "/trading-signal/webhook"
_KEPT_HEADERS = (
    "Host",
    "User-Agent",
    "Content-Type",
    "Content-Length",
    "Connection",
    "Accept",
    "X-Request-Id",
    "Idempotency-Key",
    "Traceparent",
)
_OK = wire.encode(200, b"ok")


class Handler(Console):
    """Answers one connection's requests, kept alive.

    A receipt is marked answered just before the last byte goes out: were it just after, a quick
    sender's next request could be recorded first, and look as if two had been under way at once.
    """

    def post(self, path: str) -> None:
        """The webhook, or a page's POST."""
        if path == WEBHOOK_PATH:
            self._webhook()
        else:
            super().post(path)

    def get(self, path: str, query: str) -> None:
        """A page; a redirect that was followed ends here too, as a GET on the webhook."""
        if path == WEBHOOK_PATH:
            self.answer(405, b"POST only\n", {"Allow": "POST"})
        else:
            super().get(path, query)

    def _webhook(self) -> None:
        desk, connection = self.server.desk, self.server.number_of(self.connection)
        headers = {name: self.headers[name] for name in _KEPT_HEADERS if name in self.headers}
        early = desk.before_body()
        if early is not None:
            desk.record_half(b"", headers, connection, str(early))
            self._reset()
            return
        length = self.body_length()
        raw = self.receive(length or 0)
        if length is None:
            self.close_connection = True
            text = f"a Content-Length of at most {MAX_BODY} is needed"
            desk.finish(desk.record_half(raw, headers, connection), 411, text)
            self.answer(411, text.encode())
        elif len(raw) < length:
            self.close_connection = True
            desk.record_half(raw, headers, connection)
        else:
            self._carry_out(desk.take(raw, headers, connection))

    def _carry_out(self, verdict: Verdict) -> None:
        latency, rule = verdict.choice.latency, verdict.choice.rule
        if latency > 0 and self.server.stopping.wait(latency):
            self.close_connection = True
            return
        try:
            if rule is None:
                self._well(verdict)
            else:
                _EFFECTS[rule.effect](self, verdict, rule)
        except OSError:
            self.close_connection = True
            self.server.desk.unfinish(verdict.receipt)  # the sender left before its answer

    def _well(self, verdict: Verdict) -> None:
        self.server.desk.finish(verdict.receipt, verdict.status, verdict.text)
        if verdict.status == 200 and not self.close_connection:
            self.connection.sendall(_OK)
        else:
            self.answer(verdict.status, verdict.text.encode("utf-8", "replace"))

    def _instead(self, verdict: Verdict, status: int, text: str, headers: dict[str, str]) -> None:
        self.server.desk.finish(verdict.receipt, status, text)
        self.answer(status, text.encode("utf-8", "replace"), headers)

    def _status(self, verdict: Verdict, rule: Rule) -> None:
        text = rule.body if rule.body is not None else f"paper mischief: {rule.status}"
        headers = {} if rule.retry_after is None else {"Retry-After": rule.retry_after}
        self._instead(verdict, rule.status, text, headers)

    def _redirect(self, verdict: Verdict, rule: Rule) -> None:
        self._instead(verdict, rule.status, "", {"Location": rule.location or f"{WEBHOOK_PATH}?redirected"})

    def _other_body(self, verdict: Verdict, rule: Rule) -> None:
        self._instead(verdict, 200, '{"status": "ok"}' if rule.body is None else rule.body, {})

    def _hang(self, _verdict: Verdict, rule: Rule) -> None:
        self.server.stopping.wait(rule.seconds)
        self.close_connection = True

    def _reset_after_reading(self, _verdict: Verdict, _rule: Rule) -> None:
        self._reset()

    def _drip(self, verdict: Verdict, rule: Rule) -> None:
        payload = wire.encode(verdict.status, verdict.text.encode("utf-8", "replace"))
        if not wire.drip(self.connection, payload[:-1], rule.every, self.server.stopping):
            self.close_connection = True
            return
        self.server.desk.finish(verdict.receipt, verdict.status, verdict.text)
        self.connection.sendall(payload[-1:])

    def _huge(self, verdict: Verdict, rule: Rule) -> None:
        wire.flood(self.connection, rule.size - 1, announced=rule.size)
        self.server.desk.finish(verdict.receipt, 200, f"{rule.size} bytes")
        self.connection.sendall(b" ")

    def _close(self, verdict: Verdict, _rule: Rule) -> None:
        self._well(verdict)
        # Not announced by a header: the sender finds out only by looking at its idle connection.
        self.close_connection = True

    def _reset(self) -> None:
        self.close_connection = True
        self.rfile.close()  # it shares the descriptor, which must be gone for RST to be sent
        wire.reset(self.connection)


_EFFECTS: dict[str, Callable[[Handler, Verdict, Rule], None]] = {
    "status": Handler._status,
    "hang": Handler._hang,
    "reset": Handler._reset_after_reading,
    "reset_early": Handler._reset_after_reading,
    "drip": Handler._drip,
    "huge": Handler._huge,
    "redirect": Handler._redirect,
    "body": Handler._other_body,
    "close": Handler._close,
}
