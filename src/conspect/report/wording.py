"""Sentences of the report: what a figure says, and what it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def percent(share: float | None) -> str:
    """A share in words: one decimal, or a dash when there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


def findings(results: Json) -> list[str]:
    """The page's first lines: how often the model fails, who is to blame, what breaks."""
    model, located = results["model"], results["localization"]
    lines = [
        f"{model['name']} is right on {percent(model['accuracy'])} of {results['dataset']['readable']:,} "
        f"{results['dataset']['split']} images of {results['dataset']['name']}; it fails on {located['failures']:,}."
    ]
    decided = located["counts"]["head"] + located["counts"]["encoder"]
    if located["failures"]:
        lines.append(_by_default(located))
        who = "the encoder" if located["counts"]["encoder"] >= located["counts"]["head"] else "the head"
        share = max(located["counts"]["encoder"], located["counts"]["head"]) / decided if decided else None
        lines.append(
            f"Read through the lens, {decided:,} of these failures can be placed: {percent(share)} of them in {who}. "
            f"In {located['counts']['undecided']:,} the lens is itself wrong on the image and says nothing."
            if decided
            else "The lens is itself wrong on all of these images, so it cannot place a single failure."
        )
        if located["oracle_agreement"] is not None:
            lines.append(
                "A second oracle that needs no VLM, a refitted head, agrees with the lens on "
                f"{percent(located['oracle_agreement'])} of the failures that the lens decides; where they differ, look "
                "before you act."
            )
        lines += _worst_class(results)
    return lines


# Norms of sound networks depart by up to this (0.03 and 0.09 in docs/faults.md); planted faults begin at 0.09.
SOUND_DEPARTURE = 0.1


def _by_default(located: Json) -> str:
    counts = located["default"]["counts"]
    said = (
        f"By the model's own evidence, the default, {counts['encoder']:,} of these failures are the encoder's, "
        f"{counts['head']:,} the head's, and {counts['undecided']:,} stay undecided."
    )
    departure = located["default"]["departure_test"]
    if departure is not None and departure < SOUND_DEPARTURE:
        said += (
            " That evidence is mostly about the model as a whole, and its batch norms depart from their records no further "
            f"({departure:.2f}) than those of sound networks: nothing shows that a part of it is broken. For single images, "
            "read the two oracles."
        )
    return said


def default_method(results: Json) -> str:
    """What the default verdict rests on, and what it can mean without a sound version of the model."""
    default = results["localization"]["default"]
    weighed = (
        "The default verdict weighs the model's own evidence: what a head refitted on its training embeddings would say, how "
        "much that head gains, which training images lie nearest"
    )
    if default["departure_train"] is None:
        weighed += (
            ". This model keeps no batch-norm records, without which planted faults are told apart far less reliably. "
        )
    else:
        weighed += (
            ", and how far its batch norms have departed from what they recorded in training "
            f"({default['departure_train']:.2f} on training images, {default['departure_test']:.2f} on these). "
        )
    return weighed + (
        "Its weights come from faults planted in two networks. With an earlier, sound version of the model, conspect localize "
        "finds out which part was changed."
    )


def proofs(results: Json) -> list[str]:
    """What share of the properties holds: formally at each gamma and coverage, statistically on held-out images."""
    found = results.get("verification")
    if not found or not found["properties"]:
        return []
    by_gamma = ", ".join(f"{row['gamma']:g}: {percent(row['share'])}" for row in found["by_gamma"])
    by_coverage = ", ".join(f"{100 * row['coverage']:g} %: {percent(row['share'])}" for row in found["by_coverage"])
    on_images = ", ".join(
        f"{100 * row['share_of_images']:g} %: {percent(row['share'])}" for row in found["statistically"]
    )
    return [
        f"Share of {len(found['properties']):,} properties that holds, formally, over boxes of gamma {by_gamma}.",
        f"Formally, over the smallest boxes that cover this share of real images: {by_coverage}.",
        f"Statistically, on at least this share of held-out images (exact bounds, corrected for their number): {on_images}.",
    ]


def _worst_class(results: Json) -> list[str]:
    failures = results["localization"]["images"]
    name, count = Counter(image["label"] for image in failures).most_common(1)[0]
    taken_for, times = Counter(image["output"] for image in failures if image["label"] == name).most_common(1)[0]
    line = f"The class that fails most is {name} ({count:,} failures, {times:,} of them taken for {taken_for})."
    pairs = results["heatmaps"]["differential_by_label"][results["classes"].index(name)]["top_pairs"]
    if pairs:
        pair = pairs[0]
        line += (
            f" What its failures lose: “{pair['stronger']} > {pair['weaker']}” holds for {percent(pair['correct_share'])} of the "
            f"{name} images it gets right and for {percent(pair['incorrect_share'])} of those it gets wrong."
        )
    return [line]


def trust_rows(results: Json) -> list[dict[str, str]]:
    """Quality of the lens: what was measured, its value, and what that means for the rest of the page."""
    vlm, alignment = results["vlm"], results["alignment"]
    rows = [
        _row(
            "Zero-shot accuracy of the VLM",
            percent(vlm["zero_shot_accuracy"]),
            "How often the lens, asked with class names alone, is right on the image itself. Failures on which it is wrong are "
            "left undecided.",
        ),
        _row(
            "Zero-shot accuracy through the model",
            percent(alignment["zero_shot_accuracy"]),
            "The same question put to the model's embedding through the alignment. Far below the line above: the alignment, "
            "or the encoder, loses the classes.",
        ),
        _row(
            "The two say the same",
            percent(alignment["agreement"]),
            "Share of images on which both give the same class, right or wrong.",
        ),
        _row(
            "Alignment R²",
            f"{alignment['r2']:.3f}",
            "Share of the variation of VLM embeddings that the model's embedding explains, on images it was not fitted on. "
            "What is not explained cannot be seen through the model.",
        ),
        _row(
            "Alignment mean cosine",
            f"{alignment['mean_cosine']:.3f}",
            "1 would be a perfect map; the common mean alone gives much of it.",
        ),
    ]
    if vlm["pair_agreement"] is not None:
        rows.append(
            _row(
                "Relevant concept over irrelevant one",
                percent(vlm["pair_agreement"]),
                "Share of (image, relevant, irrelevant) triples that the VLM puts in the right order. Single cells of a heatmap "
                "deserve no more trust than this.",
            )
        )
    if vlm["pair_agreement_unseen_words"] is not None:
        rows.append(
            _row(
                "The same, in words the VLM was not fitted on",
                percent(vlm["pair_agreement_unseen_words"]),
                "How far the words generalise (“fur” for hairy). New concepts deserve no more trust than this.",
            )
        )
    return rows


def _row(name: str, value: str, meaning: str) -> dict[str, str]:
    return {"name": name, "value": value, "meaning": meaning}
