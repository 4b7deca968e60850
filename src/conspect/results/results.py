"""The root of results.json, and the manifest that vouches for it."""

from __future__ import annotations

from msgspec import Struct

from conspect.core.notebooks import drawing_of
from conspect.results.concepts import Concept
from conspect.results.data import Dataset, Environment, StudyChoices, Unreadable
from conspect.results.diagnosis import Diagnosis
from conspect.results.failure_groups import FailureGroup, FailureSearch
from conspect.results.files import decoded, schema_of
from conspect.results.heatmaps import Heatmaps
from conspect.results.localization import Localization
from conspect.results.models import Alignment, Model, Vlm
from conspect.results.monitor import MonitorEvaluation
from conspect.results.slices import ConceptLabels, Slices
from conspect.results.validation import Validation
from conspect.results.verification import Verification

# Grows when a field changes its meaning.
SCHEMA = 4


class Results(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a run of a study found; docs/results.md has every field. `timings`: seconds by stage."""

    schema: int = SCHEMA
    conspect: str
    asked: StudyChoices
    dataset: Dataset
    classes: tuple[str, ...]
    concepts: tuple[Concept, ...]
    model: Model
    vlm: Vlm
    alignment: Alignment
    validation: Validation
    heatmaps: Heatmaps
    diagnosis: Diagnosis
    localization: Localization
    unreadable: tuple[Unreadable, ...]
    environment: Environment
    timings: dict[str, float]
    failure_groups: tuple[FailureGroup, ...] = ()
    failure_search: FailureSearch | None = None
    slices: Slices | None = None
    concept_labels: ConceptLabels | None = None
    verification: Verification | None = None
    monitor: MonitorEvaluation | None = None
    monitor_left_out: str | None = None

    def _repr_html_(self) -> str | None:
        return drawing_of(self)


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """manifest.json: digests of what results.json was made of, and of results.json and its table of failures themselves."""

    conspect: str
    config: str
    results: str
    failures: str
    seed: int
    digests: dict[str, str]


def decoded_results(content: bytes) -> Results:
    """The results that `content` holds. Raises ValueError: of another schema than this version's, or naming what is wrong."""
    try:
        return decoded(content, Results)
    except ValueError:
        schema = schema_of(content)
        if schema in (None, SCHEMA):
            raise
        raise ValueError(f"it is of schema {schema}, and this version reads schema {SCHEMA}") from None
