"""A study beside an earlier one: what changed, which images changed sides, and which part of the model did it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from conspect.comparison.compare import compare, on_same_images
from conspect.comparison.concepts import CellTests, cell_tests
from conspect.core.diagnostics import user_error
from conspect.results.compared_views import ChangedImages, ChangedRow, ComparedStudies, HeatmapDifference
from conspect.results.comparison import Comparison
from conspect.results.exploration import ChangedSide
from conspect.results.localization import SwapTest
from conspect.results.results import Results
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.lists import image_row
from conspect.study.finished import FinishedStudy
from conspect.study.study import CONFIG_FILE, Study


class StudyPair:
    """`study`, which is explored, against the one at `place`, which was before it."""

    def __init__(
        self, study: Study, index: StudyIndex, after: FinishedStudy, before: FinishedStudy, place: Path
    ) -> None:
        self._study, self._results, self._failures, self._index = study, after.results, after.failures, index
        self._orders = before.orders, after.orders
        self._place, self._before = place, before
        self._lock = Lock()
        self._swap: SwapTest | None = None

    @cached_property
    def comparison(self) -> Comparison:
        """What `conspect compare` says of the two."""
        names = self._place.absolute().name, self._study.folder.absolute().name
        failures = self._before.failures, self._failures
        return compare(
            self._before.results, self._results, names=names, failures=failures, orders=self._orders, tests=self._tests
        )

    @cached_property
    def sides(self) -> dict[int, ChangedSide]:
        """By row, the images that only one of the models is wrong on; none where the images are not the same."""
        theirs, ours = self._before.failures, self._failures
        if not self.comparison.same_images or theirs is None or ours is None or self.comparison.accuracy is None:
            return {}
        old, new = {image.id for image in theirs.images}, {image.id for image in ours.images}
        row_of = self._index.row_of
        sides = {row_of[name]: ChangedSide.FIXED for name in old - new if name in row_of}
        return sides | {row_of[name]: ChangedSide.BROKEN for name in new - old if name in row_of}

    def page(self) -> ComparedStudies:
        """The comparison, and whether the parts of the two models can be exchanged."""
        return ComparedStudies(self.comparison, self._index.class_names, self._cannot_swap())

    def changed(
        self, annotations: Annotations, *, side: ChangedSide | None, label: str | None, offset: int, limit: int
    ) -> ChangedImages:
        """Images that changed sides, those of `side` and of true class `label` alone where these are given."""
        theirs = self._before.failures
        was = {} if theirs is None else {failure.id: failure.output for failure in theirs.images}
        index = self._index
        rows = [row for row in sorted(self.sides) if label is None or index.class_names[index.labels[row]] == label]
        shown = [row for row in rows if side is None or self.sides[row] is side]
        return ChangedImages(
            fixed=sum(self.sides[row] is ChangedSide.FIXED for row in rows),
            broken=sum(self.sides[row] is ChangedSide.BROKEN for row in rows),
            offset=offset,
            images=tuple(
                ChangedRow(
                    (image := image_row(index, annotations, row, None)), was.get(image.id, image.label), image.output
                )
                for row in shown[offset : offset + limit]
            ),
        )

    def heatmap(self, label: str | None) -> HeatmapDifference:
        """The heatmaps of one class (None: the one that changed most). Raises UserError EXPLORE001, EXPLORE010."""
        tests = self._tests
        if tests is None:
            why = next(
                (entry.why for entry in self.comparison.not_compared if "heatmaps" in entry.parts), "nothing is shared"
            )
            raise user_error(
                "EXPLORE010", f"the heatmaps cannot be compared: {why}", "compare studies with the same lens"
            )
        significant = tests.p_values < 1 - self._results.asked.confidence
        changed = {
            name: sum(bool(s) for s, cell in zip(significant, tests.cells, strict=True) if cell[0] == name)
            for name in tests.classes
        }
        chosen = label or max(changed, key=lambda name: changed[name])
        if chosen not in changed:
            fix = f"classes: {', '.join(tests.classes[:20])}"
            raise user_error("EXPLORE001", f"the two studies share no class {chosen[:100]!r}", fix)
        return _difference(tests, (self._before.results, self._results), chosen, significant, changed)

    def swap(self) -> SwapTest:
        """Which part of the model broke since: heads and encoders exchanged. Raises UserError EXPLORE010, STUDY002."""
        why = self._cannot_swap()
        if why is not None:
            raise user_error(
                "EXPLORE010", f"the parts cannot be exchanged: {why}", "give an earlier version of the same model"
            )
        from conspect.study.diagnosing.swapping import sound_model, swap_results

        with self._lock:
            if self._swap is None:
                earlier = Study.open(self._place)
                sound = sound_model(self._study.config, self._study.folder, str(self._place))
                self._swap = swap_results(
                    self._study.inputs, self._study.measurements(counted=False), sound, earlier.store
                )
            return self._swap

    @cached_property
    def _tests(self) -> CellTests | None:
        same = self._before.results.vlm.digest == self._results.vlm.digest
        if not same:
            return None
        orders = self._orders if on_same_images(self._before.results, self._results) else (None, None)
        return cell_tests(self._before.results, self._results, orders)

    def _cannot_swap(self) -> str | None:
        if not (self._place / CONFIG_FILE).is_file():
            return "the earlier study is results alone, without its model"
        if self.comparison.same_model:
            return "it is the same model"
        if not self.comparison.same_images:
            return "the studies are not measured on the same images"
        if self._before.results.classes != self._results.classes:
            return "the classes differ"
        return None


def _difference(
    tests: CellTests,
    versions: tuple[Results, Results],
    chosen: str,
    significant: NDArray[np.bool_],
    changed: dict[str, int],
) -> HeatmapDifference:
    names = tests.concepts
    place = {name: k for k, name in enumerate(names)}
    p_values = np.ones((len(names), len(names)))
    beyond: list[tuple[int, int]] = []
    for cell, p, changes in zip(tests.cells, tests.p_values, significant, strict=True):
        if cell[0] == chosen:
            i, j = place[cell[1]], place[cell[2]]
            p_values[i, j] = p_values[j, i] = p
            beyond += [(min(i, j), max(i, j))] if changes else []
    own = np.array([cell[0] == chosen for cell in tests.cells])
    (old, images_before), (new, images_after) = (_counts(version, chosen, names) for version in versions)
    return HeatmapDifference(
        class_name=chosen,
        concepts=names,
        before=old,
        after=new,
        images_before=images_before,
        images_after=images_after,
        pairing="paired" if tests.paired[own].all() else "independent",
        p_values=tuple(tuple(float(p) for p in row) for row in p_values),
        tested=len(tests.cells),
        significant=tuple(beyond),
        changed_by_class=changed,
    )


def _counts(results: Results, class_name: str, names: tuple[str, ...]) -> tuple[tuple[tuple[int, ...], ...], int]:
    matrix = results.heatmaps.ground_truth[results.classes.index(class_name)]
    place = [results.heatmaps.concepts.index(name) for name in names]
    return tuple(tuple(matrix.greater[i][j] for j in place) for i in place), matrix.images
