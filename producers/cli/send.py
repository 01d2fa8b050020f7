"""``signal-producer send``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

import click

from producers import Interrupted, Receipt, SignalProducer
from producers.cli.options import as_json, output_option, terms_options
from producers.cli.tables import print_receipts
from producers.fanout import GROUP
from worker.contract import OrderSignal

F = TypeVar("F", bound=Callable[..., Any])

_SHORT = {"connectorName": "--connector", "connectorToken": "--token"}
_REMARKS = {"connectorToken": " Others on this machine can see it: rather use --token-file."}
_FIELDS = {field.alias or name: field.description or "" for name, field in OrderSignal.model_fields.items()}


def _field_options(command: F) -> F:
    """An option for each field of an order, after the contract; values are checked there, not here."""
    for name in reversed(_FIELDS):
        dashed = "--" + "".join(f"-{c.lower()}" if c.isupper() else c for c in name)
        declarations = [option for option in (_SHORT.get(name), dashed) if option]
        text = _FIELDS[name] + _REMARKS.get(name, "")
        command = click.option(*declarations, f"field_{name.lower()}", metavar="TEXT", help=text)(command)
    return command


@click.command()
@click.argument("source", required=False, metavar="[-]", type=click.Choice(["-"]))
@click.option("--json", "text", metavar="JSON", help="The signal (or an array of them) as JSON.")
@_field_options
@click.option("--group", metavar="NAME", help="Instead of --connector: a group of the accounts file.")
@click.option("--token-file", type=click.File("rb"), help="File that holds the connectorToken.")
@click.option(
    "--idempotency-key", metavar="KEY", help="Your own name for the signal: sent twice, posted once."
)
@terms_options
@output_option
def command(
    source: str | None,
    text: str | None,
    group: str | None,
    token_file: BinaryIO | None,
    idempotency_key: str | None,
    max_age: float | None,
    dedup_window: float | None,
    output: str | None,
    **options: str | None,
) -> None:
    """Send one signal, or those on standard input, and show a receipt for each.

    A signal is given by its fields, as --json, or as `-` for standard input: one JSON object, an array or
    JSON lines. With `-`, no token shows in the list of processes.

    \b
    Examples:
      signal-producer send --connector alpha --action openLong --percent 50 --token-file token.txt
      signal-producer send --group desk-a --action cancelAll
      signal-producer send --json '{"connectorName": "alpha", "connectorToken": "…", "action": "cancelAll"}'
      signal-producer send - < signals.jsonl
    """
    fields = {name: options[f"field_{name.lower()}"] for name in _FIELDS}
    given = {name: value for name, value in fields.items() if value is not None}
    if group is not None:
        given[GROUP] = group
    if token_file is not None:
        given["connectorToken"] = _token(token_file)
    if [source is not None, text is not None, bool(given)].count(True) != 1:
        raise click.UsageError("give exactly one of: fields (--connector …), --json, or - for standard input")
    if group is not None:
        text, given = json.dumps(given), {}
    signal = _standard_input() if source is not None else given or text or ""
    try:
        with SignalProducer() as producer:
            answer = producer.send(
                signal,
                idempotency_key=idempotency_key,
                max_age=max_age,
                dedup_window=dedup_window,
            )
    except Interrupted as error:
        print_receipts(error.receipts, machine=as_json(output))
        raise
    receipts = [answer] if isinstance(answer, Receipt) else answer
    print_receipts(receipts, machine=as_json(output))
    sys.exit(0 if all(receipt.ok for receipt in receipts) else 1)


def _token(file: BinaryIO) -> str:
    try:
        return file.read().decode().strip()
    except UnicodeDecodeError:
        raise click.BadParameter("the file is not UTF-8 text", param_hint="--token-file") from None


def _standard_input() -> bytes:
    body = sys.stdin.buffer.read()
    if not body.strip():
        raise click.UsageError("standard input is empty")
    return body
