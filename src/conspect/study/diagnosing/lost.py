"""Which concept an encoder has lost since a sound version of it, class by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.pairs import StoredPairs
from conspect.analysis.explanation.lost_concepts import SeenImages, lost_since, shown_of
from conspect.analysis.localization import Blame, Culprit
from conspect.core.spaces import Float64, Head
from conspect.results.localization import LostConcept, LostOfClass
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.concepts import ConceptSample, believed, graded

# Fewer new failures of a class are not explained, and so many concepts are named of each.
LEAST_NEW, NAMED = 20, 3


def lost_results(
    inputs: StudyInputs, measured: Measurements, pairs: StoredPairs, sound: Head, blamed: Sequence[tuple[int, Blame]]
) -> tuple[LostOfClass, ...]:
    """`pairs`: embeddings of the sound version and of the model; `blamed`: the class and the blame of every new failure.

    Most new failures first. On at most as many images as concepts are graded on.
    """
    new, encoder = (
        Counter(label for label, _ in blamed),
        Counter(label for label, blame in blamed if blame.culprit is Culprit.ENCODER),
    )
    asked = [label for label, number in new.most_common() if number >= LEAST_NEW and 2 * encoder[label] > number]
    if not asked:
        return ()
    sample = ConceptSample.of(measured)
    grades = graded(inputs, measured, sample)
    speaking = believed(grades)
    groups = speaking_groups(sample.by_vlm, [grade.measures.group for grade in grades], speaking)
    places = pairs.rows[sample.images]
    shown = shown_of(sample.by_vlm)
    earlier_embeddings = pairs.z.rows(places).astype(np.float64)
    classes = len(inputs.model.class_names)
    outputs = np.asarray(sound.logits(earlier_embeddings).argmax(1), dtype=np.int64)
    earlier = SeenImages(shown, earlier_embeddings, sample.labels, outputs, classes)
    images = SeenImages(shown, sample.embeddings.astype(np.float64), sample.labels, sample.outputs, classes)
    names = inputs.concepts.names
    lost_of_classes = []
    for label in asked:
        lost = lost_since(images, earlier, label, list(groups))[:NAMED]
        if lost:
            lost_of_classes.append(
                LostOfClass(
                    class_name=inputs.model.class_names[label],
                    new_failures=new[label],
                    concepts=tuple(
                        LostConcept(
                            concept=names[concept.concept],
                            twins=tuple(names[k] for k in groups[concept.concept][0]),
                            probability=round(concept.probability, 4),
                            opposites=tuple(names[k] for k in groups[concept.concept][1]),
                        )
                        for concept in lost
                    ),
                )
            )
    return tuple(lost_of_classes)


def speaking_groups(
    strengths: Float64, groups: Sequence[tuple[int, ...]], speaking: NDArray[np.bool_]
) -> dict[int, tuple[tuple[int, ...], tuple[int, ...]]]:
    """By the first concept that speaks of each identifiability group: the others that speak and rise and fall with it in
    `strengths [image, concept]`, and those that fall where it rises. `groups[k]`: the other members of the group of concept k.
    """
    centred = strengths - strengths.mean(axis=0)
    named: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for concept in np.flatnonzero(speaking).tolist():
        others = [k for k in groups[concept] if speaking[k]]
        if all(other > concept for other in others):
            falls = {k for k in others if float(centred[:, k] @ centred[:, concept]) < 0}
            named[concept] = tuple(k for k in others if k not in falls), tuple(k for k in others if k in falls)
    return named
