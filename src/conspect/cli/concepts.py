"""`conspect concepts`: which concepts of a study are seen, which others could be, and how these are added."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conspect.cli.lazy import SuggestingGroup
from conspect.cli.numbers import NumberRange
from conspect.cli.progress import terminal_bar
from conspect.core.diagnostics import user_error
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:
    from conspect.results.concepts import SuggestedConcepts


@click.group(cls=SuggestingGroup)
def concepts() -> None:
    """Grade the concepts of a study, find others, and add them."""


@concepts.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def score(study: Path, as_json: bool) -> None:
    """Print a grade for every concept of STUDY, and why it is no better."""
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.recording.concepts import concept_scores

    opened = Study.open(study)
    scores = concept_scores(opened.inputs, opened.measurements(terminal_bar))
    if as_json:
        click.echo(encoded(scores, indent=None), nl=False)
        return
    width = max(len(concept.name) for concept in scores.concepts)
    for concept in scores.concepts:
        twins = f" (with: {', '.join(concept.not_told_from)})" if concept.not_told_from else ""
        why = "; ".join(concept.reasons)
        click.echo(on_one_line(f"{concept.name:{width}}  {concept.grade:8}  {why}{twins}".rstrip()))


@concepts.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.argument("word")
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="CLASS=SHARE",
    help="Share of a class's images that show it, 0 to 1: for each class, where STUDY has a class-attribute table.",
)
@click.option("--others", type=NumberRange(0, 1), help="The share of every class that no --share names.")
@click.option("--yes", is_flag=True, help="Write it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def add(study: Path, word: str, shares: tuple[str, ...], others: float | None, yes: bool, as_json: bool) -> None:  # noqa: PLR0917 (click passes by name)
    """Make WORD a concept of STUDY: a line in its concepts file, and a column in its class-attribute table.

    The lines are shown first. Remarks and order of the files stay. STUDY must be run again afterwards.
    """
    from conspect.cli.asking import agreed
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.concept_additions import add_concepts

    opened, given = Study.open(study), _shares(shares)
    draft = add_concepts(opened, [word], {}, write=False)
    of_class = {name: share for name in draft.missing if (share := given.get(name, others)) is not None}
    of_word = {draft.words[0]: {**given, **of_class}}
    draft = add_concepts(opened, [word], of_word, write=False)
    for change in draft.files:
        click.echo(on_one_line(f"{change.file}{' (new)' if change.new else ''} gains:"), err=True)
        for line in change.lines:
            click.echo(on_one_line(f"  {line}"), err=True)
    for note in draft.notes:
        click.echo(on_one_line(note), err=True)
    if not yes and not draft.missing and not agreed("write it?", "nothing was written"):
        raise user_error("CLI005", "you did not agree; nothing was written", "answer y, or give --yes")
    written = add_concepts(opened, [word], of_word, write=True)
    if as_json:
        click.echo(encoded(written, indent=None), nl=False)
        return
    click.echo(on_one_line(f"“{written.words[0]}” is a concept of the study; run it again: {written.run}"))


def _shares(texts: Sequence[str]) -> dict[str, float]:
    """Class to share. Raises click.BadParameter where a class has two, or a text is none."""
    given: dict[str, float] = {}
    for name, share in map(_share, texts):
        if name in given:
            raise click.BadParameter(f"{name[:60]!r} has two shares", param_hint="--share")
        given[name] = share
    return given


def _share(text: str) -> tuple[str, float]:
    """Class and share of "CLASS=SHARE"; a class may have = in its name."""
    name, equals, number = text.rpartition("=")
    try:
        share = float(number)
    except ValueError:
        equals = ""
    if not equals:
        raise click.BadParameter(f"{text[:60]!r} is not CLASS=SHARE", param_hint="--share")
    return name, share


@concepts.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Images with captions, name.png and name.txt; default: the stamps of Debian's tuxpaint-stamps-default.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def captions(study: Path, folder: Path | None, as_json: bool) -> None:
    """Ask STUDY's VLM for the right caption of photographs that nobody fitted anything on, among all captions."""
    from conspect.core.percentages import percent, percent_range
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.captions import caption_retrieval

    opened = Study.open(study)
    confidence = opened.config.settings.confidence
    retrieval = caption_retrieval(opened.inputs.vlm, opened.store, folder, confidence=confidence, bar=terminal_bar)
    if as_json:
        click.echo(encoded(retrieval, indent=None), nl=False)
        return
    for what, share, chance in (
        ("the right caption is the nearest", retrieval.first, retrieval.chance),
        ("it is among the five nearest", retrieval.in_five, retrieval.chance_in_five),
    ):
        shown = f"{percent(share.successes / share.n)} ({percent_range(share.low, share.high)})"
        click.echo(f"{what}: {shown} of {share.n:,} photographs; by chance {percent(chance)}")
    click.echo(
        f"median rank: {retrieval.median_rank:g} of {retrieval.captions:,} captions; by chance {(retrieval.captions + 1) / 2:g}"
    )


@concepts.command()
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--words", type=click.Path(path_type=Path, dir_okay=False), help="Candidates: a text file, one word a line."
)
@click.option(
    "--ontology", type=click.Path(path_type=Path, dir_okay=False), help="Candidates: concepts of an OWL or RDF file."
)
@click.option(
    "--endpoint", metavar="URL", help="Candidates: ask a language model, OpenAI-compatible; shown before it is sent."
)
@click.option("--model", metavar="NAME", help="The language model to ask at --endpoint.")
@click.option("--key-variable", metavar="NAME", help="The environment variable that holds the endpoint's key.")
@click.option(
    "--timeout",
    type=NumberRange(min=1, max=3600),
    default=120.0,
    show_default=True,
    help="Seconds that the endpoint may take, from first to last.",
)
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, help="Suggestions at most.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write them as a concepts file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def suggest(  # noqa: PLR0917 (click passes by name)
    study: Path,
    words: Path | None,
    ontology: Path | None,
    endpoint: str | None,
    model: str | None,
    key_variable: str | None,
    timeout: float,
    limit: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Find concepts that are seen on STUDY's images and tell its classes or its failures.

    Without --words, --ontology or --endpoint the candidates are a built-in vocabulary of some 750 visual words.
    """
    from conspect.cli.asking import agreed_words, endpoint_of
    from conspect.core.chances import p_value_words
    from conspect.core.concept_words import quoted
    from conspect.core.files import require_place
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.suggesting import suggest_concepts

    if sum(given is not None for given in (words, ontology, endpoint)) > 1:
        raise click.UsageError("the candidates come from one place: give one of --words, --ontology and --endpoint")
    asked = endpoint_of(endpoint, model, key_variable, timeout)
    if out is not None:
        require_place(out, new=True)
    candidates = () if asked is not None else _candidates(words, ontology)
    opened = Study.open(study)
    if asked is not None:
        candidates = agreed_words(asked, opened.inputs.model.class_names)
    measured = opened.measurements(terminal_bar)
    suggested = suggest_concepts(opened.inputs, measured, opened.store, candidates, limit=limit)
    if out is not None:
        _write(suggested, out)
    if as_json:
        click.echo(encoded(suggested, indent=None), nl=False)
        return
    for concept in suggested.suggestions:
        tells = f"{'more' if concept.more else 'less'} in {concept.class_name} (AUROC {concept.auroc:.2f})"
        direction = "more" if concept.failures > 0 else "less"
        fails = (
            f"; failures show it {direction}, by {abs(concept.failures):.2f} standard deviations "
            f"({p_value_words(concept.p_value, 1)})"
            if concept.tells_failures
            else ""
        )
        known = "" if concept.known is None else f" (goes with {quoted(concept.known)} of the study)"
        click.echo(on_one_line(f"{concept.name}{known}: {tells}{fails}; e.g. {', '.join(concept.examples)}"))
    click.echo(
        f"{len(suggested.suggestions)} of {suggested.candidates:,} candidates; left out: {suggested.not_seen:,} not seen, "
        f"{suggested.like_meaningless:,} in which images vary no more than in words without meaning, "
        f"{suggested.tell_nothing:,} that tell nothing, {suggested.near_duplicates:,} near-duplicates, "
        f"{suggested.names_of_classes:,} names of classes",
        err=True,
    )
    click.echo("what the VLM shows of a word need not be what people mean by it: look at the examples first", err=True)


def _candidates(words: Path | None, ontology: Path | None) -> tuple[str, ...]:
    from conspect.adapters.ontologies.rdf import read_ontology
    from conspect.adapters.ontologies.wordlists import built_in_words, distinct, read_words

    if words is not None:
        return read_words(words)
    if ontology is not None:
        return distinct(concept for carried in read_ontology(ontology).values() for concept in carried)
    return built_in_words()


def _write(suggested: SuggestedConcepts, out: Path) -> None:
    from conspect.core.files import write_atomically, writing_to
    from conspect.core.toml_entries import toml_line

    lines = [toml_line(concept.name, (concept.name,)) for concept in suggested.suggestions]
    with writing_to(out.parent):
        write_atomically(out, "\n".join(["[concepts]", *lines, ""]).encode())
