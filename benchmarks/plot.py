"""Bars as SVG: a scenario's contenders by what a signal costs their worker."""

from __future__ import annotations

from html import escape
from pathlib import Path

from benchmarks.report import number
from benchmarks.samples import CPU, OURS, Samples, Spread

_ROW, _LEFT, _WIDTH = 26, 130, 420


def write(samples: Samples, folder: Path) -> None:
    """One file per scenario in which contenders were compared."""
    scenarios: dict[str, dict[str, Spread]] = {}
    for key, spread in samples.rows():
        if key.metric == CPU:
            scenarios.setdefault(key.scenario, {})[key.contender] = spread
    for scenario, bars in scenarios.items():
        if len(bars) > 1:
            name = scenario.replace(" ", "-")
            (folder / f"{name}.svg").write_text(_bars(f"{scenario}: {CPU}", bars), "utf-8")


def _bars(title: str, bars: dict[str, Spread]) -> str:
    scale = _WIDTH / max(one.most for one in bars.values())
    rows = "".join(
        _bar(name, spread, scale, 34 + number_ * _ROW)
        for number_, (name, spread) in enumerate(sorted(bars.items(), key=lambda one: one[1].median))
    )
    height = 40 + len(bars) * _ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 90} {height}"'
        ' font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="10" y="20" font-weight="bold">{escape(title)}</text>{rows}</svg>\n'
    )


def _bar(name: str, spread: Spread, scale: float, y: int) -> str:
    colour = "#2a7" if name == OURS else "#889"
    middle, end = y + _ROW / 2 - 3, _LEFT + spread.median * scale
    return (
        f'<text x="{_LEFT - 8}" y="{middle + 5}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_LEFT}" y="{y}" width="{spread.median * scale:.1f}" height="{_ROW - 7}" fill="{colour}"/>'
        f'<line x1="{_LEFT + spread.least * scale:.1f}" x2="{_LEFT + spread.most * scale:.1f}"'
        f' y1="{middle}" y2="{middle}" stroke="#000"/>'
        f'<text x="{max(end, _LEFT + spread.most * scale) + 6:.1f}" y="{middle + 5}">'
        f"{number(spread.median)}</text>"
    )
