"""Which images a page shows, in the order in which they should have room on it."""

from __future__ import annotations

from collections import defaultdict

from conspect.report.monitor import flagged_images
from conspect.report.neighbourhoods import picture_name, shown_pictures
from conspect.report.verification import witness_images
from conspect.results.results import Results

FAILURES_PER_CLASS = 100


def pictured(results: Results) -> list[str]:
    """Ids, each once: counterexamples as they are and changed, images near shown witnesses, flagged ones, then of every class
    the most confident failures and the right ones that heatmap cells lead to, class by class in turn, so that a page without
    room for all has some of each.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for failure in sorted(results.localization.images, key=lambda failure: -failure.confidence):
        by_class[failure.label].append(failure.id)
    wrong = _in_turn([ids[:FAILURES_PER_CLASS] for ids in by_class.values()])
    of_class: dict[str, list[str]] = defaultdict(list)
    for example in results.heatmaps.examples:
        of_class[example.label].append(example.id)
    right = _in_turn(list(of_class.values()))
    broken = [
        image if change is None else picture_name(image, change)
        for image, change in shown_pictures(results.verification)
    ]
    named = (*broken, *witness_images(results.verification), *flagged_images(results.monitor))
    return list(dict.fromkeys((*named, *_in_turn([wrong, right]))))


def _in_turn(lists: list[list[str]]) -> list[str]:
    """The first of each, then the second of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [names[k] for k in range(longest) for names in lists if k < len(names)]
