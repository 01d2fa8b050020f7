"""How long an order has to wait."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context
from typing import Final

from worker.contract.order import OrderSignal
from worker.contract.position import PositionSyncSignal

# The default context keeps 28 digits and could round a delay down.
_EXACT: Final = Context(prec=80, rounding=ROUND_CEILING)


def effective_delay_ms(signal: OrderSignal | PositionSyncSignal) -> int:
    """Milliseconds to wait, rounded up; 0 without a delay, or when `log` lacks the filter word.

    An empty filter word filters nothing.
    """
    delay = signal.delay_seconds
    if delay is None:
        return 0
    word = signal.delay_seconds_filter
    if word and word not in (signal.log or ""):
        return 0
    return math.ceil(_EXACT.multiply(delay, 1000))
