"""Sentences of the report: what a figure says, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conspect.core.concept_words import negation_warning, negations, quoted
from conspect.core.percentages import level, percent
from conspect.results.concepts import Concept
from conspect.results.localization import WorstClass
from conspect.results.models import Vlm
from conspect.results.results import Results


def findings(results: Results) -> list[str]:
    """The page's first lines: how often the model fails, who is to blame, what breaks."""
    model, located = results.model, results.localization
    lines = [
        results.diagnosis.headline,
        f"{model.name} is right on {percent(model.accuracy)} of {results.dataset.readable:,} "
        f"{results.dataset.split} images of {results.dataset.name}; it fails on {located.failures:,}.",
    ]
    lines += warnings(results)
    # What the two oracles say stands below, under their names: one question gets one answer here.
    if located.worst is not None:
        lines.append(_worst_class(located.worst))
    if results.failure_groups:
        lines.append(
            f"The largest group of failures that was found: {_begun_small(results.failure_groups[0].sentence)}"
        )
    return lines


def left_out(results: Results) -> list[str]:
    """What lies among the images of either split and is none of the data set."""
    train, test = results.asked.train, results.dataset
    return [f"left out of the {data.split} images: {line}" for data in (train, test) for line in data.omissions]


def warnings(results: Results) -> list[str]:
    """What must be known before anything else of the page is believed."""
    lines, strange = [], results.vlm.strange_classes
    if strange:
        shown = ", ".join(strange[:3]) + (f" and {len(strange) - 3:,} more" if len(strange) > 3 else "")
        which, them = ("this class", "it") if len(strange) == 1 else ("these classes", "them")
        lines.append(
            f"Careful: {results.vlm.name} was not fitted on {which}: {shown}. What it says of {them} means "
            "nothing; take a VLM that was trained on captions."
        )
    if not results.vlm.above_chance:
        lines.append(
            f"Careful: asked for the classes by name, {results.vlm.name} is right on "
            f"{percent(results.vlm.zero_shot_accuracy)} of the images, and guessing on {percent(results.vlm.chance)}. Nothing "
            "that is said here in its words should be believed."
        )
    lines += concept_warnings(results.concepts)
    if results.model.class_order is not None:
        lines.append(f"Careful: {results.model.class_order.sentence}.")
    if results.localization.left_out is not None:
        lines.append(f"{results.localization.left_out}.")
    return lines


def concept_warnings(concepts: Sequence[Concept]) -> list[str]:
    """That nothing outside says whether concepts are seen, and which of them no VLM can be expected to understand."""
    lines = []
    if concepts and all(c.measures.separation is None and c.measures.shown is None for c in concepts):
        lines.append(
            "Careful: neither a class-attribute table nor labels say which images should show which concept, so none was "
            "checked: only those that behave on these images like words without meaning are left out. Name a table with "
            "class_attributes."
        )
    denied = [(concept.name, negations(concept.phrases)) for concept in concepts]
    lines += [negation_warning(name, phrases[0]) for name, phrases in denied if phrases]
    return lines


def _begun_small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def proofs(results: Results) -> list[str]:
    """What share of the properties holds: formally at each gamma and coverage, statistically on held-out images."""
    verification = results.verification
    if verification is None or not verification.properties:
        return []
    by_gamma = ", ".join(f"{row.gamma:g}: {percent(row.share)}" for row in verification.by_gamma)
    by_coverage = ", ".join(f"{level(row.coverage)}: {percent(row.share)}" for row in verification.by_coverage)
    headline = []
    coverage = verification.provable_coverage
    if coverage is not None:
        headline.append(
            f"Proofs speak of regions that hold real images: the median property is proved over regions that contain "
            f"{percent(coverage.best.median)} of the real images of its class "
            f"(measured on held-out images: {percent(coverage.best.measured_median)}); "
            f"{coverage.best.proved_over(0.5):,} of {len(coverage.properties):,} over at least half of them, "
            f"{coverage.best.proved_over(0.9):,} over at least 90 %."
        )
        band = coverage.by_shape.get("band")
        if band is not None:
            headline.append(
                f"These regions differ from property to property; over one region for all properties of a class (the band), the "
                f"median is {percent(band.median)} (measured: {percent(band.measured_median)}), and "
                f"{band.proved_over(0.9):,} hold over "
                "at least 90 %."
            )
    near = verification.neighbourhoods
    if near is not None:
        headline.append(
            f"Around real images: a property is proved, on average, around {percent(near.mean_proved)} of the images of its "
            f"class, in neighbourhoods that hold {percent(near.share)} of their ordinary changes (measured: "
            f"{percent(near.measured_share)}); {near.properties_proved_around_90:,} of {len(near.properties):,} properties "
            f"around at least 90 % of the images."
        )
    on_images = ", ".join(f"{level(row.share_of_images)}: {percent(row.share)}" for row in verification.statistically)
    return [
        *headline,
        f"Share of {len(verification.properties):,} properties that holds, formally, over boxes of gamma {by_gamma}.",
        f"Formally, over the smallest boxes that cover this share of real images: {by_coverage}.",
        f"Statistically, on at least this share of held-out images (exact bounds, corrected for their number): {on_images}.",
    ]


def _worst_class(worst: WorstClass) -> str:
    line = (
        f"The class that fails most is {worst.class_name} ({worst.failures:,} failures, {worst.times:,} of them taken for "
        f"{worst.taken_for})."
    )
    if worst.lost is not None:
        line += (
            f" What its failures lose: {quoted(worst.lost.stronger)} is stronger than {quoted(worst.lost.weaker)} in "
            f"{percent(worst.lost.correct_share)} of the {worst.class_name} images it gets right and in "
            f"{percent(worst.lost.incorrect_share)} of those it gets wrong."
        )
    return line


@dataclass(frozen=True)
class TrustRow:
    """A figure of the lens, and what it means for the rest of the page."""

    name: str
    value: str
    meaning: str


def trust_rows(results: Results) -> list[TrustRow]:
    """Quality of the lens: what was measured, its value, and what that means for the rest of the page."""
    vlm, alignment = results.vlm, results.alignment
    return [
        TrustRow(
            "Zero-shot accuracy of the VLM",
            percent(vlm.zero_shot_accuracy),
            "How often the lens, asked with class names alone, is right on the image itself. Failures on which it is wrong are "
            "left undecided.",
        ),
        TrustRow(
            "Zero-shot accuracy through the model",
            percent(alignment.zero_shot_accuracy),
            "The same question put to the model's embedding through the alignment. Far below the line above: the alignment, "
            "or the encoder, loses the classes.",
        ),
        TrustRow(
            "The two say the same",
            percent(alignment.agreement),
            "Share of images on which both give the same class, right or wrong.",
        ),
        TrustRow(
            "Alignment R²",
            f"{alignment.r2:.3f}",
            "Share of the variation of VLM embeddings that the model's embedding explains, on images it was not fitted on. "
            "What is not explained cannot be seen through the model.",
        ),
        TrustRow(
            "Alignment mean cosine",
            f"{alignment.mean_cosine:.3f}",
            "1 would be a perfect map; the common mean alone gives much of it.",
        ),
        *_trust_in_words(results.vlm),
    ]


def _trust_in_words(vlm: Vlm) -> Iterator[TrustRow]:
    """What labels of concepts, and captions, say of the VLM's reading; nothing where a study has none."""
    if vlm.pair_agreement is not None:
        yield TrustRow(
            "Relevant concept over irrelevant one",
            percent(vlm.pair_agreement),
            "Share of (image, relevant, irrelevant) triples that the VLM puts in the right order. Single cells of a heatmap "
            "deserve no more trust than this.",
        )
    if vlm.pair_agreement_unseen_words is not None:
        yield TrustRow(
            "The same, in words the VLM was not fitted on",
            percent(vlm.pair_agreement_unseen_words),
            "How far the words generalise (“fur” for hairy). New concepts deserve no more trust than this.",
        )
    if vlm.within_class_auroc is not None:
        yield TrustRow(
            "Images of one class told apart",
            f"{vlm.within_class_auroc:.2f}",
            "How often an image that is labelled as showing a concept is stronger in it than one of the same class that is "
            "labelled as not showing it, in the mean over concepts; 0.5 is guessing. What a sentence says of a single image "
            "deserves no more trust than this.",
        )
    captions = vlm.caption_retrieval
    if captions is not None:
        yield TrustRow(
            f"The right caption among {captions.captions:,}",
            percent(captions.first.value),
            f"Of {captions.images:,} photographs of {captions.pack}, which nobody fitted anything on; by chance "
            f"{percent(captions.chance)}. Among the five nearest captions: {percent(captions.in_five.value)}, by chance "
            f"{percent(captions.chance_in_five)}. This is how far words that nobody prepared can be trusted.",
        )
