"""How far a load has come, in a file beside the loaded one; and what may follow from it."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from producers.errors import LoadError
from producers.load.lines import Place
from producers.load.source import Identity
from producers.receipts import Receipt, Status

VERSION = 1


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the signals of a file, over all attempts to load it."""

    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    invalid: int = 0
    unsure: int = 0
    """Set aside because it cannot be known whether they were taken."""
    warned: int = 0
    """Accepted or duplicate, and probably not meant so."""

    @property
    def signals(self) -> int:
        return self.refused + self.accepted + self.duplicate

    @property
    def refused(self) -> int:
        """How many were set aside."""
        return self.conflict + self.invalid + self.unsure

    def with_receipts(self, receipts: list[Receipt]) -> Counters:
        found = [receipt.status for receipt in receipts]
        counts = {status: found.count(status) for status in Status}
        return replace(
            self,
            accepted=self.accepted + counts[Status.ACCEPTED],
            duplicate=self.duplicate + counts[Status.DUPLICATE],
            conflict=self.conflict + counts[Status.CONFLICT],
            invalid=self.invalid + counts[Status.INVALID],
            warned=self.warned + sum(bool(receipt.warnings) and receipt.ok for receipt in receipts),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of one run. A run is one wish to send a file; it may take several processes."""

    identity: Identity
    window: float
    """Seconds that the queue remembers the run's idempotency keys."""
    saved_at: float
    """Unix time of this machine, before the batch behind ``place`` was sent."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    place: Place = field(default_factory=Place)
    counters: Counters = field(default_factory=Counters)
    state: Literal["running", "stopped", "done"] = "running"
    """``running``: the batch behind ``place`` may be on its way. ``stopped``: it is not."""

    def forgotten(self, now: float) -> bool:
        """Whether the queue may no longer know the batch that was on its way."""
        return now - self.saved_at >= self.window

    def key(self, line: int) -> str:
        """Idempotency key of the signal that begins on this line."""
        return f"load:{self.run}:{line}"

    def id(self, line: int, member: str | None = None) -> str:
        """Name of that signal: the same in every attempt of this run. ``member``: of the line's group."""
        name = b"%d" % line if member is None else f"{line} {member}".encode("utf-8", "surrogatepass")
        # What uuid.uuid5 gives, in a third of the time: it is asked for each line.
        digest = hashlib.sha1(_seed(self.run) + name, usedforsecurity=False).digest()
        return (
            digest[:6] + bytes((digest[6] & 0x0F | 0x50, digest[7], digest[8] & 0x3F | 0x80)) + digest[9:16]
        ).hex()

    def save(self, path: Path) -> None:
        """Replace the file whole, so that a crash leaves the old or the new. Raises LoadError."""
        text = json.dumps({"version": VERSION, **asdict(self)}, indent=1) + "\n"
        draft = path.with_name(path.name + ".new")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                # Without it a power cut could leave an empty file, and the run's keys would be gone.
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise LoadError(
                f"{path} cannot be written ({error.strerror}): choose another place with --state-dir"
            ) from None

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What an earlier process left; None if there was none. Raises LoadError."""
        try:
            data = json.loads(path.read_bytes())
            if data.pop("version") != VERSION:
                raise LoadError(
                    f"{path} was written by another version of signal-producer: finish it with that"
                )
            return cls._from(data)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LoadError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise LoadError(
                f"{path} is damaged, so what was sent is not known: look at the queue, then use --again"
            ) from None

    @classmethod
    def _from(cls, data: Mapping[str, Any]) -> Self:
        parts: dict[str, Callable[..., Any]] = {"identity": Identity, "place": Place, "counters": Counters}
        built = {name: part(**data[name]) for name, part in parts.items()}
        uuid.UUID(data["run"])
        return cls(**{**data, **built})


@lru_cache(maxsize=2)
def _seed(run: str) -> bytes:
    return uuid.UUID(run).bytes


def go_on(
    previous: Progress | None,
    identity: Identity,
    *,
    name: str,
    now: float,
    unsure: Literal["send", "skip"] | None = None,
) -> Progress | None:
    """The run to go on with; None if there is none yet. Raises LoadError where that could double orders."""
    if previous is None:
        return None
    if previous.identity != identity:
        raise LoadError(
            f"{name} has changed since its load began: put new signals into a new file, go on with what was"
            " added by --follow, or send the whole file anew with --again"
        )
    if previous.state == "done":
        raise LoadError(
            f"{name} has been loaded already ({previous.counters.signals} signals):"
            " send the whole file anew with --again"
        )
    if previous.state == "running" and previous.forgotten(now) and unsure is None:
        raise LoadError(
            f"the load of {name} was cut off in the batch behind line {previous.place.line}, longer ago than"
            f" the queue remembers ({previous.window:g} s), so whether that batch was taken is not known:"
            " --unsure skip sets it aside, --unsure send sends it again"
        )
    return previous
