"""Verdicts kept from an earlier run, and when they are believed: never without certificates that prove them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conspect.checker import check
from conspect.results.certificates import Certificate
from conspect.results.files import decoded
from conspect.results.verification import Verification
from conspect.study.kept_records import KeptRecords
from conspect.study.proving.claimed import Claims, unclaimed
from conspect.verification.certificates.writing import certificate_name, tie_of
from conspect.verification.queries.model import VerificationModel


@dataclass(frozen=True, slots=True)
class KeptSource:
    """A specification file by name and SHA-256 of its text, and where its certificate lies."""

    name: str
    digest: str
    certificate: Path

    @property
    def coverage(self) -> Path:
        """Where the certificate of what is provable over each shape lies."""
        return self.certificate.with_name(f"{self.certificate.stem}.coverage.json")

    @property
    def near(self) -> Path:
        """Where the certificate of what is proved around images lies."""
        return self.certificate.with_name(f"{self.certificate.stem}.near.json")


def certificate_paths(files: Sequence[Path], folder: Path) -> list[Path]:
    """`folder`/certificates/STEM.json for each file; files of one stem are told apart by where they lie."""
    stems = Counter(file.stem for file in files)
    names = [f"{file.stem}.json" if stems[file.stem] == 1 else certificate_name([file]) for file in files]
    return [folder / "certificates" / name for name in names]


@dataclass(frozen=True, slots=True)
class KeptVerification:
    """The record that is kept by `key`, and the files whose certificates prove it."""

    records: KeptRecords[Verification]
    key: str
    sources: Sequence[KeptSource]

    def read(self, subject: VerificationModel) -> Verification | None:
        """The record, if it is as it was written and every verdict in it is proved by a certificate that lies there."""
        record = self.records.read(self.key)
        try:
            return record if record is not None and self._is_proved(record, subject) else None
        except (OSError, ValueError, check.Refused):
            return None  # a certificate is damaged, gone or not ours: verified anew

    def write(self, record: Verification) -> None:
        """Keeps the record; an earlier one of the same key goes."""
        self.records.write(self.key, record)

    def _is_proved(self, record: Verification, subject: VerificationModel) -> bool:
        """Whether accepted certificates of these very texts claim what the record prints."""
        tie = tie_of(subject)
        if [entry.file for entry in record.properties if entry.file not in {s.name for s in self.sources}]:
            return False
        for source in self.sources:
            claims = _claims(source.certificate, source, tie)
            covered = _claims(source.coverage, source, tie) if source.coverage.exists() else {}
            if unclaimed(record, source.name, claims, covered):
                return False
        return True


def _claims(path: Path, source: KeptSource, tie: dict[str, str]) -> Claims:
    """The accepted claims of a certificate of this source about this model, by name; Refused for any other."""
    data = check.read(path)
    check.check_data(data, list(tie.items()))
    certificate = decoded(data, Certificate)
    check.need(certificate.sources == {source.name: source.digest}, "the certificate speaks of another text")
    return certificate.by_name()
