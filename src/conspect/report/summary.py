"""The page's first screen: one question to a card, one answer to a question. What is judged stands in the record."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.core.percentages import level, percent, percent_range
from conspect.results.diagnosis import CauseName
from conspect.results.results import Results
from conspect.results.verification import ProvableCoverage

PICTURES = 4
# What a cause means, for a reader who meets it for the first time.
MEANINGS: dict[CauseName, str] = {
    "label suspect": "the label itself looks wrong",
    "ambiguous": "two classes fit the picture",
    "head": "the last step of the model turned a good reading into a wrong answer",
    "encoder": "the model does not see what sets the class apart",
    "input pipeline": "the picture reached the model altered",
    "hard for everybody": "nothing that was asked beside the model sees the class either",
    "undecided": "the evidence does not say",
}


@dataclass(frozen=True)
class Card:
    """A question, its answer in large type, and a line below; `pictures`: ids of images that show it."""

    question: str
    answer: str
    note: str
    section: str
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class CauseShare:
    """How many failures are put down to a cause, and what the cause means."""

    cause: CauseName
    count: int
    meaning: str


def cause_shares(results: Results) -> list[CauseShare]:
    """The causes of all failures, those without a failure left out."""
    return [CauseShare(row.cause, row.count, MEANINGS[row.cause]) for row in results.diagnosis.causes if row.count]


def cards(results: Results) -> list[Card]:
    """What somebody who reads one screen should know."""
    model, data = results.model, results.dataset
    interval = model.accuracy_interval
    answers = [
        Card(
            "How often is it right?",
            percent(model.accuracy),
            f"{results.localization.failures:,} of {data.readable:,} {data.split} images of {data.name} come out wrong. On "
            f"images like these: {percent_range(interval.low, interval.high)} right "
            f"({level(results.asked.confidence)} confidence).",
            "classes",
        ),
        Card(
            "Is a part of it broken?",
            results.diagnosis.sentence,
            f"Probability of this answer: {percent(results.diagnosis.confidence)}, as learnt from networks with planted faults.",
            "localization",
        ),
    ]
    worst = results.localization.worst
    if worst is not None:
        shown = [image.id for image in results.localization.images if image.label == worst.class_name][:PICTURES]
        answers.append(
            Card(
                "Where does it fail most?",
                worst.class_name,
                f"{worst.failures:,} images of this class come out wrong, {worst.times:,} of them as {worst.taken_for}.",
                "failures",
                tuple(shown),
            )
        )
    return [*answers, _words(results), *_monitor(results), *_proofs(results)]


def _words(results: Results) -> Card:
    agreement = results.vlm.pair_agreement
    note = f"How often {results.vlm.name}, which supplies the words of this page, names the class of an image."
    if agreement is not None:
        note += (
            f" It puts a concept that belongs to the class above one that does not {percent(agreement)} of the time."
        )
    return Card("How good are the words?", percent(results.vlm.zero_shot_accuracy), note, "trust")


def _monitor(results: Results) -> list[Card]:
    monitor = results.monitor
    if monitor is None:
        return []
    kept, split = monitor.kept, monitor.splits.report
    if kept.errors_among_accepted.value is None:
        return [Card("How many accepted answers are wrong?", "–", "The monitor accepts no answer.", "monitor")]
    return [
        Card(
            "How many accepted answers are wrong?",
            percent(kept.errors_among_accepted.value),
            f"A monitor beside the model accepts {percent(kept.accepted.value)} of its answers; of all answers "
            f"{percent(split.wrong / split.images)} are wrong.",
            "monitor",
        )
    ]


def _proofs(results: Results) -> list[Card]:
    verification = results.verification
    coverage = None if verification is None else verification.provable_coverage
    if coverage is None or not coverage.properties:
        return []
    note = (
        f"Half of the {len(coverage.properties):,} claims are proved for every input of a region that holds so many of the real "
        "images of its class, or more; that share is guaranteed for new images"
    )
    measured = coverage.best.measured_median
    note += "." if measured is None else f", and {percent(measured)} was measured on images held out."
    if coverage.definition_only:
        note += (
            f" {pairs_compared(coverage)} two concepts: the region is drawn from these two alone, or bounds just their "
            "difference."
        )
    return [Card("What is proved?", percent(coverage.best.median), note, "proofs")]


def pairs_compared(coverage: ProvableCoverage) -> str:
    """How many of the claims compare, up to the words for what: "All of them compare"."""
    pairs = coverage.definition_only
    if pairs == len(coverage.properties):
        return "All of them compare"
    return "1 of them compares" if pairs == 1 else f"{pairs:,} of them compare"
