"""Everything that can go wrong and be told to a person, as a tree.

    SignalsError            base: its text is one line that says what to do
    ├── InvalidSignal       the input breaks the contract; nothing was enqueued
    ├── TokenMissing        nobody here knows an account's token; it may be known later
    ├── SettingsError       a setting is missing or wrong; nothing was started
    ├── QueueUnavailable    Redis did not answer in time; the call may be repeated
    │   └── QueueUnreached      … and never got the call: it certainly had no effect
    └── QueueUnusable       Redis answers but must not be used (evicts keys, wrong version)
        └── LedgerNewer         … because a newer release writes to it

No text of these errors ever contains a connector token or a Redis password.
"""

from __future__ import annotations


class SignalsError(Exception):
    """Base of all errors this project raises on purpose; ``str()`` is one line for a person."""


class InvalidSignal(SignalsError):
    """A signal breaks the contract: names the field, the offending value and the rule."""


class TokenMissing(SignalsError):
    """A signal cannot be posted now, because its account's token is not known (yet)."""


class SettingsError(SignalsError):
    """A setting is missing or has a bad value."""


class QueueUnavailable(SignalsError):
    """Redis could not be reached, or did not answer within its time."""


class QueueUnreached(QueueUnavailable):
    """No try of the call reached a server that would have run it: it had no effect."""


class QueueUnusable(SignalsError):
    """Redis answers, but using it would risk losing or doubling orders."""


class LedgerNewer(QueueUnusable):
    """A newer release writes to this Redis what this one cannot read; nothing was touched."""

    def __init__(self, found: int, known: int) -> None:
        """Versions of the format: the one that Redis holds, and the newest that this release knows."""
        super().__init__(
            f"Redis holds signals of a newer release (format {found}, this one knows {known}):"
            " upgrade this one; nothing was touched"
        )
