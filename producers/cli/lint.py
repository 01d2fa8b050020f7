"""``signal-producer lint``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from producers.cli.options import as_json, output_option
from producers.lint import Finding, Severity, examine
from producers.lint.sources import Kind, Shape

_KINDS: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".pine": "pine",
}
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.HINT: "blue"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option(
    "--as",
    "shape",
    type=click.Choice(["template", "messages"]),
    help="Whether {{…}} is meant. Default: in a .pine script and in a file of one message.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@output_option
def command(file: Path, shape: Shape | None, strict: bool, output: str | None) -> None:
    """Look for mistakes in messages, alert templates and Pine scripts; nothing is sent.

    A file is read by what its name ends in: .pine for a script, .csv, .jsonl for a message a line; anything
    else, and standard input, is one message, a template of one, an array or JSON lines. A template's
    placeholders are tried out with samples.

    Exit codes: 0 nothing to mend, 1 errors (with --strict warnings, too), 2 wrong usage. Hints never count.

    \b
    Examples:
      signal-producer lint signals.jsonl
      signal-producer lint strategy.pine --output json
      pbpaste | signal-producer lint -
    """
    findings = examine(_content(file), _KINDS.get(file.suffix.lower(), "json"), shape)
    for one in findings:
        if as_json(output):
            click.echo(json.dumps({"file": str(file), **asdict(one)}, ensure_ascii=False))
        else:
            _show(file, one)
    counts = Counter(one.severity for one in findings)
    if not as_json(output):
        click.echo(", ".join(f"{counts[kind]} {kind}s" for kind in Severity))
    sys.exit(1 if counts[Severity.ERROR] or (strict and counts[Severity.WARNING]) else 0)


def _content(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}") from None


def _show(file: Path, one: Finding) -> None:
    mark = click.style(one.severity.value, fg=_COLOURS[one.severity])
    click.echo(f"{file}:{one.line}: {mark}: {one.text}" + (f"; {one.advice}" if one.advice else ""))
