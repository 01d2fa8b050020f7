"""The judge: facts in, violations out. Pure; believes no party alone."""

from __future__ import annotations

from chaos.check import books, obeyed, order, outcomes, posts, times, told
from chaos.check.case import Case, Violation
from chaos.history import History

__all__ = ["Case", "Violation", "check"]


def check(history: History) -> list[Violation]:
    """Everything that is not as it was promised."""
    case = Case(history)
    return [one for part in (told, posts, outcomes, order, times, obeyed, books) for one in part.rules(case)]
