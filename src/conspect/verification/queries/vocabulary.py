"""The names of a subject, for the language's checker."""

from __future__ import annotations

from conspect.language import Vocabulary
from conspect.verification.queries.model import VerificationModel


def vocabulary_of(subject: VerificationModel) -> Vocabulary:
    """Classes, concepts, splits, images and thresholds that a specification may speak of."""
    labels = {int(label) for split in subject.splits.values() for label in set(split.labels.tolist())}
    ids = {image for split in subject.splits.values() for image in split.ids}
    ids |= {f"{name}/{image}" for name, split in subject.splits.items() for image in split.ids}
    return Vocabulary(
        subject.class_names,
        subject.concept_names,
        classes_with_data=frozenset(subject.class_names[label] for label in labels),
        splits=tuple(subject.splits),
        image_ids=frozenset(ids),
        concepts_with_threshold=frozenset(subject.thresholds),
        changes=None if subject.changed is None else tuple(dict.fromkeys(p.kind for p in subject.changed.pictures)),
        new_concepts=False,
    )
