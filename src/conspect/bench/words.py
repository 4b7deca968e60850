"""Words that a study was not made for: whether those without meaning are told from real ones, and how long many concepts take.

On the images of a finished study, whose own concepts are put aside, and with no table and no labels: nothing but the images says
which words mean something.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from conspect.adapters.ontologies.wordlists import built_in_words
from conspect.analysis.concepts.grades import Grade
from conspect.bench.rows import Row, row
from conspect.core.concepts import ClassAttributes, Concept, ConceptSet
from conspect.core.protocols import silent
from conspect.results.explanations import MinimalSets
from conspect.study import Study
from conspect.study.explaining import ImageExplainer
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements, Timings, measure
from conspect.study.recording.concepts import ConceptSample, graded
from conspect.study.suggesting import suggest_concepts

# Held back: drawn otherwise than the words that concepts are held against, or none of theirs.
SEED, LETTERS_WORDS = 2711, 100
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
HOSTILE = (
    "xyzzy", "asdf qwer", "qwertyuiop", "zxcvbnm", "hjkl", "1qaz2wsx", "foo", "blorf", "frobnicate", "lorem ipsum dolor sit amet",
    "!!!", "...", "#$%&", "---", "🙂", "🚗🚗", "42", "3.14159", "1,000,000", "the", "of the", "and then it was", "is", "aaaa",
    "na na na na na na na na", "xyzzy " * 60, "колёса", "翅膀", "عجلات", "גלגלים", "δέντρο", "ゆうびん",
)  # fmt: skip
# Names of things that photographs of animals and vehicles do not show, none of which served for choosing anything.
OTHER_THINGS = (
    "scissors", "violin", "cactus", "fountain pen", "necklace", "toaster", "tent", "ladder", "candle", "basket", "drum", "helmet",
    "pineapple", "pretzel", "cheeseburger", "teapot", "bookshelf", "staircase", "lighthouse", "windmill", "hammock",
    "trombone", "typewriter", "vending machine", "wallet", "sandal", "stethoscope", "syringe", "screwdriver", "shovel", "spatula",
    "parking meter", "mailbox", "microphone", "accordion", "broccoli", "cauliflower", "strawberry", "bagel",
)  # fmt: skip
# So many at once, beside the study's own concepts.
BESIDE = 16
WORDS, FAILURES, CANDIDATES, SETS, SECONDS = 140, 40, 1_000, 20, 0.1
# A share of a class's images by which it neither carries an attribute nor lacks it.
NEITHER = 0.3


@dataclass(frozen=True)
class _World:
    """A finished study, whose concepts can be exchanged."""

    study: Study
    inputs: StudyInputs

    def with_words(self, words: Sequence[str]) -> tuple[StudyInputs, Measurements]:
        """The same images and models with `words` for concepts, and no table."""
        own = self.inputs.concepts
        concepts = ConceptSet(
            tuple(Concept(word, (word,)) for word in words), own.concept_templates, own.class_templates
        )
        inputs = replace(self.inputs, concepts=concepts, attributes=None)
        seed = self.study.config.settings.seed
        return inputs, measure(inputs, self.study.store, seed=seed, bar=silent, timings=Timings())

    def not_seen(self, words: Sequence[str], beside: Sequence[str]) -> float:
        """The share of `words` that is graded not seen in studies of `BESIDE` of them and the words `beside`, in percent."""
        failed = 0
        for start in range(0, len(words), BESIDE):
            asked = [word for word in words[start : start + BESIDE] if word not in beside]
            inputs, measured = self.with_words([*asked, *beside])
            grades = graded(inputs, measured, ConceptSample.of(measured))
            failed += sum(grade.grade is Grade.NOT_SEEN for grade in grades[: len(asked)])
        return round(100 * failed / len(words), 1)


def rows(folder: Path) -> list[Row]:
    """Rows for the study in `folder`. Leaves embeddings of texts in its store, and nothing else."""
    study = Study.open(folder)
    world = _World(study, study.inputs)
    own = [concept.phrases[0] for concept in study.inputs.concepts.concepts]
    rng = np.random.default_rng(SEED)
    letters = ["".join(rng.choice(list(LETTERS), rng.integers(3, 11))) for _ in range(LETTERS_WORDS)]
    unseen = [concept.phrases[0] for concept in study.inputs.concepts.unseen()]
    measured = [
        row(f"{LETTERS_WORDS} strings of letters, not seen", world.not_seen(letters, own), "%", (">=", 95.0)),
        row(f"{len(HOSTILE)} texts that mean nothing here, not seen", world.not_seen(HOSTILE, own), "%", (">=", 95.0)),
        row(f"the {len(own)} concepts of the study itself, not seen", world.not_seen(own, ()), "%"),
    ]
    if unseen:
        measured.append(row(f"the same in {len(unseen)} other words, not seen", world.not_seen(unseen, own), "%"))
    measured.append(
        row(f"{len(OTHER_THINGS)} names of things that are not there, not seen", world.not_seen(OTHER_THINGS, own), "%")
    )
    return [*measured, *_explained(world), _suggested(world)]


def _explained(world: _World) -> list[Row]:
    """Time and number of the minimal sets of failures, of a study of so many words that a hundred and more take part."""
    words = [word for word in built_in_words() if word not in world.inputs.model.class_names][:WORDS]
    inputs, measured = world.with_words(words)
    inputs = replace(inputs, attributes=_agreeable(inputs, ConceptSample.of(measured)))
    explainer = ImageExplainer(inputs, measured, SECONDS)
    failures = np.flatnonzero(measured.labels != measured.outputs)[:FAILURES]
    seconds, sets = [], []
    for failure in failures:
        start = time.process_time()
        explained = explainer.image(int(failure))
        seconds.append(time.process_time() - start)
        sets.append(explained.sets)
    enough = [each is not None and _enough(each) for each in sets]
    what = f"{len(failures)} failures explained in {len(explainer.taken)} concepts, {SECONDS} s for the minimal sets of each"
    return [
        row(f"{what}: processor time", round(float(np.median(seconds)), 3), "s an image"),
        row(f"... those with {SETS} sets known, or all that there are", round(100 * float(np.mean(enough)), 1), "%"),
    ]


def _agreeable(inputs: StudyInputs, sample: ConceptSample) -> ClassAttributes:
    """A table by which every concept is one class's and not another's: of the classes where it is strongest and weakest."""
    means = np.stack([sample.by_vlm[sample.labels == label].mean(axis=0) for label in np.unique(sample.labels)])
    shares = np.full((len(inputs.model.class_names), len(inputs.concepts.names)), NEITHER)
    shares[means.argmin(axis=0), np.arange(shares.shape[1])] = 0.0
    shares[means.argmax(axis=0), np.arange(shares.shape[1])] = 1.0
    return ClassAttributes(inputs.model.class_names, inputs.concepts.names, shares)


def _enough(sets: MinimalSets) -> bool:
    return sets.complete or sets.abductive.known + sets.contrastive.known >= SETS


def _suggested(world: _World) -> Row:
    """Processor time of judging `CANDIDATES` candidates whose texts are embedded."""
    plain = built_in_words()
    pairs = (f"{first} {second}" for first in plain[:40] for second in plain[60:90])
    words = [*plain, *pairs][:CANDIDATES]
    inputs, measured = world.with_words([concept.phrases[0] for concept in world.inputs.concepts.concepts])
    suggest_concepts(inputs, measured, world.study.store, words, limit=30)  # embeds the texts, which are kept
    start = time.process_time()
    suggest_concepts(inputs, measured, world.study.store, words, limit=30)
    what = f"{len(words):,} candidates for concepts on {len(measured.ids):,} images, once texts are embedded: processor time"
    return row(what, round(time.process_time() - start, 2), "s", ("<=", 5.0))
