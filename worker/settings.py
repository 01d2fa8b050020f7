"""All settings, read from ``SIGNALS_…`` environment variables or a file of such lines.

Only composing modules (``worker.app``, the command lines, ``SignalProducer``) read settings; everything
else is told what it needs.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.contract import Rules
from worker.errors import SettingsError
from worker.lanes import Brakes, Durability, Timing
from worker.policy import Policy
from worker.verdict import Reading

PREFIX = "SIGNALS_"
FILE_VARIABLE = "SIGNALS_SETTINGS_FILE"
LIVE_ENDPOINT = "https://api.crypto-arsenal.io/trading-signal/webhook"
LEAST_GATEWAY_WINDOW = 30.0
"""Seconds; TradingView sends a message up to 4 times, 5 s apart, and waits 3 s for each answer."""
LEASE_MARGIN = 5.0
"""Seconds a lease must outlast the POST deadline: time to hand over, settle and be scheduled."""
LEAST_RATE = 0.001
"""Signals per second; slower than one in a quarter of an hour is a mistake."""
KEEP_MARGIN = 60.0
"""Seconds a finished signal must be known beyond the patience of producers, whose repetitions it answers."""

Seconds = Annotated[float, Field(gt=0, le=604_800, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Statuses = Annotated[str, Field(pattern=r"^\s*(\d{3}\s*(,\s*\d{3}\s*)*)?$")]


class Settings(BaseSettings):
    """Every field is ``SIGNALS_<NAME>``; durations are seconds. See the table in the README."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True, env_ignore_empty=True
    )

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis or Valkey: `redis://…`, `rediss://…` (TLS) or `sentinel://…` (docs/redis.md)",
    )
    prefix: str = Field(
        "signals:", pattern=r"^[!-~]{1,64}$", description="Start of every key; one per installation"
    )
    redis_timeout: Seconds = Field(2.0, description="Wait for one answer of Redis")
    redis_patience: Seconds = Field(5.0, description="Producers give up on Redis after this long")
    durability: Literal["memory", "fsync", "replicas"] = Field(
        "memory",
        description="Where Redis must have a signal before it is accepted or posted: in `memory`, on disk"
        " (`fsync`) or on `replicas`",
    )
    durability_replicas: int = Field(1, ge=1, le=16, description="How many replicas, for `replicas`")
    durability_timeout: Seconds = Field(
        1.5, description="Wait for that; then nothing is accepted or posted, and it is tried again"
    )

    accounts_file: str | None = Field(
        None, description="YAML or JSON file of connectors: tokens, groups, limits (docs/accounts.md)"
    )
    token_keys_file: str | None = Field(
        None, description="Keys that seal the tokens of signals in Redis (docs/accounts.md)"
    )

    endpoint_url: str = Field(LIVE_ENDPOINT, description="Where signals are posted to")
    endpoint_ca_file: str | None = Field(None, description="Certificates to trust instead of the public ones")
    expected_body: str = Field("ok", description="The answer that means accepted")
    unsent_statuses: Statuses = Field(
        "425,429,503", description="Answers that prove the signal was not worked on: tried again"
    )
    unknown_statuses: Statuses = Field(
        "408", description="Further answers that leave open whether it was; other 5xx always do"
    )
    deadline: Seconds = Field(10.0, description="A POST, from looking up the name to the last byte")
    connect_timeout: Seconds = Field(3.0, description="Part of the deadline for connecting")
    idle_connection: Seconds = Field(4.0, description="A connection unused for longer is not used again")
    response_limit: int = Field(4096, ge=16, le=1 << 20, description="Bytes of an answer that are read")

    threads: int = Field(64, ge=1, le=4096, description="POSTs in flight per worker")
    takers: int = Field(4, ge=1, le=64, description="Celery threads that take rings and wake-ups")
    lease: Seconds = Field(
        20.0, description=f"Hold of a worker on a lane; at least the deadline + {LEASE_MARGIN:g}"
    )
    quantum_signals: int = Field(50, ge=1, description="Signals of one lane in a row, before others")
    quantum_seconds: Seconds = Field(5.0, description="Time on one lane in a row, before others")
    sweep_interval: Annotated[float, Field(ge=0.05, le=60)] = Field(
        1.0, description="How often lost rings and dead owners are looked for"
    )
    patience: Seconds = Field(5.0, description="A ring unanswered for so long is repeated")
    horizon: Seconds = Field(60.0, le=1800, description="Countdown tasks are made for what is due this soon")
    slot: Annotated[float, Field(ge=0.001, le=10)] = Field(
        0.05, description="Signals falling due this close together share a countdown task"
    )
    stop_timeout: Seconds = Field(25.0, description="Longest shutdown; what is in flight gets this long")

    dedup_window: Seconds = Field(86_400.0, description="How long an order id or idempotency key is known")
    entry_expiry: Seconds = Field(60.0, description="An entry is not posted later than this after it is due")
    max_attempts: int = Field(20, ge=1, le=1000, description="Attempts before a signal counts as unsent")
    backoff_base: Seconds = Field(0.5, description="Longest first pause before another attempt; doubles")
    backoff_cap: Seconds = Field(30.0, description="Longest pause before another attempt")
    retry_after_cap: Seconds = Field(120.0, description="Longest Retry-After that is obeyed")
    resend_limit: int = Field(
        3, ge=0, le=100, description="Times a full exit or cancel of unknown fate is posted again"
    )
    rate: Rate = Field(0.0, description="Signals per second of all connectors together; 0: no limit")
    rate_burst: int = Field(1, ge=1, le=1_000_000, description="Of these, so many at once")
    connector_rate: Rate = Field(0.0, description="Signals per second of each connector; 0: no limit")
    connector_burst: int = Field(1, ge=1, le=1_000_000, description="Of these, so many at once")
    retry_rate: Rate = Field(100.0, description="Further attempts per second, all together; 0: no limit")
    circuit_connectors: int = Field(
        10, ge=0, description="So many connectors failing in a row stop all but a probe; 0: never"
    )
    circuit_pause: Seconds = Field(2.0, description="Until the first probe; doubles up to the backoff cap")
    lane_limit: int = Field(
        10_000, ge=0, description="Signals of one connector that may wait (exits: 10 % more); 0: any number"
    )
    close_drops_open: bool = Field(
        True, description="A full close drops earlier opens that are still delayed"
    )
    platform_delays: bool = Field(False, description="Leave the delay to the platform, do not wait here")
    require_size: bool = Field(False, description="Refuse entries without a size (they take 100 %)")
    max_percent: Decimal = Field(Decimal(100), gt=0, le=10_000, description="Largest percent that is allowed")
    max_signal_bytes: int = Field(16_384, ge=256, le=1 << 20, description="Largest signal")

    keep: Seconds = Field(3600.0, description="How long a finished signal can be asked for")
    letters_kept: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        30 * 86_400.0, description="How long a dead letter is kept"
    )
    letters_most: int = Field(
        100_000, ge=1, description="How many dead letters are kept; the oldest go first"
    )
    tail_length: int = Field(10_000, ge=100, description="Outcomes kept for `signal-worker tail`")

    api_keys_file: str | None = Field(
        None, description="YAML or JSON file of who may use the gateway's /v1 (docs/gateway.md)"
    )
    gateway_host: str = Field("127.0.0.1", description="Where the gateway listens")
    gateway_port: int = Field(8080, ge=0, le=65_535, description="Its port; 0 picks a free one")
    gateway_path_secret: SecretStr | None = Field(
        None,
        description="Last part of the webhook's path, known to its senders only; 16 or more of `A-Za-z0-9_-`",
    )
    gateway_docs: bool = Field(True, description="Serve /docs and /openapi.json")
    gateway_open: bool = Field(
        False, description="Take webhook signals without accounts file or path secret: anybody's"
    )
    gateway_sources: str = Field(
        "",
        description="Who may use the webhook: `tradingview`, addresses, CIDRs; comma-separated; empty: all",
    )
    gateway_proxies: str = Field(
        "", description="Proxies (addresses, CIDRs) whose X-Forwarded-For is believed; comma-separated"
    )
    gateway_dedup_window: Annotated[float, Field(ge=LEAST_GATEWAY_WINDOW, le=604_800)] = Field(
        60.0, description="How long the webhook knows a clientOrderId; TradingView repeats them"
    )
    gateway_order_window: Annotated[float, Field(ge=0, le=60)] = Field(
        0.0,
        description="Hold each signal so long, so that replicas' signals are sorted by arrival; 0: do not",
    )
    gateway_connector_rate: Rate = Field(
        20.0, description="Webhook signals per second of one connector, per replica; 0: no limit"
    )
    gateway_deadline: Annotated[float, Field(ge=0.1, le=60)] = Field(
        2.4, description="The gateway answers within this; TradingView waits 3 s"
    )
    gateway_read_timeout: Seconds = Field(
        10.0, description="A request's head, and then its body, must be here within this"
    )
    gateway_body_limit: int = Field(1 << 20, ge=1024, le=1 << 26, description="Bytes of a request's body")
    gateway_connections: int = Field(2000, ge=1, description="Connections the gateway holds; more are closed")
    gateway_backlog: int = Field(
        5000, ge=1, description="Signals that wait for Redis in the gateway; more are answered 503"
    )

    metrics_host: str = Field("127.0.0.1", description="Where /metrics, /livez and /readyz listen")
    metrics_port: int = Field(9464, ge=0, le=65_535, description="Their port; 0 picks a free one")
    gateway_metrics_port: int = Field(
        9465, ge=0, le=65_535, description="The same for a gateway, which may run beside a worker"
    )
    metrics_connectors: Annotated[str, Field(pattern=r"^(all|none|top:[1-9]\d{0,4})$")] = Field(
        "top:50",
        description="Connectors with metrics of their own: `all`, `none`, or the N busiest (`top:N`)",
    )
    tracing: bool = Field(
        False,
        description="Tell OpenTelemetry of each attempt; needs the extra `otel` (docs/tracing.md)",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto`: text on a terminal, else JSON lines"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.lease < self.deadline + LEASE_MARGIN:
            raise ValueError(
                f"SIGNALS_LEASE: {self.lease:g} s must be at least SIGNALS_DEADLINE + {LEASE_MARGIN:g}"
                f" = {self.deadline + LEASE_MARGIN:g} s, or a POST could outlive its lease"
            )
        if self.durability != "memory" and self.durability_timeout >= self.redis_timeout:
            raise ValueError(
                f"SIGNALS_DURABILITY_TIMEOUT: {self.durability_timeout:g} s must be less than"
                f" SIGNALS_REDIS_TIMEOUT = {self.redis_timeout:g} s, which would cut it short"
            )
        for name in ("rate", "connector_rate", "retry_rate"):
            if 0 < getattr(self, name) < LEAST_RATE:
                raise ValueError(f"SIGNALS_{name.upper()}: must be 0 (no limit) or at least {LEAST_RATE:g}")
        secret = self.gateway_path_secret
        if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,}", secret.get_secret_value()):
            raise ValueError(
                "SIGNALS_GATEWAY_PATH_SECRET: must be 16 or more of A-Za-z0-9_-; try `openssl rand -hex 16`"
            )
        if self.keep < self.redis_patience + KEEP_MARGIN:
            raise ValueError(
                f"SIGNALS_KEEP: {self.keep:g} s must be at least SIGNALS_REDIS_PATIENCE + {KEEP_MARGIN:g}"
                f" = {self.redis_patience + KEEP_MARGIN:g} s, or a repeated send could double an order"
            )
        if self.stop_timeout <= self.deadline:
            raise ValueError(
                f"SIGNALS_STOP_TIMEOUT: {self.stop_timeout:g} s must exceed SIGNALS_DEADLINE ="
                f" {self.deadline:g} s, or a shutdown would leave POSTs of unknown fate"
            )
        return self

    def timing(self) -> Timing:
        return Timing(
            lease_ms=_ms(self.lease),
            horizon_ms=_ms(self.horizon),
            slot_ms=_ms(self.slot),
            patience_ms=_ms(self.patience),
            keep_ms=_ms(self.keep),
            stream_length=self.tail_length,
            letters_kept_ms=_ms(self.letters_kept),
            letters_most=self.letters_most,
            lane_limit=self.lane_limit,
        )

    def brakes(self) -> Brakes:
        return Brakes(
            endpoint=urlsplit(self.endpoint_url).netloc.rpartition("@")[2],
            rate=self.rate,
            burst=self.rate_burst,
            connector_rate=self.connector_rate,
            connector_burst=self.connector_burst,
            retry_rate=self.retry_rate,
            circuit_lanes=self.circuit_connectors,
            circuit_pause_ms=_ms(self.circuit_pause),
            circuit_cap_ms=_ms(max(self.backoff_cap, self.circuit_pause)),
        )

    def required_durability(self) -> Durability:
        return Durability(self.durability, self.durability_replicas, _ms(self.durability_timeout))

    def policy(self) -> Policy:
        return Policy(
            entry_expiry=self.entry_expiry,
            max_attempts=self.max_attempts,
            backoff_base=self.backoff_base,
            backoff_cap=self.backoff_cap,
            retry_after_cap=self.retry_after_cap,
            resend_limit=self.resend_limit,
            close_drops_open=self.close_drops_open,
        )

    def reading(self) -> Reading:
        return Reading(
            expected_body=self.expected_body,
            unsent_statuses=_statuses(self.unsent_statuses),
            unknown_statuses=_statuses(self.unknown_statuses),
        )

    def rules(self) -> Rules:
        return Rules(
            max_percent=self.max_percent, require_size=self.require_size, max_bytes=self.max_signal_bytes
        )


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, then from the file that ``SIGNALS_SETTINGS_FILE`` names, if any.

    Raises SettingsError with one line that names the variable and the rule; never its secret.
    """
    file = os.environ.get(FILE_VARIABLE)
    if file and not Path(file).is_file():
        raise SettingsError(f"{FILE_VARIABLE}: there is no file {file}")
    for name in os.environ:
        _refuse_unknown(name)
    lines = _lines_of(file) if file else {}
    try:
        return Settings(_env_file=file, **overrides)
    except ValidationError as error:
        raise SettingsError(_explain(error, _in_force(lines, overrides))) from None


def _in_force(lines: Mapping[str, str], overrides: Iterable[str]) -> dict[str, str]:
    """Of a file's lines those that neither the environment nor the caller overrides."""
    stronger = {name.upper() for name, value in os.environ.items() if value}
    stronger |= {PREFIX + name.upper() for name in overrides}
    return {name: where for name, where in lines.items() if name not in stronger}


def _refuse_unknown(name: str, where: str = "") -> None:
    if not name.upper().startswith(PREFIX):
        return
    known = {PREFIX + field.upper() for field in Settings.model_fields} | {FILE_VARIABLE}
    if name.upper() not in known:
        near = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{where}{name}: no such setting{hint}")


def _lines_of(file: str) -> dict[str, str]:
    """Where in the file each setting stands, for errors.

    A line that sets nothing of ours is a mistake, not something to pass over.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(Path(file).read_text("utf-8", "replace").splitlines(), start=1):
        where = f"{file}, line {number}: "
        name, equals, _ = line.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if not name or name.startswith("#"):
            continue
        if not equals or not name.upper().startswith(PREFIX):
            raise SettingsError(f"{where}must read {PREFIX}…=value")
        _refuse_unknown(name, where)
        found[name.upper()] = where
    return found


def _explain(error: ValidationError, lines: Mapping[str, str]) -> str:
    """``lines``: of the settings that come from a file, where they stand."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    name = str(first["loc"][0])
    variable = name.upper() if name.upper().startswith(PREFIX) else PREFIX + name.upper()
    where = lines.get(variable, "")
    if first["type"] == "extra_forbidden":
        return f"{where}{variable}: no such setting"
    shown = "" if "url" in name or "secret" in name else f" (got {str(first['input'])[:60]!r})"
    return f"{where}{variable}: {message}{shown}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _statuses(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if part.strip())
