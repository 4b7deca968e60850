"""Provable coverage against the lead of the winning logit: what `conspect verify --leads` prints."""

from __future__ import annotations

from msgspec import Struct

from conspect.results.shares import Count, Fraction


class ProvedAtLead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many properties are proved over a region that holds `coverage` of the images of their class by conformal prediction."""

    coverage: Fraction
    proved: Count


class LeadRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Properties asked only of outputs that lead by `lead` (in logits).

    `leading`: of `images` held-out images of the classes, those whose own class leads by so much. `median`: of the provable
    coverages, the guaranteed share of each property's largest proved region.
    """

    lead: float
    leading: Count
    images: Count
    share: Fraction | None
    properties: Count
    median: Fraction
    proved: tuple[ProvedAtLead, ...]


class PrintedLeads(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect verify --leads --json` prints; `shape`: of the regions."""

    shape: str
    leads: tuple[LeadRow, ...]
