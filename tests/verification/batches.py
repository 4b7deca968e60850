"""Certificates of batches of random properties, for the tests of verifier and checker."""

from __future__ import annotations

from collections.abc import Sequence

from conspect.bench.workloads.random_properties import PropertyCase
from conspect.verification.certificates.claims import region_claim
from conspect.verification.certificates.writing import CertificateBody, bundle
from conspect.verification.engine.decider import Decider
from conspect.verification.queries.formula_table import leads_asked
from conspect.verification.queries.model import VerificationModel, VerifyOptions


def certificate_of(subject: VerificationModel, cases: Sequence[PropertyCase]) -> CertificateBody:
    """The certificate of a batch of cases, as it is written."""
    leads = tuple(sorted({lead for case in cases for lead in leads_asked(case.job.table)}))
    decider = Decider(subject, VerifyOptions(search_gamma=False), leads=leads)
    answers = decider.decide([(case.job, case.region) for case in cases])
    pairs = zip(cases, answers, strict=True)
    return bundle(subject, [region_claim(c.job, c.region, a.outcome) for c, a in pairs])
