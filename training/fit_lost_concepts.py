"""Fits the weights by which lost concepts are named (analysis/explanation/lost_concepts.py), and judges them.

    python training/fit_lost_concepts.py [--keep FOLDER] [--tuned-only]

Conditional logit over the concepts that a class shows, on the removals of the grounds that are tuned on; then, once, hits on the
grounds that are judged on. Prints the weights and writes training/lost_concepts.log. About an hour on one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from conspect.analysis.explanation.lost_concepts import blind_features, own_concepts, paired_features
from conspect.faults.removals.grounds import GROUNDS, Purpose
from conspect.faults.removals.removals import Removal, removals

LOG = Path(__file__).resolve().parent / "lost_concepts.log"
PENALTY = 1.0
Case = tuple[NDArray[np.float64], int]


def cases(planted: list[Removal]) -> dict[str, list[Case]]:
    """By way: the features of the concepts that the class shows, and which of them was removed."""
    found: dict[str, list[Case]] = {"blind": [], "paired": []}
    for one in planted:
        truth = own_concepts(one.images, one.label).tolist().index(one.concept)
        blind, paired = blind_features(one.images, one.label), paired_features(one.images, one.earlier, one.label)
        if blind is not None and paired is not None:
            found["blind"].append((blind, truth))
            found["paired"].append((paired, truth))
    return found


def fitted(chosen: list[Case]) -> NDArray[np.float64]:
    """Weights of the conditional logit with a ridge on features in deviations."""
    spread = np.concatenate([features - features.mean(axis=0) for features, _ in chosen]).std(axis=0) + 1e-9

    def loss(weights: NDArray[np.float64]) -> float:
        total = PENALTY * float(weights @ weights)
        for features, truth in chosen:
            scores = ((features - features.mean(axis=0)) / spread) @ weights
            total -= scores[truth] - np.logaddexp.reduce(scores)
        return total

    return np.asarray(minimize(loss, np.zeros(len(spread))).x / spread)


def hit(chosen: list[Case], weights: NDArray[np.float64], first: int) -> float:
    """Share of removals named among the first so many."""
    orders = [np.argsort(-(features @ weights), kind="stable")[:first] for features, _ in chosen]
    return float(np.mean([truth in order for order, (_, truth) in zip(orders, chosen, strict=True)]))


def main() -> None:
    """Fits, judges once, prints and logs."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--keep", type=Path, help="a folder where what is planted is kept, class by class, and gone on from"
    )
    parser.add_argument("--tuned-only", action="store_true", help="fit, and judge nothing")
    asked = parser.parse_args()
    grounds = [ground for ground in GROUNDS if ground.purpose is Purpose.TUNED or not asked.tuned_only]
    by_ground = [(ground, cases(list(removals(ground, keep=asked.keep)))) for ground in grounds]
    lines: list[dict[str, object]] = []
    for way in ("blind", "paired"):
        tuned = [(ground, found[way]) for ground, found in by_ground if ground.purpose is Purpose.TUNED]
        weights = fitted([case for _, chosen in tuned for case in chosen])
        left_out = [
            hit(chosen, fitted([case for other, others in tuned if other is not ground for case in others]), 1)
            for ground, chosen in tuned
        ]
        for ground, found in by_ground:
            chosen = found[way]
            lines.append(
                {
                    "way": way,
                    "seed": ground.seed,
                    "purpose": ground.purpose.value,
                    "removals": len(chosen),
                    "first": round(hit(chosen, weights, 1), 4),
                    "in_three": round(hit(chosen, weights, 3), 4),
                    "chance": round(float(np.mean([1 / len(features) for features, _ in chosen])), 4),
                }
            )
        lines.append({"way": way, "first, each tuned ground by the others": [round(share, 4) for share in left_out]})
        lines.append({"way": way, "weights": [round(float(w), 3) for w in weights]})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if not asked.tuned_only:
        LOG.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
