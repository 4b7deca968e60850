"""One way from specifications to verdicts and their certificate, for `Study.verify`, `conspect verify` and `conspect run`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from conspect.core.files import read_specification
from conspect.core.protocols import ProgressBar, silent
from conspect.language import check_text
from conspect.language.syntax.tree import Specification
from conspect.verification.certificates.claims import Claim
from conspect.verification.certificates.expectation import SpecificationSource
from conspect.verification.certificates.writing import bundle, text_digest, write_bundle
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.vocabulary import vocabulary_of
from conspect.verification.results import PropertyResult
from conspect.verification.verify import verify


def source_of(text: bytes, name: str, subject: VerificationModel) -> SpecificationSource:
    """A specification with its tree. Raises UserError with every mistake, names that the subject does not know among them."""
    return SpecificationSource(name, text_digest(text), check_text(text, vocabulary_of(subject), name).require())


def read_sources(files: Sequence[Path], subject: VerificationModel) -> list[SpecificationSource]:
    """The specifications in `files`, called as these are. Raises what `source_of` does, SPEC415 for one that cannot be read."""
    return [source_of(read_specification(file), str(file), subject) for file in files]


def decided(
    trees: Iterable[tuple[str, Specification]],
    subject: VerificationModel,
    options: VerifyOptions | None = None,
    *,
    bar: ProgressBar = silent,
) -> list[PropertyResult]:
    """A result for each property of `trees` (names of files and specifications), in source order."""
    return [result for name, tree in trees for result in verify(tree, subject, options, file=name, bar=bar)]


def write_certificate(
    path: Path, claims: Iterable[Claim], sources: Sequence[SpecificationSource], subject: VerificationModel
) -> bool:
    """Writes the certificate of `claims` about `sources`; False, and no file, where there are none. Raises OSError."""
    carried = list(claims)
    if not carried:
        return False
    write_bundle(path, bundle(subject, carried, {source.name: source.digest for source in sources}))
    return True
