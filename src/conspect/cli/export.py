"""`conspect export`: a finished study for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from conspect.cli.progress import terminal_bar
from conspect.core.diagnostics import user_error


@click.command()
@click.option(
    "--study",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder of a study that was run.",
)
@click.option("--to", type=click.Choice(["csv", "fiftyone", "parquet"]), required=True, help="The format.")
@click.argument("out", type=click.Path(path_type=Path))
def export(folder: Path, to: str, out: Path) -> None:
    """Write every test image of a finished study to OUT, a file, or for fiftyone a new folder.

    Class, output, confidence, verdicts on the failures, concept strengths and the predicates that the image breaks.
    """
    from conspect.core.files import require_place
    from conspect.study import Study
    from conspect.study.export import export as write

    if to == "fiftyone" and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise user_error("CLI001", f"{out} already exists", "choose another folder")
    if to != "fiftyone" and out.is_dir():
        raise user_error("CLI001", f"{out} is a folder", f"give a file, such as {out / f'study.{to}'}")
    require_place(out / "samples.json" if to == "fiftyone" else out, making_folders=True)
    count = write(Study.open(folder), to, out, bar=terminal_bar)  # type: ignore[arg-type]
    click.echo(f"{count} images", err=True)
    click.echo(str(out.resolve()))
