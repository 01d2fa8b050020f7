"""Each alert has its page, and what pages tell people to type exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from monitoring import alerts
from monitoring.thresholds import THRESHOLDS
from producers import cli as producer_cli
from tests.monitoring.promtool import HOUSE
from worker import cli as worker_cli
from worker.settings import Settings

PAGES = sorted((HOUSE / "docs" / "runbooks").glob("Signals*.md"))
PARTS = ["Impact", "Diagnosis", "Mitigation", "Over when"]
GROUPS = {"signal-worker": worker_cli.group, "signal-producer": producer_cli.group}
SHELL = {"|", "<", ">", "&&"}
"""Where a command ends."""


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    names = {one.name for group in alerts.GROUPS.values() for one in group}
    assert {path.stem for path in PAGES} == names


def test_every_page_has_the_same_parts(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS
    assert all(part.strip() for part in re.split(r"^#.*$", text, flags=re.MULTILINE)[1:])


def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_settings_and_thresholds_that_pages_name_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"SIGNALS_([A-Z_]+)", text):
        assert name.lower() in Settings.model_fields, name
    known = {one.name: one for one in THRESHOLDS}
    for name, given in re.findall(r"`([a-z]+[A-Z][A-Za-z]+)` \(([\d.]+)", text):
        factor = 100 if name.endswith("Share") else 1
        assert float(given) == known[name].default * factor, name


def test_commands_exist_with_these_arguments(page: Path) -> None:
    for name, *arguments in _commands(page.read_text()):
        _parse(GROUPS[name], name, arguments)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(click.UsageError):
        _parse(GROUPS["signal-worker"], "signal-worker", ["dead", "list", "--reasons", "unknown"])
    with pytest.raises(click.UsageError):
        _parse(GROUPS["signal-worker"], "signal-worker", ["deed"])


def _commands(text: str) -> Iterator[list[str]]:
    """Our commands in code, in blocks and in lines; up to where the shell goes on with something else."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [line for block in blocks for line in block.splitlines()] + inline:
        if found := re.search(r"\bsignal-(worker|producer)\b", line):
            words = shlex.split(line[found.start() :], comments=True)
            yield list(takewhile(lambda word: word not in SHELL, words))


def _parse(command: click.Command, name: str, arguments: list[str]) -> None:
    """Raises UsageError if click would; runs nothing."""
    context = click.Context(command, info_name=name)
    while isinstance(command, click.Group):
        name, *arguments = arguments
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no such command: {name}")
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_context(name, list(arguments), parent=context.parent)
