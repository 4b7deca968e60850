"""From a study's measurements to the subject that verification takes, and to mined specifications."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.places import Store
from conspect.analysis.mining import Criterion, mine
from conspect.analysis.thresholds import calibrate
from conspect.core.protocols import ProgressBar, silent
from conspect.language import from_pairs
from conspect.language.syntax.tree import Specification
from conspect.study.config import NeighbourhoodsConfig
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.split import StoredSplit
from conspect.study.proving.changed import SplitImages, StudyPictures
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel

# Embeddings that verification holds of a split: regions and shares of so many images are sharp enough.
SPLIT_IMAGES = 20_000


def subject_of(
    inputs: StudyInputs,
    measured: Measurements,
    *,
    seed: int,
    store: Store,
    neighbourhoods: NeighbourhoodsConfig,
    bar: ProgressBar = silent,
) -> VerificationModel:
    """Splits "train" (regions and thresholds), "val" and "test": two random halves of the test images.

    Of each at most `SPLIT_IMAGES`, drawn with `seed`, so that memory does not grow with the study.
    """
    order = np.random.default_rng([seed, 1]).permutation(len(measured.test))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    chosen = {
        "val": (measured.test, np.sort(first[:SPLIT_IMAGES])),
        "test": (measured.test, np.sort(second[:SPLIT_IMAGES])),
        "train": (measured.train, measured.train.sample(SPLIT_IMAGES, seed)),
    }
    splits = {name: _taken(*images) for name, images in chosen.items()}
    changed = StudyPictures(
        neighbourhoods,
        inputs.model,
        {name: SplitImages(split.dataset, split.rows[images]) for name, (split, images) in chosen.items()},
        store,
        seed,
        bar,
    )
    strengths = measured.lens.strengths(splits["train"].embeddings)
    thresholds = calibrate(strengths, np.asarray(splits["train"].labels, dtype=np.int64), inputs.attributes)
    return VerificationModel(
        head=inputs.model.head,
        lens=measured.lens,
        class_names=inputs.model.class_names,
        splits=splits,
        thresholds=dict(zip(measured.lens.concept_names, (float(t) for t in thresholds), strict=True)),
        digests={"model": inputs.model.digest, "vlm": inputs.vlm.digest, "data": inputs.test.digest},
        changed=changed,
    )


def _taken(split: StoredSplit, images: NDArray[np.int64]) -> EmbeddingSplit:
    return EmbeddingSplit(
        split.model_embeddings(images), split.labels[images], tuple(split.ids[image] for image in images)
    )


def mined(subject: VerificationModel, *, share: float, criterion: Criterion) -> Specification:
    """The properties that the images of split "val" suggest; "test" is left to judge them. UserError: SPEC412, SPEC124."""
    images = subject.splits["val"]
    predicates = mine(
        subject.lens.strengths(images.embeddings),
        images.labels,
        class_names=subject.class_names,
        concept_names=subject.concept_names,
        share=share,
        criterion=criterion,
    )
    pairs = [(predicate.class_name, predicate.left, predicate.right) for predicate in predicates]
    return from_pairs(pairs, subject.class_names, subject.concept_names)
