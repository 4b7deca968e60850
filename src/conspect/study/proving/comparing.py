"""A certificate against the study that it is said to be of: what it should claim, and what the study's results print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from conspect.core.claim_names import over_shape
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ProgressBar, silent
from conspect.results.certificates import Certificate
from conspect.results.files import decoded
from conspect.results.results import Results
from conspect.results.verification import Verification
from conspect.study.config import NeighbourhoodsConfig
from conspect.study.proving.claimed import unclaimed, unclaimed_around
from conspect.study.proving.deciding import read_sources
from conspect.study.proving.kept import certificate_paths
from conspect.study.proving.neighbourhoods import neighbourhoods_of
from conspect.study.proving.sums import COVERAGES
from conspect.verification.certificates.binding import Comparison
from conspect.verification.certificates.expectation import Expectation, ExpectedClaim, SpecificationSource, expected
from conspect.verification.certificates.writing import CertificateBody
from conspect.verification.queries.model import VerificationModel, VerifyOptions

if TYPE_CHECKING:  # a study is opened by those who call
    from conspect.core.regions import Shape
    from conspect.study.study import Study

# What certificates of some files should claim, file by file, and of what nothing can be claimed.
Wanted: TypeAlias = tuple[list[tuple[SpecificationSource, Sequence[ExpectedClaim]]], list[str]]
COVERAGE_SUFFIX = ".coverage.json"
NEAR_SUFFIX = ".near.json"


@dataclass(frozen=True, eq=False)
class CertificateComparison:
    """`differences`: why a certificate is refused. `silent`: properties of which nothing can be claimed, with why."""

    differences: list[str]
    silent: list[str]


@dataclass(frozen=True, eq=False)
class StudyCertificates:
    """What a study, with its specification files or others, expects of certificates.

    `chosen`: the files were named by the caller, and a certificate has to be of all of them. `record`: the verdicts of the
    study's own results, or None. `extent`: the concept whose extents the certificates are about, if they are.
    """

    folder: Path
    files: Sequence[Path]
    sources: Sequence[SpecificationSource]
    chosen: bool
    subject: VerificationModel
    options: VerifyOptions
    record: Verification | None
    extent: str | None = None
    neighbourhoods: NeighbourhoodsConfig = field(default_factory=NeighbourhoodsConfig)
    _known: dict[tuple[str, ...], Wanted] = field(default_factory=dict)

    def compare(self, path: Path, content: bytes) -> CertificateComparison:
        """An accepted certificate against what it should claim; one whose name says so against provable coverages."""
        try:
            return self._compared(path, content)
        except (ArithmeticError, ValueError) as error:  # what was written by others may hold any number
            return CertificateComparison(
                [f"a number in it, or beside it in the results, cannot be used: {error!s:.200}"], []
            )

    def _compared(self, path: Path, content: bytes) -> CertificateComparison:
        certificate, body = decoded(content, Certificate), json.loads(content)
        concepts = {claim.get("concept") for claim in body["claims"] if claim["kind"] == "extent"}
        if self.extent is None and concepts:
            along = next(iter(concepts))
            names = self.subject.concept_names
            known = names[along] if isinstance(along, int) and 0 <= along < len(names) else "CONCEPT"
            return CertificateComparison(
                [f"it is about extents: compare it with --extent {json.dumps(known, ensure_ascii=False)}"], []
            )
        if path.name.endswith(NEAR_SUFFIX):
            return self._around_images(path, certificate, body)
        is_coverage = path.name.endswith(COVERAGE_SUFFIX)
        sources = self._sources_for(certificate)
        key = ("coverage" if is_coverage else "verdicts", *(source.digest for source in sources))
        if key not in self._known:
            self._known[key] = self._wanted(sources, is_coverage=is_coverage)
        wanted, silent = self._known[key]
        differences = Comparison(self.subject, wanted).differences(body)
        return CertificateComparison(differences + self._unprinted(path, certificate, is_coverage=is_coverage), silent)

    def _wanted(self, sources: Sequence[SpecificationSource], *, is_coverage: bool) -> Wanted:
        """What a certificate of these files should claim, and of what nothing can be claimed."""
        expectation = Expectation(self.subject, self.options)
        wanted: list[tuple[SpecificationSource, Sequence[ExpectedClaim]]] = []
        silent: list[str] = []
        for source in sources:
            expected, more = expectation.verdicts(source)
            if self.extent is not None:
                expected, more = expectation.extents(source, self.extent), []
            elif is_coverage:
                expected = expectation.coverage(source, COVERAGES)
            wanted.append((source, expected))
            silent += more
        return wanted, silent

    def _around_images(self, path: Path, certificate: Certificate, body: CertificateBody) -> CertificateComparison:
        """A certificate of what is proved around images: each count is found again."""
        sources = self._sources_for(certificate)
        key = ("near", *(source.digest for source in sources))
        if key not in self._known:
            trees = [(source.name, source.tree) for source in sources]
            claims = neighbourhoods_of(trees, self.subject, self.neighbourhoods, bar=silent)[2]
            self._known[key] = [(s, [expected(claim) for claim in claims if claim.file == s.name]) for s in sources], []
        differences = Comparison(self.subject, self._known[key][0]).differences(body)
        for target, file in zip(certificate_paths(self.files, self.folder), self.files, strict=True):
            beside = path.with_name(path.name.removesuffix(NEAR_SUFFIX) + ".json")
            if self.record is not None and target.resolve() == beside.resolve():
                differences += unclaimed_around(self.record, file.name, certificate.by_name())
        return CertificateComparison(differences, [])

    def _sources_for(self, certificate: Certificate) -> list[SpecificationSource]:
        """The files given; of the study's own files those that the certificate speaks of, or all if of none."""
        known = [source for source in self.sources if source.digest in certificate.sources.values()]
        return list(self.sources) if self.chosen or not known else known

    def _unprinted(self, path: Path, certificate: Certificate, *, is_coverage: bool) -> list[str]:
        """For the certificates of `conspect run`: where the study's results print other things than they claim."""
        if self.extent is not None or self.record is None or self.options != VerifyOptions():
            return []
        own = certificate_paths(self.files, self.folder)
        beside = path.with_name(path.name.removesuffix(COVERAGE_SUFFIX) + ".json") if is_coverage else path
        for target, file in zip(own, self.files, strict=True):
            if target.resolve() != beside.resolve():
                continue
            claims = certificate.by_name()
            if not is_coverage:
                return unclaimed(self.record, file.name, claims, None)
            verdicts = decoded(target.read_bytes(), Certificate).by_name() if target.is_file() else {}
            return unclaimed(self.record, file.name, verdicts, claims) or self._unguaranteed(self.record, file.name)
        return []

    def _unguaranteed(self, record: Verification, file: str) -> list[str]:
        """Where the results print another guaranteed coverage of a proved region than its sizes give."""
        printed = [
            (entry.id, shape, proved)
            for entry in (record.provable_coverage.properties if record.provable_coverage is not None else ())
            if entry.file == file
            for shape, proved in entry.by_shape.items()
        ]
        source = next((s for s in self.sources if Path(s.name).name == file), None)
        if source is None or not printed:
            return []
        asked = [(name, cast("Shape", shape), Fraction(p.size), p.premise_dropped) for name, shape, p in printed]
        shares = Expectation(self.subject, self.options).guaranteed(source, asked)
        return [
            f"{over_shape(name, shape)}: the results say that it holds {proved.coverage:g} of images"
            for (name, shape, proved), share in zip(printed, shares, strict=True)
            if share is None or float(share) != proved.coverage
        ]


def printed_verdicts(results: Path) -> Verification | None:
    """What a study's results.json says of its properties; None before there is one. STUDY003 for one that is damaged."""
    if not results.is_file():
        return None
    try:
        return decoded(results.read_bytes(), Results).verification
    except (OSError, ValueError) as error:
        fix = "run the study again with this version: conspect run DIR"
        raise user_error("STUDY003", f"{results} cannot be read: {error}", fix) from error


def certificates_of(
    study: Study,
    files: Sequence[Path] = (),
    options: VerifyOptions | None = None,
    extent: str | None = None,
    *,
    bar: ProgressBar = silent,
) -> StudyCertificates:
    """What a study expects of certificates of its own files, or of those given. VERIFY010 where there are none."""
    from conspect.study.study import RESULTS_FILE  # which reaches this room itself

    subject = study.verification_subject(bar)
    own = tuple(study.folder / name for name in study.config.properties.files)
    if not (files or own):
        raise user_error(
            "VERIFY010", f"{study.folder} names no specification to compare with", "give it with --spec FILE"
        )
    chosen = tuple(files) or own
    return StudyCertificates(
        study.folder,
        chosen,
        read_sources(chosen, subject),
        bool(files),
        subject,
        options or VerifyOptions(),
        None if files else printed_verdicts(study.folder / RESULTS_FILE),
        extent,
        study.config.neighbourhoods or NeighbourhoodsConfig(),
    )
