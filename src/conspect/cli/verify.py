"""`conspect verify`: verdicts on the properties of specification files, with what makes them checkable."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, NotRequired, TypedDict, TypeVar, Unpack

import click

from conspect.cli.numbers import NumberRange
from conspect.core.diagnostics import ConspectError, UserError, outside_error, user_error

if TYPE_CHECKING:  # numpy and the language are loaded only when something is verified
    from conspect.core.regions import Shape
    from conspect.verification.certificates.claims import Claim
    from conspect.verification.certificates.expectation import SpecificationSource
    from conspect.verification.queries.model import VerificationModel, VerifyOptions
    from conspect.verification.results import PropertyResult

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


class VerifyChoices(TypedDict):
    """The options of `conspect verify` that say what is decided; `conspect certificate check` takes some of them."""

    gamma: Fraction | None
    coverage: Fraction | None
    shape: Shape
    estimate_from: Literal["correct", "all"]
    confidence: float
    budget: NotRequired[float]
    float32: NotRequired[bool]
    no_gamma_search: NotRequired[bool]
    cross_check: NotRequired[Literal["none", "scip"]]


class Share(click.ParamType):  # type: ignore[type-arg]
    """A positive number such as 0.4, 2/5 or 90%, kept exact."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """The exact number that the text says."""
        text = str(value)
        try:
            fraction = Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{text!r} is not a number such as 0.4, 2/5 or 90%", param, ctx)
        if fraction <= 0:
            self.fail(f"{text!r} is not positive", param, ctx)
        return fraction


class Leads(click.ParamType):  # type: ignore[type-arg]
    """Leads in logits, such as 0,2,4,8: exact, and none negative."""

    name = "numbers"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Fraction, ...]:
        """The exact numbers, ascending."""
        try:
            leads = sorted({Fraction(part.strip()) for part in str(value).split(",")})
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a list of numbers such as 0,2,4,8", param, ctx)
        if leads[0] < 0:
            self.fail(f"{value!r} holds a negative lead", param, ctx)
        return tuple(leads)


def region_options(command: F) -> F:
    """The options that say which regions and which confidence are meant, for every command that needs them."""
    options = [
        click.option(
            "--gamma", type=Share(), help="Size of regions in standard deviations, where a property gives none."
        ),
        click.option(
            "--coverage", type=Share(), help="Instead: the share of held-out images that regions shall cover."
        ),
        click.option(
            "--region",
            "shape",
            type=click.Choice(["box", "ellipsoid", "pca-box", "span", "band"]),
            default="box",
            show_default=True,
            help="Shape of the regions of focus(...).",
        ),
        click.option(
            "--estimate-from",
            type=click.Choice(["correct", "all"]),
            default="correct",
            show_default=True,
            help="Embeddings that regions are estimated from: of correctly classified images of the class, or of all.",
        ),
        click.option(
            "--confidence", type=float, default=0.95, show_default=True, help="Of intervals and statistical verdicts."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--study", required=True, type=click.Path(path_type=Path), help="The study that says what is verified.")
@region_options
@click.option("--budget", type=NumberRange(0), default=60.0, show_default=True, help="Seconds for one property.")
@click.option("--float32", is_flag=True, help="A property holds only where its margin exceeds float32 rounding.")
@click.option("--no-gamma-search", is_flag=True, help="Skip the search for the largest gamma and its curve.")
@click.option(
    "--cross-check", type=click.Choice(["none", "scip"]), default="none", help="Ask SCIP for a second opinion."
)
@click.option(
    "--extent", metavar="CONCEPT", help="By how much CONCEPT may change in images of a class before anything else does."
)
@click.option(
    "--leads", type=Leads(), help="How many properties are provable where outputs lead by so many logits: 0,2,4,8."
)
@click.option("--certificate", type=click.Path(path_type=Path), help="Where to write it; STUDY/certificates otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--junit", type=click.Path(path_type=Path), help="Also write a JUnit XML file.")
@click.option("--sarif", type=click.Path(path_type=Path), help="Also write a SARIF 2.1.0 file.")
def verify(  # noqa: PLR0917 (click passes every option by name)
    files: tuple[Path, ...],
    study: Path,
    certificate: Path | None,
    extent: str | None,
    leads: tuple[Fraction, ...] | None,
    as_json: bool,
    junit: Path | None,
    sarif: Path | None,
    **choices: Unpack[VerifyChoices],
) -> None:
    """Decide the properties in FILES. Exit code 0: all hold, 1: one is violated, 3: none violated but one unknown.

    With --extent nothing is decided: for the output of each class that FILES speak of, and for each property, the share of
    images is printed in which the concept may be strengthened or weakened by so much without a change. With --leads the
    properties are asked only of outputs that lead by so much, over spans or bands (--region) as large as can be proved.
    """
    from conspect.core.files import require_place
    from conspect.core.verdicts import exit_code
    from conspect.results.files import encoded
    from conspect.results.verification import VerifiedProperties
    from conspect.study.proving.records import property_record

    try:
        options = verify_options(choices)
        for place in (certificate, junit, sarif):
            if place is not None:
                require_place(place)
        if leads is not None:
            kept = {"shape"} if options.shape in ("span", "band") else set()
            _refuse_beside("--leads", {"files", "study", "leads", "as_json"} | kept)
            _leads(files, study, leads, "band" if options.shape == "band" else "span", as_json)
            return
        if extent is not None:
            _refuse_beside("--extent", {"files", "study", "extent", "as_json", "certificate"})
            _extents(files, study, extent, certificate, as_json)
            return
        results, path = _results(files, study, options, certificate)
        records = tuple(map(property_record, results))
        if junit:
            from conspect.report.junit import junit_xml

            _write(junit, junit_xml(records))
        if sarif:
            from conspect.report.sarif import sarif_log

            _write(sarif, json.dumps(sarif_log(records), indent=2))
    except ConspectError as error:
        stop(error, as_json)
    if as_json:
        click.echo(encoded(VerifiedProperties(properties=records), indent=None).decode().rstrip())
    else:
        from conspect.report.verdicts import verdict_counts, verdict_lines

        for record in records:
            click.echo(verdict_lines(record))
        click.echo(_about_certificate(path, sum(not result.claims for result in results)))
        click.echo(verdict_counts(records))
    sys.exit(exit_code(result.verdict for result in results))


def _refuse_beside(mode: str, used: set[str]) -> None:
    """VERIFY010 for an option that was given beside one that decides nothing, and that would be without effect."""
    from click.core import ParameterSource

    context = click.get_current_context()
    given = [
        option
        for option in context.command.params
        if option.name not in used and context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        names = " and ".join(option.opts[0] for option in given)
        beside = " (and --region takes span or band there)" if mode == "--leads" and "--region" in names else ""
        raise user_error(
            "VERIFY010", f"{names} would be without effect beside {mode}{beside}", f"leave out {names}, or {mode}"
        )


def _extents(files: tuple[Path, ...], study: Path, concept: str, certificate: Path | None, as_json: bool) -> None:
    """Prints by how much a concept may change, and writes what proves it."""
    from conspect.cli.progress import terminal_bar
    from conspect.report.verdicts import extent_lines
    from conspect.results.extents import PrintedExtents
    from conspect.results.files import encoded
    from conspect.study import Study
    from conspect.study.proving.deciding import read_sources
    from conspect.study.proving.records import extents_record
    from conspect.verification.extents.classes import class_extents
    from conspect.verification.queries.planning import plan

    subject = Study.open(study).verification_subject(terminal_bar)
    sources = read_sources(files, subject)
    jobs = [job for source in sources for job in plan(source.tree, subject, source.name)]
    extents = class_extents(jobs, subject, concept, terminal_bar)
    claims = [claim for entry in extents for claim in entry.claims]
    path = _certified(claims, sources, subject, certificate or _certificate_path(files, study, concept))
    records = tuple(map(extents_record, extents))
    if as_json:
        click.echo(encoded(PrintedExtents(extents=records), indent=None).decode().rstrip())
    else:
        click.echo(extent_lines(records))
        click.echo(_about_certificate(path, 0))


def _leads(
    files: tuple[Path, ...], study: Path, leads: tuple[Fraction, ...], shape: Literal["span", "band"], as_json: bool
) -> None:
    """Prints how much is provable of what the model is sure of."""
    from conspect.cli.progress import terminal_bar
    from conspect.report.verdicts import lead_lines
    from conspect.results.files import encoded
    from conspect.results.leads import PrintedLeads
    from conspect.study import Study
    from conspect.study.proving.deciding import read_sources
    from conspect.study.proving.records import lead_record
    from conspect.verification.queries.planning import plan
    from conspect.verification.regions.leads import lead_curve

    subject = Study.open(study).verification_subject(terminal_bar)
    sources = read_sources(files, subject)
    jobs = [job for source in sources for job in plan(source.tree, subject, source.name)]
    records = tuple(map(lead_record, lead_curve(jobs, subject, leads, shape, terminal_bar)))
    if as_json:
        click.echo(encoded(PrintedLeads(shape=shape, leads=records), indent=None).decode().rstrip())
    else:
        click.echo(lead_lines(records, shape))


def _about_certificate(path: Path | None, uncertified: int) -> str:
    """Where the certificate lies, and what it does not carry."""
    if path is None:
        return "certificate: none, for no property here is of a kind that certificates carry"
    return f"certificate: {path}" + (f" (without {uncertified} that certificates do not carry)" if uncertified else "")


def _certificate_path(files: tuple[Path, ...], study: Path, concept: str | None = None) -> Path:
    """Apart from those of `conspect run`, which vouch for the study's own results; extents lie beside the verdicts."""
    from conspect.core.digests import digest_json
    from conspect.verification.certificates.writing import certificate_name

    path = study / "certificates" / "verify" / certificate_name(files)
    _guarded(lambda: path.parent.mkdir(parents=True, exist_ok=True), path.parent)
    return path if concept is None else path.with_name(f"{path.stem}.extents-{digest_json(concept)[:8]}.json")


def verify_options(choices: VerifyChoices) -> VerifyOptions:
    """The caller's choices; what a command does not ask for keeps its default."""
    from conspect.verification.queries.model import VerifyOptions

    if choices["gamma"] is not None and choices["coverage"] is not None:
        raise user_error("VERIFY010", "--gamma and --coverage both say how large regions are", "give one of them")
    coverage, confidence = choices["coverage"], choices["confidence"]
    if coverage is not None and coverage > 1:
        raise user_error(
            "VERIFY010", f"--coverage {coverage} is more than all images", "give a share such as 0.9 or 90%"
        )
    if not 0.5 <= confidence < 1:
        raise user_error(
            "VERIFY010",
            f"--confidence {confidence:g} is not a share of at least 0.5 and below 1: nothing is measured with certainty",
            "give a share such as 0.95",
        )
    return VerifyOptions(
        gamma=choices["gamma"],
        coverage=coverage,
        shape=choices["shape"],
        estimate_from=choices["estimate_from"],
        confidence=confidence,
        seconds_budget=choices.get("budget", 60.0),
        search_gamma=not choices.get("no_gamma_search", False),
        cross_check=choices.get("cross_check", "none"),
        float32=choices.get("float32", False),
    )


def _results(
    files: tuple[Path, ...], study: Path, options: VerifyOptions, certificate: Path | None
) -> tuple[list[PropertyResult], Path | None]:
    """What is known of every property, and where its certificate lies; None where there is nothing to certify."""
    from conspect.cli.progress import terminal_bar
    from conspect.study import Study
    from conspect.study.proving.deciding import decided, read_sources

    subject = Study.open(study).verification_subject(terminal_bar)
    sources = read_sources(files, subject)
    results = decided([(source.name, source.tree) for source in sources], subject, options, bar=terminal_bar)
    path = certificate or _certificate_path(files, study)
    return results, _certified([claim for result in results for claim in result.claims], sources, subject, path)


def _certified(
    claims: Sequence[Claim], sources: Sequence[SpecificationSource], subject: VerificationModel, path: Path
) -> Path | None:
    """Writes the certificate; None where there is nothing to certify. Raises OutsideError VERIFY009."""
    from conspect.study.proving.deciding import write_certificate

    return path if _guarded(lambda: write_certificate(path, claims, sources, subject), path) else None


def _write(path: Path, text: str) -> None:
    from conspect.core.files import write_atomically

    _guarded(lambda: write_atomically(path, text.encode()), path)


def _guarded(work: Callable[[], R], path: Path) -> R:
    try:
        return work()
    except OSError as error:
        raise outside_error("VERIFY009", f"cannot write {path}: {error.strerror}", "check the path") from None


def stop(error: ConspectError, as_json: bool, records: str = "properties") -> NoReturn:
    """Prints what is wrong and ends with its exit code; `records`: the key that a good answer would have."""
    if as_json:
        objects = [diagnostic.to_object() for diagnostic in error.diagnostics]
        click.echo(json.dumps({records: [], "diagnostics": objects}))
    else:
        for diagnostic in error.diagnostics:
            click.echo(str(diagnostic), err=True)
    sys.exit(2 if isinstance(error, UserError) else error.exit_code)
