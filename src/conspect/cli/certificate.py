"""`conspect certificate`: checks certificates; `conspect.checker.check` does the same without Conspect."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.group()
def certificate() -> None:
    """Check what makes a verdict certain, in exact arithmetic."""


@certificate.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--expect", multiple=True, metavar="KEY=DIGEST", help="Refuse certificates of another head or lens.")
@click.option("--seconds", type=click.IntRange(1), default=300, show_default=True, help="Time for one file.")
@click.option(
    "--megabytes", type=click.IntRange(1), default=4096, show_default=True, help="Memory for one file's numbers."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def check(files: tuple[Path, ...], expect: tuple[str, ...], seconds: int, megabytes: int, as_json: bool) -> None:
    """Check FILES. Exit code 0: all accepted, 1: some refused."""
    from conspect.checker import check as checker

    expected = [(key, digest) for key, _, digest in (word.partition("=") for word in expect)]
    rows: list[dict[str, object]] = []
    for file in files:
        try:
            claims = checker.check_file(file, expected, checker.Budget(seconds, megabytes))
        except checker.Refused as reason:
            rows.append({"file": str(file), "accepted": False, "reason": str(reason), "claims": []})
            lines = [f"{checker.shown(file)}: REFUSED: {checker.shown(reason)}"]
        else:
            rows.append({"file": str(file), "accepted": True, "reason": "", "claims": [c._asdict() for c in claims]})
            lines = [f"{c.verdict:8} {checker.shown(c.name)}: {c.statement}" for c in claims]
            lines += [f"{checker.shown(file)}: {checker.summary(claims)}", checker.NOT_COMPARED]
        if not as_json:
            click.echo("\n".join(lines))
    if as_json:
        click.echo(json.dumps({"certificates": rows}, indent=2))
    sys.exit(0 if all(row["accepted"] for row in rows) else 1)
