"""`conspect schema`: the JSON Schemas of the files that Conspect reads and writes."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", type=click.Choice(["results", "study"]))
def schema(name: str) -> None:
    """Print the JSON Schema of results.json (NAME results) or of study.toml (NAME study)."""
    from conspect.assets import read_bytes

    click.echo(read_bytes(f"schemas/{name}.schema.json"), nl=False)
