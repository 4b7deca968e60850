"""Two results to one comparison. What cannot be set side by side is named with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from conspect.comparison.accuracy import Failures, accuracy, listed_failures
from conspect.comparison.concepts import CellTests, cell_tests, changed_cells, concepts, failure_groups, found_groups
from conspect.comparison.monitors import monitors
from conspect.comparison.orders import Orders
from conspect.comparison.properties import properties
from conspect.comparison.words import sentences
from conspect.results.comparison import ComparedPart, Comparison, HeatmapChange, Incomparable, Side
from conspect.results.results import Results


def compare(
    before: Results,
    after: Results,
    *,
    names: tuple[str, str],
    failures: tuple[Failures | None, Failures | None] | None = None,
    orders: tuple[Orders | None, Orders | None] = (None, None),
    tests: CellTests | None = None,
) -> Comparison:
    """`after` against `before`, at the confidence of `after`; `names`: what to call the two, such as their folders.

    `failures`: every failure of each (None: not known); left out, those of the records, where they hold all.
    `orders`: the order of concepts in every image of each (None: not known). `tests`: what `cell_tests` says of these, where
    it was asked already.
    """
    known = (listed_failures(before), listed_failures(after)) if failures is None else failures
    same_classes = set(before.classes) == set(after.classes)
    same_images = on_same_images(before, after)
    theirs, ours = known
    pairs = (theirs, ours) if same_images and theirs is not None and ours is not None else None
    same_lens = before.vlm.digest == after.vlm.digest
    tested = tests
    if tested is None and same_lens:
        tested = cell_tests(before, after, orders if same_images else (None, None))
    cells = None if tested is None or not same_lens else changed_cells(tested, after.asked.confidence)
    same_concepts = same_lens and before.concepts == after.concepts
    result = Comparison(
        before=_side(before, names[0]),
        after=_side(after, names[1]),
        same_images=same_images,
        same_model=(before.model.digest, before.model.preprocessing) == (after.model.digest, after.model.preprocessing),
        same_lens=same_lens,
        confidence=after.asked.confidence,
        accuracy=accuracy(before, after, pairs) if same_classes else None,
        heatmaps=cells,
        failure_groups=failure_groups(before, after, pairs) if same_classes else (),
        found_groups=found_groups(before, after) if same_classes and same_concepts else (),
        concepts=concepts(before, after) if same_concepts else (),
        properties=(
            None
            if before.verification is None or after.verification is None
            else properties(before.verification, after.verification)
        ),
        monitor=None if before.monitor is None or after.monitor is None else monitors(before.monitor, after.monitor),
        not_compared=tuple(
            _not_compared(
                before, after, same_images=same_images, paired=pairs is not None, same_lens=same_lens, cells=cells
            )
        ),
        sentences=(),
    )
    return replace(result, sentences=sentences(result))


def on_same_images(before: Results, after: Results) -> bool:
    """The same content, ids and labels, and the same images unreadable: whether the two can meet image by image."""
    return (
        before.dataset.digest == after.dataset.digest
        and before.dataset.readable == after.dataset.readable
        and {image.id for image in before.unreadable} == {image.id for image in after.unreadable}
    )


def _side(results: Results, name: str) -> Side:
    return Side(
        name=name,
        conspect=results.conspect,
        model=results.model.name,
        model_digest=results.model.digest,
        vlm=results.vlm.name,
        vlm_digest=results.vlm.digest,
        dataset=results.dataset.name,
        split=results.dataset.split,
        images=results.dataset.readable,
        dataset_digest=results.dataset.digest,
    )


def _not_compared(
    before: Results,
    after: Results,
    *,
    same_images: bool,
    paired: bool,
    same_lens: bool,
    cells: HeatmapChange | None,
) -> list[Incomparable]:
    """What cannot be set side by side, in the order in which a comparison shows the parts."""
    missing = list(_of_images(before, after, same_images=same_images, paired=paired))
    if same_lens:
        missing += _of_cells_and_concepts(before, after, cells if same_images else None)
    else:
        why = "the lenses differ, so that a strength means something else"
        missing.append(_left_out("heatmaps and concepts", why, "heatmaps", "concepts"))
    if before.asked.confidence != after.asked.confidence:
        why = f"{before.asked.confidence:g} and {after.asked.confidence:g}; intervals of differences take the latter"
        missing.append(_left_out("the confidence of the two studies", why, "confidence"))
    optional: tuple[tuple[ComparedPart, object, object], ...] = (
        ("properties", after.verification, before.verification),
        ("monitors", after.monitor, before.monitor),
        ("slices", after.slices, before.slices),
    )
    for part, ours, theirs in optional:
        if (ours is None) != (theirs is None):
            which = "before" if ours is None else "after"
            missing.append(_left_out(part, f"only the study {which} has them", part))
    return missing


def _left_out(what: str, why: str, *parts: ComparedPart) -> Incomparable:
    return Incomparable(what=what, parts=parts, why=why)


def _of_images(before: Results, after: Results, *, same_images: bool, paired: bool) -> Iterator[Incomparable]:
    """The one reason why classes, or single images, do not meet; nothing where they do."""
    gone, new = (
        [name for name in side.classes if name not in other.classes]
        for side, other in ((before, after), (after, before))
    )
    if gone or new:
        differ = "; ".join(
            f"only {when}: {', '.join(names)}" for when, names in (("before", gone), ("after", new)) if names
        )
        why = f"the classes differ ({differ}), so that a right output means something else"
        yield _left_out("accuracy and failure groups", why, "accuracy", "failure groups", "images")
    elif not same_images:
        why = "the studies are not measured on the same images; shares are compared as two samples"
        yield _left_out("single images", why, "images")
    elif not paired:
        why = "the table of all failures is not beside both results; shares are compared as two samples"
        yield _left_out("single images", why, "images")


def _of_cells_and_concepts(before: Results, after: Results, cells: HeatmapChange | None) -> Iterator[Incomparable]:
    """`cells`: of heatmaps of the same images through the same lens; None where the images differ or none were tested."""
    if cells is not None and cells.paired < cells.tested:
        yield _left_out(
            f"{cells.tested - cells.paired:,} of {cells.tested:,} heatmap cells image by image",
            "the tables of orders (orders.arrows) beside the results are missing or not theirs; "
            "shares are compared as two samples, which is cautious (run the studies again for the tables)",
            "single cells",
        )
    names = {concept.name: concept.phrases for concept in before.concepts}
    changed = [concept.name for concept in after.concepts if names.get(concept.name) != concept.phrases]
    changed += sorted(names.keys() - {concept.name for concept in after.concepts})
    if changed:
        yield _left_out(
            "the concepts that failures lose",
            f"the concepts differ: {', '.join(changed)}; heatmap cells of those shown in both are compared",
            "concepts",
        )
