"""The clock by which leases and ages are kept in a process."""

from __future__ import annotations

import time

_WITH_SUSPEND = getattr(time, "CLOCK_BOOTTIME", None)


def steady() -> float:
    """Seconds that never go back, and go on while the machine is suspended (where the system can tell).

    ``time.monotonic`` stands still in a suspended laptop while Redis' clock runs: a lease or an entry's age
    would seem younger than it is.
    """
    return time.monotonic() if _WITH_SUSPEND is None else time.clock_gettime(_WITH_SUSPEND)
