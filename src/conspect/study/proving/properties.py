"""The properties of a study: verified once, kept by content, summed up over sizes and coverages."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from conspect.core.claim_names import at_coverage
from conspect.core.digests import digest_arrays, digest_json
from conspect.core.files import read_specification, writing_to
from conspect.core.protocols import ProgressBar
from conspect.language.syntax.tree import Specification
from conspect.results.verification import CoverageRow, Property, Verification
from conspect.study.config import NeighbourhoodsConfig
from conspect.study.kept_records import KeptRecords, key_of
from conspect.study.proving.coverage import provable_coverage
from conspect.study.proving.deciding import decided, source_of, write_certificate
from conspect.study.proving.kept import KeptSource, KeptVerification, certificate_paths
from conspect.study.proving.neighbourhoods import neighbourhoods_of
from conspect.study.proving.records import property_record
from conspect.study.proving.sums import COVERAGES, by_gamma, share_of, statistically
from conspect.verification.certificates.claims import RegionClaim
from conspect.verification.certificates.writing import text_digest
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.results import PropertyResult

FORMAT = 5


def property_results(
    files: Sequence[Path], subject: VerificationModel, folder: Path, *, bar: ProgressBar
) -> Verification:
    """Verdicts on the properties of specification files, with certificates in `folder`/certificates.

    Kept in `folder`/verification by the digest of subject, files and version, and believed only with its certificates.
    Raises the language's UserError for a
    wrong file, SPEC415 for one that cannot be read, STORE001 when the folder cannot be written.
    """
    texts = [read_specification(file) for file in files]
    named = [[file.name, text.decode("utf-8", "replace")] for file, text in zip(files, texts, strict=True)]
    sources = [
        KeptSource(file.name, text_digest(text), target)
        for file, text, target in zip(files, texts, certificate_paths(files, folder), strict=True)
    ]
    records = KeptRecords(folder / "verification", Verification)
    kept = KeptVerification(records, key_of(FORMAT, _digest(subject), named), sources)
    verified = kept.read(subject)
    if verified is None:
        verified = _verified(files, texts, subject, sources, bar)
        kept.write(verified)
    return verified


def _verified(
    files: Sequence[Path],
    texts: Sequence[bytes],
    subject: VerificationModel,
    sources: Sequence[KeptSource],
    bar: ProgressBar,
) -> Verification:
    named = [source_of(text, file.name, subject) for file, text in zip(files, texts, strict=True)]
    trees = [(source.name, source.tree) for source in named]
    results: list[PropertyResult] = []
    for source, kept in zip(named, sources, strict=True):
        of_file = decided([(source.name, source.tree)], subject, bar=bar)
        results += of_file
        with writing_to(kept.certificate.parent):
            claims = [claim for result in of_file for claim in result.claims]
            if not write_certificate(kept.certificate, claims, [source], subject):
                kept.certificate.unlink(missing_ok=True)  # an earlier one would speak of another text
    coverage, covering = provable_coverage(trees, results, subject, bar=bar)
    at_coverages = [_by_coverage(trees, subject, share, bar) for share in COVERAGES]
    covering += [claim for _, more in at_coverages for claim in more]
    for source, kept in zip(named, sources, strict=True):
        write_certificate(kept.coverage, [claim for claim in covering if claim.file == source.name], [source], subject)
    properties = tuple(_short(result) for result in results)
    return Verification(
        files=tuple(file.name for file in files),
        by_gamma=by_gamma(properties),
        by_coverage=tuple(row for row, _ in at_coverages),
        statistically=statistically(properties),
        properties=properties,
        provable_coverage=coverage,
    )


def with_neighbourhoods(
    verified: Verification,
    files: Sequence[Path],
    subject: VerificationModel,
    config: NeighbourhoodsConfig,
    folder: Path,
    *,
    bar: ProgressBar,
) -> Verification:
    """The record with what is proved around images, computed anew each time; its certificates go to `folder`/certificates."""
    sources = [source_of(read_specification(file), file.name, subject) for file in files]
    summed, why, claims = neighbourhoods_of([(s.name, s.tree) for s in sources], subject, config, bar=bar)
    for source, target in zip(sources, certificate_paths(files, folder), strict=True):
        own = [claim for claim in claims if claim.file == source.name]
        if own:
            with writing_to(target.parent):
                write_certificate(KeptSource(source.name, source.digest, target).near, own, [source], subject)
    return replace(verified, neighbourhoods=summed, neighbourhoods_left_out=why)


def _digest(subject: VerificationModel) -> str:
    splits = {
        f"{name}.{part}": getattr(s, part) for name, s in subject.splits.items() for part in ("embeddings", "labels")
    }
    changed = None if subject.changed is None else subject.changed.digest
    parts = [subject.head.digest, subject.lens.digest, digest_arrays(splits), dict(subject.thresholds), changed]
    return digest_json(parts)


def _short(result: PropertyResult) -> Property:
    return replace(without_embedding(property_record(result)), seconds=round(result.seconds, 4))


def without_embedding(record: Property) -> Property:
    """The record without the witness's embedding, which its certificate carries."""
    return record if record.witness is None else replace(record, witness=replace(record.witness, embedding=None))


def _by_coverage(
    trees: Sequence[tuple[str, Specification]], subject: VerificationModel, coverage: Fraction, bar: ProgressBar
) -> tuple[CoverageRow, list[RegionClaim]]:
    """Formally over the smallest boxes that cover a share of the class, with the claims that prove the row."""
    options = VerifyOptions(coverage=coverage, search_gamma=False, curve_gammas=())
    results = decided(trees, subject, options, bar=bar)
    claims = [
        dataclasses.replace(result.claim, name=at_coverage(result.claim.name, coverage))
        for result in results
        if isinstance(result.claim, RegionClaim)
    ]
    without = [r.verdict.reason for r in results if r.kind == "region" and r.region is None]
    if without and len(without) == len(results):
        row = CoverageRow(
            coverage=float(coverage),
            reached=None,
            holds=0,
            violated=0,
            unknown=0,
            properties=0,
            share=None,
            why=without[0],
        )
        return row, claims
    reached = [r.coverage.rate for r in results if r.coverage is not None and r.coverage.n]
    verdicts = Counter(r.verdict.outcome for r in results)
    row = CoverageRow(
        coverage=float(coverage),
        reached=float(np.mean(reached)) if reached else None,
        holds=verdicts["holds"],
        violated=verdicts["violated"],
        unknown=verdicts["unknown"],
        properties=len(results),
        share=share_of(verdicts["holds"], len(results)),
    )
    return row, claims
