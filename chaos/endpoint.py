"""The paper endpoint in the worst of moods. It can go down and come back at the same address."""

from __future__ import annotations

from chaos.traffic import connectors, token_of
from worker.paper import Mischief, PaperServer
from worker.paper.receipts import Receipt

MOOD = (
    "latency:min=0.02,max=0.15",
    "latency:min=0.2,max=0.6,p=0.02",
    "503:p=0.03",
    "429:retry_after=0,p=0.01",
    "429:retry_after=1,p=0.005",
    "425:p=0.005",
    "400:p=0.01",
    "404:p=0.003",
    "408:p=0.003",
    "500:p=0.004",
    "502:place=false,p=0.003",
    "redirect:p=0.004",
    "body:p=0.003",
    "hang:seconds=2,p=0.003",
    "hang:seconds=2,place=false,p=0.002",
    "reset:p=0.003",
    "reset:place=false,p=0.002",
    "reset_early:p=0.002",
    "reset_early:action=*,p=0.002",
    "drip:every=0.002,p=0.004",
    "drip:every=0.1,p=0.002",
    "huge:size=200000,p=0.003",
    "close:p=0.03",
)
"""Everything it can do wrong, each now and then."""
OVERLOAD = ("503:p=0.9", "429:retry_after=1")
CALM = ("latency:min=0,max=0.02",)


class Endpoint:
    """Keeps what every one of its lives has received."""

    def __init__(self, seed: int, port: int) -> None:
        self._seed = seed
        self._tokens = {name: token_of(name) for name in connectors()}
        self._past: list[Receipt] = []
        self._port = port
        self._mood: tuple[str, ...] = MOOD
        self._server: PaperServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/trading-signal/webhook"

    @property
    def receipts(self) -> list[Receipt]:
        """In order of arrival."""
        return self._past + (self._server.receipts if self._server else [])

    def start(self) -> None:
        if self._server is None:
            self._seed += 1  # or each life would meet the same requests with the same mischief
            server = PaperServer(
                port=self._port,
                mischief=Mischief.from_text(*self._mood),
                tokens=self._tokens,
                seed=self._seed,
            )
            server.start()
            self._port, self._server = server.port, server

    def stop(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.stop()
            self._past += self._server.receipts
            self._server = None

    def behave(self, mood: tuple[str, ...]) -> None:
        self._mood = mood
        if self._server is not None:
            self._server.mischief = Mischief.from_text(*mood)
