"""Where a certificate that the checker accepts is not that of a study and its specifications, in words.

The checker shows that a certificate's claims are true of the numbers in it. Whether these are the numbers of the study,
the formulas those of the specification, and the claims complete, can only be told with both at hand: here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from conspect.core.claim_names import END_NAMES
from conspect.verification.certificates.claims import RegionClaim
from conspect.verification.certificates.expectation import ExpectedClaim, SpecificationSource, plain
from conspect.verification.certificates.formula_claim import ClaimFields
from conspect.verification.certificates.writing import EVIDENCE, CertificateBody, thresholds_of, tie_of
from conspect.verification.queries.model import VerificationModel

# What the certificate adds for its own use, and what only a proof or a witness can decide.
OWN = (*EVIDENCE, "file", "verdict")
# By how much an end of sizes may fall short of what the study reaches anew, relative: the search stops within half of it.
SLACK = Fraction(2, 10**4)


@dataclass(frozen=True, eq=False)
class Comparison:
    """One certificate against what was expected of it, file by file."""

    subject: VerificationModel
    sources: Sequence[tuple[SpecificationSource, Sequence[ExpectedClaim]]]

    def differences(self, body: CertificateBody) -> list[str]:
        """Where an accepted certificate says other things than it should, more, or less; empty when it does not."""
        differences = self._about_model(body)
        carried = {digest: name for name, digest in body["sources"].items()}
        wanted = {source.digest for source, _ in self.sources}
        differences += [
            f"{s.name}: its text is not among the sources" for s, _ in self.sources if s.digest not in carried
        ]
        differences += [
            f"the certificate also speaks of {name!a}, a text that was not given"
            for name, digest in body["sources"].items()
            if digest not in wanted
        ]
        if len(carried) < len(body["sources"]):
            differences.append("two sources of the certificate are one text")
        claims = {(str(claim["file"]), str(claim["name"])): claim for claim in body["claims"]}
        for source, expected in self.sources:
            name = carried.get(source.digest, source.name)
            differences += _about_sizes(claims, name, expected)
            for entry in expected:
                claim = claims.pop((name, entry.name), None)
                if claim is not None:
                    differences += [f"{entry.name}: {line}" for line in _between(claim, entry)]
                elif entry.required or entry.reached() is not None:
                    differences.append(f"{entry.name}: nothing is claimed of it")
        return differences + [f"{name!a}: the specification gives rise to no such claim" for _, name in claims]

    def _about_model(self, body: CertificateBody) -> list[str]:
        differences = []
        subject = self.subject
        names = body["names"]
        for kind, carried, expected in (
            ("classes", names["classes"], list(subject.class_names)),
            ("concepts", names["concepts"], list(subject.concept_names)),
        ):
            if carried != expected:
                differences.append(f"its {kind} are {carried!a:.200}, those of the study {expected!a:.200}")
        thresholds = thresholds_of(subject)
        for name in sorted(thresholds.keys() | body["thresholds"].keys()):
            here, there = body["thresholds"].get(name), thresholds.get(name)
            if here != there:
                differences.append(f"the threshold of {name!a} is {here}, in the study {there}")
        tie = tie_of(subject)
        differences += [f"its {part} is not that of the study" for part in tie if body["digests"][part] != tie[part]]
        if body["study"] != dict(subject.digests):
            differences.append("the digests of the study (model, data, preprocessing) are others")
        return differences


def _about_sizes(
    claims: Mapping[tuple[str, str], ClaimFields], file: str, expected: Sequence[ExpectedClaim]
) -> list[str]:
    """A verdict and the ends of its sizes belong together: what holds does so up to some size, at least its own."""
    differences = []
    names = {entry.name for entry in expected}
    for verdict, end, sign in (("holds", END_NAMES.low, 1), ("violated", END_NAMES.high, -1)):
        for name in sorted(names):
            claim, other = claims.get((file, name)), claims.get((file, f"{name} {end}"))
            if claim is None or other is None or f"{name} {end}" not in names or claim["verdict"] == verdict:
                continue
            if other["verdict"] == verdict and sign * (_size(other) - _size(claim)) >= 0:
                differences.append(
                    f"{name}: {claim['verdict']} at {_short(claim['size'])}, though {end} it {verdict} there, too"
                )
        for name in sorted(names):
            claim, other = claims.get((file, name)), claims.get((file, f"{name} {end}"))
            if claim is None or claim["verdict"] != verdict or f"{name} {end}" not in names:
                continue
            if other is None:
                differences.append(f"{name} {end}: nothing is claimed of it")
            elif sign * (_size(other) - _size(claim)) < 0:
                differences.append(
                    f"{name} {end}: that is {_short(other['size'])}, though it {verdict} at {_short(claim['size'])}"
                )
    return differences


def _size(claim: ClaimFields) -> Fraction:
    size = claim.get("size")
    return Fraction(size) if isinstance(size, str) else Fraction(-1)


def _between(claim: ClaimFields, expected: ExpectedClaim) -> list[str]:
    try:
        wanted = _wanted(claim, expected)
    except (ArithmeticError, ValueError):
        return [f"its size is {_short(claim.get('size'))}, with which no region can be computed"]
    if wanted is None:
        return ["its conclusion is claimed alone, and it has none"]
    differences = []
    for key in sorted(wanted.keys() | claim.keys() - set(OWN)):
        if key not in OWN and claim.get(key) != wanted.get(key):
            differences.append(f"{key} is {_short(claim.get(key))}, and should be {_short(wanted.get(key))}")
    verdicts = expected.verdicts or (wanted["verdict"],)
    if claim["verdict"] not in verdicts:
        differences.append(f"verdict is {_short(claim['verdict'])}, and should be {' or '.join(map(str, verdicts))}")
    return differences or _less(claim, expected)


def _less(claim: ClaimFields, expected: ExpectedClaim) -> list[str]:
    """Where a claim, true as it is, says less than the study itself reaches."""
    if not expected.outward:
        known = expected.reached() if claim["verdict"] == "unknown" else None
        return (
            []
            if known is None or known.verdict == "unknown"
            else [f"it is left open, and the study says {known.verdict}"]
        )
    known = expected.reached()
    if not isinstance(known, RegionClaim):
        return []
    missing = expected.outward * (known.region.size - _size(claim))
    if missing <= SLACK * known.region.size:
        return []
    return [f"that is {_short(claim['size'])}, and the study reaches {float(known.region.size):.6g}"]


def _wanted(claim: ClaimFields, expected: ExpectedClaim) -> ClaimFields | None:
    # What is no claim about a region has no size; it differs from what is expected in every other way, too.
    fields = expected.fields(claim if isinstance(claim.get("size"), str) else {**claim, "size": "0"})
    return None if fields is None else plain(fields)


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else text[:120] + "..."
