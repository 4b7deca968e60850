"""What every question is answered from: labels, outputs and the lens in memory, embeddings in the store's shards."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.mapped import MappedShards
from conspect.core.spaces import AffineMap, Float64, Head, Lens
from conspect.results.exploration import ComparedImages
from conspect.study.measuring.facts import ImageFacts

# Numbers that one question may hold, and that are kept between questions: 256 MB of float64. The numerators of 32 directions
# of a million images, or of all directions of a smaller study.
KEPT_NUMBERS = 32_000_000
# The model's reading is held against the VLM's own on so many images.
SEEN_BY_VLM = 20_000
# So many directions are multiplied one by one, which is quicker than a matrix that is that narrow.
FEW = 4
# Rows that are made float64 at once: with 512 dimensions they stay in a processor's own cache until they are multiplied, which
# takes a quarter of the time of a whole shard.
CACHED_ROWS = 256
# A sum of D products in float32 errs by at most D times this, relative to the lengths. Source: Higham (2002), section 3.1.
FLOAT32 = 2.0**-24
# Neighbours that are proposed by a scan in float32 and measured in float64.
MOST_PROPOSED = 4096
# Numbers of what is usual of one class, and classes whose are kept: 16 MB each. Never fewer images than a percentile needs.
USUAL_NUMBERS, LEAST_USUAL, KEPT_CLASSES = 2_000_000, 1000, 16
# Cosines that differ by less are one number, computed in another order.
SAME = 1e-9


class Usual(NamedTuple):
    """Strengths `[image, concept]` of images of one class that the model gets right; of all `images`, or evenly taken ones."""

    strengths: Float64
    images: int

    @property
    def compared(self) -> ComparedImages:
        """How many of the images were taken."""
        return ComparedImages(len(self.strengths), self.images)

    def percentiles(self, own: Float64) -> Float64 | None:
        """Of strengths `own [concept]`, 0..100: the share of these images with no more; None where there are not two.

        An image counts as no stronger than itself: multiplied alone or among others, its strengths differ in their last digits.
        """
        return None if len(self.strengths) < 2 else np.asarray(100.0 * (self.strengths <= own + SAME).mean(axis=0))


@dataclass(frozen=True, eq=False)
class StudyIndex:
    """The readable test images of a study. Class indices are the model's.

    `labels [image]`; `facts`: what is known of each image by itself; `refit`: gives what a head fitted anew says of each.
    `model_space` and `vlm_space`: embeddings, in the store.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    facts: ImageFacts
    refit: Callable[[], NDArray[np.int64]]
    class_names: tuple[str, ...]
    head: Head
    lens: Lens
    class_directions: Float64
    model_space: MappedShards
    vlm_space: MappedShards
    _columns: OrderedDict[bytes, Float64] = field(default_factory=OrderedDict)
    _usual: OrderedDict[int, Usual] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def outputs(self) -> NDArray[np.int64]:
        """The model's answers `[image]`."""
        return self.facts.outputs

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Softmax of the output `[image]`."""
        return self.facts.confidence

    @cached_property
    def refitted(self) -> NDArray[np.int64]:
        """What a head fitted anew to the model's embeddings says `[image]`; it was fitted on other images."""
        return self.refit()

    @cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """`[image]`: the output is not the label."""
        return np.asarray(self.outputs != self.labels)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row by image id."""
        return {name: row for row, name in enumerate(self.ids)}

    @cached_property
    def by_confidence(self) -> NDArray[np.int64]:
        """Rows, the most confident output first; equal ones in the order of the images."""
        return np.argsort(-self.confidence, kind="stable")

    @cached_property
    def by_doubt(self) -> NDArray[np.int64]:
        """Rows, the least confident output first; equal ones in the order of the images."""
        return np.argsort(self.confidence, kind="stable")

    @cached_property
    def seen(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What the VLM itself saw of at most `SEEN_BY_VLM` images, evenly taken: their rows, and its embeddings `[image, E]`."""
        rows = evenly(len(self), SEEN_BY_VLM)
        return rows, self.vlm_space.taken(rows)

    @cached_property
    def folded_names(self) -> tuple[str, ...]:
        """The images' names without regard to case, to be searched."""
        # A name that is its own folded form is not kept twice.
        return tuple(name if (folded := name.casefold()) == name else folded for name in self.ids)

    def named(self, part: str) -> NDArray[np.bool_]:
        """Which images `[image]` have `part` in their name, without regard to case."""
        wanted = part.casefold()
        return np.fromiter((wanted in name for name in self.folded_names), dtype=bool, count=len(self))

    def products(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inner products `[image, vector]` of the model's embeddings with `vectors [vector, D]`, in float32: one scan."""
        products = np.empty((len(self), len(vectors)), dtype=np.float32)

        def act(where: slice, z: NDArray[np.float32]) -> None:
            for k, vector in enumerate(vectors):
                products[where, k] = z @ vector

        self.model_space.scanned(act)
        return products

    def numerators(self, directions: Float64, rows: NDArray[np.integer] | NDArray[np.bool_] | None = None) -> Float64:
        """(M z + d)'q `[image, direction]` of unit text directions `[direction, E]`: strengths times ||M z + d||.

        The same quantity that the study's heatmaps compare; `rows`: of these images alone. One scan for the directions that an
        earlier question did not ask for; of a few images alone where all images' would be too many numbers.
        """
        if rows is not None and len(directions) * len(self) > KEPT_NUMBERS:
            return self.readings(np.arange(len(self))[rows], directions)
        keys = [np.ascontiguousarray(direction).tobytes() for direction in directions]
        with self._lock:
            columns = {key: self._columns[key] for key in keys if key in self._columns}
        missing = [k for k, key in enumerate(keys) if key not in columns]
        if missing:
            folded = self._folded(np.asarray(directions)[missing])
            read = np.empty((len(missing), len(self)))

            def act(where: slice, z: NDArray[np.float32]) -> None:
                if len(missing) > FEW:
                    read[:, where] = folded(z.astype(np.float64)).T
                    return
                for start in range(0, len(z), CACHED_ROWS):
                    exact = z[start : start + CACHED_ROWS].astype(np.float64)
                    own = slice(where.start + start, where.start + start + len(exact))
                    for line, weight, offset in zip(read, folded.weight, folded.offset, strict=True):
                        np.matmul(exact, weight, out=line[own])
                        line[own] += offset

            self.model_space.scanned(act)
            columns |= {keys[k]: column.copy() for k, column in zip(missing, read, strict=True)}
        with self._lock:
            for key in keys:
                self._columns[key] = columns[key]
                self._columns.move_to_end(key)
            while len(self._columns) > max(1, KEPT_NUMBERS // max(1, len(self))):
                self._columns.popitem(last=False)
        return np.stack([columns[key] if rows is None else columns[key][rows] for key in keys], axis=1)

    def readings(self, rows: NDArray[np.int64], directions: Float64) -> Float64:
        """As `numerators`, of a few `rows`, read from the store for this once."""
        return self._folded(directions)(self.model_space.taken(rows))

    def strengths(self, directions: Float64, rows: NDArray[np.integer] | NDArray[np.bool_] | None = None) -> Float64:
        """cos(M z + d, q) `[image, direction]`, higher = more present; 0 where M z + d vanishes. `rows`: of these alone."""
        norms = (self.facts.norms if rows is None else self.facts.norms[rows])[:, None]
        return np.asarray(self.numerators(directions, rows) / np.where(norms > 0, norms, 1.0))

    def usual(self, number: int) -> Usual:
        """Strengths of every concept over the images of class `number` that the model gets right."""
        with self._lock:
            if number in self._usual:
                self._usual.move_to_end(number)
                return self._usual[number]
        members = np.flatnonzero((self.labels == number) & ~self.wrong)
        most = max(LEAST_USUAL, USUAL_NUMBERS // max(1, len(self.lens.concept_names)))
        rows = members[evenly(len(members), most)]
        usual = Usual(self.strengths(self.lens.directions, rows), len(members))
        with self._lock:
            self._usual[number] = usual
            while len(self._usual) > KEPT_CLASSES:
                self._usual.popitem(last=False)
        return usual

    def embedding(self, row: int) -> NDArray[np.float32]:
        """`[D]` of one image in the model's space."""
        return np.asarray(self.model_space.taken(np.array([row]))[0])

    def vlm_embedding(self, row: int) -> NDArray[np.float32]:
        """`[E]` of one image, by the VLM itself."""
        return np.asarray(self.vlm_space.taken(np.array([row]))[0])

    def _folded(self, directions: Float64) -> AffineMap:
        alignment = self.lens.alignment
        return AffineMap(directions @ alignment.weight, directions @ alignment.offset)


def evenly(many: int, most: int) -> NDArray[np.int64]:
    """At most `most` of 0..many-1, ascending, spread over all of them."""
    return np.unique(np.linspace(0, many - 1, min(most, many)).astype(np.int64))


def lowest(rough: NDArray[np.float32], count: int, *, slack: float) -> NDArray[np.int64]:
    """Rows, ascending, that may be among the `count` lowest where `rough [image]` errs by at most `slack` / 2.

    Infinite ones are none. At most `MOST_PROPOSED`, the lowest: more are only where thousands of images are all but equal.
    """
    if count < len(rough):
        bound = float(np.partition(rough, count - 1)[count - 1]) + slack if count else -np.inf
        rows = np.flatnonzero((rough <= bound) & np.isfinite(rough))
    else:
        rows = np.flatnonzero(np.isfinite(rough))
    if len(rows) <= MOST_PROPOSED:
        return rows
    return np.sort(rows[np.argpartition(rough[rows], MOST_PROPOSED - 1)[:MOST_PROPOSED]])
