"""A certificate against the study that it is said to be of: what it should claim, and what the study's results print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conspect.core.diagnostics import user_error
from conspect.core.protocols import silent
from conspect.results.certificates import Certificate
from conspect.results.files import decoded
from conspect.results.results import Results
from conspect.results.verification import Verification
from conspect.study.config import NeighbourhoodsConfig
from conspect.study.proving.claimed import unclaimed, unclaimed_around
from conspect.study.proving.kept import certificate_paths
from conspect.study.proving.neighbourhoods import neighbourhoods_of
from conspect.study.proving.properties import COVERAGES
from conspect.verification.certificates.binding import Comparison
from conspect.verification.certificates.expectation import Expectation, Source, expected
from conspect.verification.certificates.writing import CertificateBody
from conspect.verification.queries.model import VerificationModel, VerifyOptions

COVERAGE_SUFFIX = ".coverage.json"
NEAR_SUFFIX = ".near.json"


@dataclass(frozen=True, eq=False)
class Compared:
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
    sources: Sequence[Source]
    chosen: bool
    subject: VerificationModel
    options: VerifyOptions
    record: Verification | None
    extent: str | None = None
    neighbourhoods: NeighbourhoodsConfig = field(default_factory=NeighbourhoodsConfig)

    def compare(self, path: Path, content: bytes) -> Compared:
        """An accepted certificate against what it should claim; one whose name says so against provable coverages."""
        certificate, body = decoded(content, Certificate), json.loads(content)
        if path.name.endswith(NEAR_SUFFIX):
            return self._around_images(path, certificate, body)
        is_coverage = path.name.endswith(COVERAGE_SUFFIX)
        expectation = Expectation(self.subject, self.options)
        wanted, silent = [], []
        for source in self._sources_for(certificate):
            expected, more = expectation.verdicts(source)
            if self.extent is not None:
                expected, more = expectation.extents(source, self.extent), []
            elif is_coverage:
                expected = expectation.coverage(source, COVERAGES)
            wanted.append((source, expected))
            silent += more
        differences = Comparison(self.subject, wanted).differences(body)
        return Compared(differences + self._unprinted(path, certificate, is_coverage=is_coverage), silent)

    def _around_images(self, path: Path, certificate: Certificate, body: CertificateBody) -> Compared:
        """A certificate of what is proved around images: each count is found again."""
        sources = self._sources_for(certificate)
        trees = [(source.name, source.tree) for source in sources]
        claims = neighbourhoods_of(trees, self.subject, self.neighbourhoods, bar=silent)[2]
        wanted = [(s, [expected(claim) for claim in claims if claim.file == s.name]) for s in sources]
        told = Comparison(self.subject, wanted).differences(body)
        for target, file in zip(certificate_paths(self.files, self.folder), self.files, strict=True):
            beside = path.with_name(path.name.removesuffix(NEAR_SUFFIX) + ".json")
            if self.record is not None and target.resolve() == beside.resolve():
                told += unclaimed_around(self.record, file.name, certificate.by_name())
        return Compared(told, [])

    def _sources_for(self, certificate: Certificate) -> list[Source]:
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
            return unclaimed(self.record, file.name, verdicts, claims)
        return []


def printed_verdicts(results: Path) -> Verification | None:
    """What a study's results.json says of its properties; None before there is one. STUDY003 for one that is damaged."""
    if not results.is_file():
        return None
    try:
        return decoded(results.read_bytes(), Results).verification
    except (OSError, ValueError) as error:
        fix = "run the study again with this version: conspect run DIR"
        raise user_error("STUDY003", f"{results} cannot be read: {error}", fix) from error
