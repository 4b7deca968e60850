"""What of the pocket VLM's numbers says red, horned, on the ground ...: unit directions within classes, from three sources.

1. Classes of ImageNet that carry an attribute (imagenet_attributes.toml): the sum of their logits over that of the others.
2. Shares of colors of the image.
3. Labels by eye of sheets F (labels_within_class.csv), for what neither says: a ridge regression within classes.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from conspect.adapters.vlms.pocket.colours import COLOURS, REGIONS
from conspect.adapters.vlms.pocket.pocket import FEATURES, NUMBERS

HERE = Path(__file__).resolve().parent
LAST = 1280  # features of the tower's last layer, whose weights turn them into ImageNet's logits
PROBE_PENALTY = 1000.0

Float64 = NDArray[np.float64]

# How the sources of a word are mixed: attribute -> other sources with their weights beside the classes' 1. Chosen on sheets A.
COLOR_WORDS = ("red", "yellow", "green", "blue", "purple", "pink", "brown", "white", "black", "grey")
MIX: dict[str, tuple[tuple[str, float], ...]] = {
    **{name: ((f"{name}/foreground", 1.5), (f"{name}/all", 0.5)) for name in COLOR_WORDS},
    "orange-fur": (("orange/foreground", 1.0), ("brown/foreground", 0.4)),
    "golden": (("orange/foreground", 0.4), ("yellow/foreground", 0.4)),
    "grass": (("green/bottom", 1.0), ("green/all", 0.7)),
    "trees": (("green/top", 0.6),),
    "sky": (("blue/top", 0.7), ("white/top", 0.3)),
    "sea": (("blue/all", 0.5), ("cyan/all", 0.3)),
    "snow": (("white/bottom", 0.6),),
    "night": (("black/all", 1.0),),
    "plain-background": (("white/top", 0.4),),
    "head-only": (("label/head-only", 3.0),),
    "whole-body": (("label/head-only", -0.7),),
    "on-ground": (("label/on-ground", 1.5),),
    "rider": (("label/rider", 1.5),),
    "lying-down": (("label/lying-down", 1.5),),
    "horns": (("label/horns", 1.0),),
    "striped": (("label/striped", 1.0),),
    "patterned": (("label/striped", 0.7),),
    "floppy-ears": (("label/floppy-ears", 0.7),),
    "wings": (("label/wings", 0.7),),
    "spread-wings": (("label/wings", 0.7),),
    "open-roof": (("label/convertible", 0.7),),
    "water": (("label/wet", 0.5), ("blue/all", 0.4)),
    "moist-skin": (("label/wet", 0.7),),
}


@dataclass(frozen=True)
class Attribute:
    """A row of imagenet_attributes.toml: its phrases, and the share of each of the thousand classes' images that carry it."""

    name: str
    phrases: tuple[str, ...]
    shares: Float64


def read_attributes() -> list[Attribute]:
    """The table, with runs and groups of classes written out."""
    table = tomllib.loads((HERE / "imagenet_attributes.toml").read_text(encoding="utf-8"))
    return [
        Attribute(name, tuple(entry["phrases"]), _shares(entry["classes"], table["groups"]))
        for name, entry in table["attributes"].items()
    ]


def _shares(text: str, groups: dict[str, str]) -> Float64:
    shares = np.zeros(1000)
    for part in text.split():
        classes, _, share = part.partition(":")
        value = float(share or 1)
        if classes.startswith("@"):
            carried = _shares(groups[classes[1:]], groups)
            shares[carried > 0] = carried[carried > 0] * value
        else:
            first, _, last = classes.partition("-")
            shares[int(first) : int(last or first) + 1] = value
    return shares


def imagenet_names() -> list[str]:
    """Names of the thousand classes, in the order of the tower's logits."""
    return (HERE / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()


@dataclass(frozen=True)
class Label:
    """Labels of one concept in one class on sheets of one use: rows of the training split, and whether they show it."""

    class_name: str
    concept: str
    use: str
    rows: NDArray[np.int64]
    shown: NDArray[np.bool_]


def read_labels() -> list[Label]:
    """All labels by eye that are sure, by class, concept and use."""
    groups: dict[tuple[str, str, str], list[tuple[int, bool]]] = {}
    with (HERE / "labels_within_class.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["unsure"] == "0":
                key = row["class"], row["concept"], row["use"]
                groups.setdefault(key, []).append((int(row["row"]), row["shown"] == "1"))
    return [
        Label(*key, np.array([row for row, _ in pairs]), np.array([shown for _, shown in pairs]))
        for key, pairs in groups.items()
    ]


def auroc(scores: Float64, shown: NDArray[np.bool_]) -> float:
    """Probability that an image which shows the concept scores higher than one which does not; ties count half."""
    positive = int(shown.sum())
    ranks = rankdata(scores)
    wins = ranks[shown].sum() - positive * (positive + 1) / 2
    return float(wins / (positive * (len(shown) - positive)))


@dataclass(frozen=True)
class Directions:
    """Directions `[name, 2144]` over standardised numbers, each of unit spread within classes."""

    by_attribute: dict[str, Float64]
    by_imagenet_class: Float64


def directions(
    covariance: Float64, deviation: Float64, fc_weight: Float64, logit_deviation: Float64, labelled: dict[str, Any]
) -> Directions:
    """`covariance [2144, 2144]` of standardised numbers within classes, `deviation [2144]` by which they were standardised,
    `fc_weight [1000, 1280]`, `logit_deviation [1000]`; `labelled`: concept -> (standardised numbers, shown) within classes.
    """

    def unit(direction: Float64) -> Float64:
        return np.asarray(direction / np.sqrt(max(float(direction @ covariance @ direction), 1e-12)), dtype=np.float64)

    logits = np.zeros((1000, NUMBERS))
    logits[:, FEATURES - LAST : FEATURES] = fc_weight / logit_deviation[:, None] * deviation[FEATURES - LAST : FEATURES]
    sources: dict[str, Float64] = {}
    for number, region in enumerate(REGIONS):
        for place, color in enumerate(COLOURS):
            sources[f"{color}/{region}"] = unit(np.eye(NUMBERS)[FEATURES + number * len(COLOURS) + place])
    for concept, (numbers, shown) in labelled.items():
        weights = np.linalg.solve(numbers @ numbers.T + PROBE_PENALTY * np.eye(len(numbers)), shown)
        sources[f"label/{concept}"] = unit(
            np.concatenate([numbers[:, :FEATURES].T @ weights, np.zeros(NUMBERS - FEATURES)])
        )
    mixed = {}
    for attribute in read_attributes():
        direction = unit((attribute.shares - attribute.shares.mean()) @ logits)
        for source, weight in MIX.get(attribute.name, ()):
            direction = direction + weight * sources[source]
        mixed[attribute.name] = unit(direction)
    mixed["orange"] = unit(sources["orange/foreground"] + 0.3 * mixed["orange-fur"])
    centred = logits - logits.mean(axis=0)
    return Directions(mixed, np.stack([unit(row) for row in centred]))
