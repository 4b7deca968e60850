"""Words without meaning: what any text, seen through a lens, seems to show of images by chance.

A VLM gives every text a direction, and every direction tells some classes apart and shifts on failures. Whether a word is
seen is therefore asked against texts that mean nothing, made here and embedded like the words themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from conspect.core.spaces import Float64, Floats

CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxz", "aeiouy"
# A word speaks when it varies more than this share of words without meaning, between classes or within them.
SPEAKS = 0.99
# The median absolute deviation of a normal law, in standard deviations.
MAD_OF_NORMAL = float(norm.ppf(0.75))


def meaningless_words(count: int, seed: int) -> tuple[str, ...]:
    """So many different texts that mean nothing: in turn a word of syllables, two of them, and letters in any order."""
    rng = np.random.default_rng(seed)

    def drawn(letters: str) -> str:
        return letters[rng.integers(len(letters))]

    def syllables() -> str:
        return "".join(
            drawn(CONSONANTS) + drawn(VOWELS) + (drawn(CONSONANTS) if rng.random() < 0.4 else "")
            for _ in range(rng.integers(2, 4))
        )

    words: dict[str, None] = {}
    while len(words) < count:
        match len(words) % 3:
            case 0:
                word = syllables()
            case 1:
                word = f"{syllables()} {syllables()}"
            case _:
                word = "".join(drawn(CONSONANTS + VOWELS) for _ in range(rng.integers(4, 11)))
        words[word] = None
    return tuple(words)


@dataclass(frozen=True, eq=False)
class Variation:
    """How far strengths `[image, word]` vary, in their own unit: the standard deviation `between [word]` the means of classes,
    and `within [word]` classes, each class counting the same.
    """

    between: Float64
    within: Float64

    @classmethod
    def of(cls, strengths: Floats, labels: NDArray[np.int64]) -> Variation:
        """Of the classes that have images; `labels [image]`."""
        classes = [np.asarray(strengths[labels == label], dtype=np.float64) for label in np.unique(labels)]
        means = np.stack([values.mean(axis=0) for values in classes])
        variances = np.stack([values.var(axis=0) for values in classes])
        return cls(means.std(axis=0), np.sqrt(variances.mean(axis=0)))

    def share_below(self, meaningless: Variation) -> Float64:
        """Of words without meaning, the share that varies less `[word]`: between classes or within, whichever is more."""
        shares = [
            np.searchsorted(np.sort(theirs), ours, side="left") / len(theirs)
            for ours, theirs in ((self.between, meaningless.between), (self.within, meaningless.within))
        ]
        return np.asarray(np.maximum(*shares), dtype=np.float64)


def p_values_beyond(shifts: Float64, meaningless: Float64) -> Float64:
    """Of each shift `[word]`, the p-value that words without meaning shift as far in its direction, twice for either side.

    Failures shift nearly every word, so that a test against no shift at all passes for any text. The null law is the normal
    one with median and median absolute deviation of `meaningless [word]` (an empirical null, Efron 2004).
    """
    centre = float(np.median(meaningless))
    spread = float(np.median(np.abs(meaningless - centre))) / MAD_OF_NORMAL
    if spread <= 0:
        return np.ones_like(shifts)
    further = np.where(shifts >= 0, shifts - centre, centre - shifts)
    return np.asarray(np.minimum(2 * norm.sf(further / spread), 1.0), dtype=np.float64)
