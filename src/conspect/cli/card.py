"""`conspect card` and `conspect evidence`."""

from __future__ import annotations

from pathlib import Path

import click

from conspect.core.files import write_atomically, writing_to

_PLACE = click.Path(path_type=Path)


@click.command()
@click.argument("study", type=_PLACE)
@click.option("--out", type=_PLACE, help="Folder to write to; STUDY/card otherwise.")
def card(study: Path, out: Path | None) -> None:
    """Write a model card of STUDY in the format of the Hugging Face hub: README.md and its pictures."""
    from conspect.report.card import model_card
    from conspect.study.finished import finished_results

    folder = out or _beside(study) / "card"
    files = model_card(finished_results(study))
    with writing_to(folder):
        for name, content in files.items():
            write_atomically(folder / name, content.encode())
    click.echo(f"card: {folder / 'README.md'}")


@click.command()
@click.argument("study", type=_PLACE)
@click.option("--out", type=_PLACE, help="Folder to write to; STUDY/evidence otherwise.")
def evidence(study: Path, out: Path | None) -> None:
    """Write an assurance case of STUDY as a tree in the Goal Structuring Notation: evidence.svg and evidence.json."""
    from conspect.assurance.case import assurance_case
    from conspect.report.assurance import assurance_svg
    from conspect.results.files import encoded
    from conspect.study.finished import finished_results

    folder = out or _beside(study) / "evidence"
    case = assurance_case(finished_results(study), str(study))
    with writing_to(folder):
        write_atomically(folder / "evidence.json", encoded(case))
        write_atomically(folder / "evidence.svg", assurance_svg(case).encode())
    click.echo(f"{case.shown} goals shown, {case.gaps} open, {case.refuted} refuted")
    click.echo(f"evidence: {folder / 'evidence.svg'}")


def _beside(study: Path) -> Path:
    """The folder of a study that is named by its results.json."""
    return study.parent if study.is_file() else study
