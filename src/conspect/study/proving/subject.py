"""From a study's measurements to the subject that verification takes, and to mined specifications."""

from __future__ import annotations

import numpy as np

from conspect.analysis.mining import Criterion, mine
from conspect.analysis.thresholds import calibrate
from conspect.language import from_pairs
from conspect.language.syntax.tree import Specification
from conspect.study.inputs import Inputs
from conspect.study.measuring.measurements import Measurements
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel


def subject_of(inputs: Inputs, measured: Measurements, *, seed: int) -> VerificationModel:
    """Splits "train" (regions and thresholds), "val" and "test": two random halves of the test images."""
    order = np.random.default_rng([seed, 1]).permutation(len(measured.rows))
    halves = {"val": np.sort(order[: len(order) // 2]), "test": np.sort(order[len(order) // 2 :])}
    splits = {
        name: EmbeddingSplit(measured.embeddings[rows], measured.labels[rows], tuple(measured.ids[row] for row in rows))
        for name, rows in halves.items()
    }
    splits["train"] = EmbeddingSplit(measured.train_embeddings, measured.train_labels, measured.train_ids)
    strengths = measured.lens.strengths(measured.train_embeddings)
    thresholds = calibrate(strengths, measured.train_labels, inputs.attributes)
    return VerificationModel(
        head=inputs.model.head,
        lens=measured.lens,
        class_names=inputs.model.class_names,
        splits=splits,
        thresholds=dict(zip(measured.lens.concept_names, (float(t) for t in thresholds), strict=True)),
        digests={"model": inputs.model.digest, "vlm": inputs.vlm.digest, "data": inputs.test.digest},
    )


def mined(subject: VerificationModel, *, share: float, criterion: Criterion) -> Specification:
    """The properties that the images of split "val" suggest; "test" is left to judge them. UserError: SPEC412, SPEC124."""
    images = subject.splits["val"]
    found = mine(
        subject.lens.strengths(images.embeddings),
        images.labels,
        class_names=subject.class_names,
        concept_names=subject.concept_names,
        share=share,
        criterion=criterion,
    )
    pairs = [(one.class_name, one.left, one.right) for one in found]
    return from_pairs(pairs, subject.class_names, subject.concept_names)
