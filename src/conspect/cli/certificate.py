"""`conspect certificate`: checks certificates; `conspect.checker.check` does the same without Conspect."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import click

from conspect.cli.lazy import SuggestingGroup
from conspect.cli.verify import VerifyChoices, region_options, stop, verify_options
from conspect.core.diagnostics import ConspectError, user_error

if TYPE_CHECKING:  # numpy and the language are loaded only when a study is compared
    from conspect.checker.check import Claim
    from conspect.results.certificates import CheckedCertificate
    from conspect.study.proving.comparing import StudyCertificates
    from conspect.verification.queries.model import VerifyOptions


@click.group(cls=SuggestingGroup)
def certificate() -> None:
    """Check what makes a verdict certain, in exact arithmetic."""


@certificate.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--study", type=click.Path(path_type=Path), help="Demand exactly the claims that this study gives rise to."
)
@click.option(
    "--spec",
    multiple=True,
    type=click.Path(path_type=Path),
    help="With --study: the specification files; those of study.toml otherwise.",
)
@region_options
@click.option("--no-gamma-search", is_flag=True, help="With --study: the certificate has no ends of sizes.")
@click.option("--extent", metavar="CONCEPT", help="With --study: the certificate is one of `conspect verify --extent`.")
@click.option("--expect", multiple=True, metavar="KEY=DIGEST", help="Refuse certificates of another head or lens.")
@click.option("--seconds", type=click.IntRange(1), default=300, show_default=True, help="Time for one file.")
@click.option(
    "--megabytes", type=click.IntRange(1), default=4096, show_default=True, help="Memory for one file's numbers."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def check(  # noqa: PLR0917 (click passes every option by name)
    files: tuple[Path, ...],
    study: Path | None,
    spec: tuple[Path, ...],
    extent: str | None,
    expect: tuple[str, ...],
    seconds: int,
    megabytes: int,
    as_json: bool,
    **choices: Unpack[VerifyChoices],
) -> None:
    """Check FILES. Without --study: that what each claims is true of the numbers in it, and what it claims is printed.

    With --study: also that these are the study's numbers and that the claims are exactly those of the specification, with
    the regions that the options of `conspect verify` give. Exit code 0: all accepted, 1: some refused, 3: with --study,
    all accepted but a claim is open.
    """
    from conspect.checker.check import Budget

    expected = [(key, digest) for key, _, digest in (word.partition("=") for word in expect)]
    try:
        if study is None and spec:
            raise user_error("VERIFY010", "--spec says nothing without --study", "give the study too")
        asked = None if study is None else _asked(study, spec, verify_options(choices), extent)
        checked = [_checked(file, expected, Budget(seconds, megabytes), asked) for file in files]
    except ConspectError as error:
        stop(error, as_json, "certificates")
    if as_json:
        from conspect.results.certificates import CheckedCertificates
        from conspect.results.files import encoded

        records = CheckedCertificates(certificates=tuple(file.record() for file in checked))
        # In ASCII: what a certificate says may be meant for a terminal's control.
        click.echo(json.dumps(json.loads(encoded(records)), indent=2))
    else:
        for file in checked:
            click.echo("\n".join(file.lines(compared=study is not None)))
    opened = study is not None and any(file.is_open for file in checked)
    sys.exit(1 if any(file.reasons for file in checked) else 3 if opened else 0)


def _asked(study: Path, spec: tuple[Path, ...], options: VerifyOptions, extent: str | None) -> StudyCertificates:
    """What certificates are compared with: a study and its own files, or those given."""
    from conspect.cli.progress import terminal_bar
    from conspect.study import Study
    from conspect.study.proving.comparing import certificates_of

    return certificates_of(Study.open(study), spec, options, extent, bar=terminal_bar)


@dataclass(eq=False)
class _CertificateReading:
    """A certificate file with its claims, or the reasons why it is refused."""

    file: Path
    claims: list[Claim]
    reasons: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether a property is not decided, or nothing can be claimed of it."""
        return bool(self.silent) or any(claim.verdict == "unknown" for claim in self.claims)

    def record(self) -> CheckedCertificate:
        """As --json prints it."""
        from conspect.results.certificates import AcceptedClaim, CheckedCertificate

        claims = () if self.reasons else self.claims
        return CheckedCertificate(
            file=str(self.file),
            accepted=not self.reasons,
            reason="; ".join(self.reasons),
            differences=tuple(self.reasons),
            nothing_claimed=tuple(self.silent),
            claims=tuple(AcceptedClaim(*claim) for claim in claims),
        )

    def lines(self, *, compared: bool) -> list[str]:
        """As people read it."""
        from conspect.checker.check import NOT_COMPARED, quoted, shown, summary

        name = shown(self.file)
        if self.reasons:
            return [f"{name}: REFUSED: {shown(reason)}" for reason in self.reasons]
        lines = [f"{claim.verdict:8} {quoted(claim.name)}: {claim.statement}" for claim in self.claims]
        how = "compared: exactly the claims of the specification, about this study" if compared else NOT_COMPARED
        lines += [f"unknown  {shown(reason)}" for reason in self.silent]
        return [*lines, f"{name}: {summary(self.claims)}", how]


def _checked(
    file: Path, expected: list[tuple[str, str]], budget: Any, asked: StudyCertificates | None
) -> _CertificateReading:
    from conspect.checker import check as checker

    try:
        data = checker.read(file)
        claims = checker.check_data(data, expected, budget)
    except checker.Refused as reason:
        return _CertificateReading(file, [], [str(reason)])
    if asked is None:
        return _CertificateReading(file, claims)
    compared = asked.compare(file, data)
    return _CertificateReading(file, claims, compared.differences, compared.silent)
