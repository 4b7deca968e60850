"""Words without meaning: what any text, seen through a lens, seems to show of images by chance.

A VLM gives every text a direction, and every direction tells some classes apart and shifts on failures. Whether a word is
seen is therefore asked against texts that mean nothing, made here and embedded like the words themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from conspect.core.spaces import Float64, Floats

CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxz", "aeiouy"
# A word speaks when it varies more than this share of words without meaning, between classes or within them.
SPEAKS = 0.99
# A concept that nothing checks means something when fewer texts without meaning behave like it, corrected for those asked.
MEANS, NEAREST, TINY = 0.01, 10, 1e-6
# A text is no longer a concept from here on; the longest words have about so many letters.
MOST_WORDS, LETTERS_PER_WORD = 8, 24
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


def meaningless_texts(count: int, words: int, seed: int) -> tuple[str, ...]:
    """So many texts of `words` words that mean nothing each, no word twice; of one or two words as `meaningless_words`."""
    if words <= 2:
        return meaningless_words(count, seed)
    # Two of three are single words. No word serves twice: texts that share words would be nearer to one another than to others.
    single = [word for word in meaningless_words(3 * count * words // 2 + 3, seed) if " " not in word]
    return tuple(" ".join(single[start : start + words]) for start in range(0, count * words, words))


def length_in_words(phrases: Sequence[str]) -> float:
    """The mean length of a concept's phrases in words; what is written without spaces counts by its letters."""
    return float(np.mean([max(len(phrase.split()), len(phrase) / LETTERS_PER_WORD) for phrase in phrases] or [0.0]))


def too_long(phrases: Sequence[str]) -> bool:
    """Whether they are longer than texts without meaning are made."""
    return length_in_words(phrases) > MOST_WORDS


@dataclass(frozen=True, eq=False)
class Behaviour:
    """How texts behave on images, none of which takes a label of what they show. `within [text]`: standard deviation of the
    strength within classes, each counting the same; `stability [text]`: mean correlation of the strength by one template alone
    with that by all, 1 = the same; `directions [text, E]`: unit.
    """

    within: Float64
    stability: Float64
    directions: Float64

    @classmethod
    def of(
        cls, directions: Float64, variants: Sequence[Float64], images: Float64, labels: NDArray[np.int64]
    ) -> Behaviour:
        """Of unit `directions [text, E]`, by text unit `variants [variant, E]`, and unit embeddings `images [image, E]`.

        Both follow from covariances of the embeddings, so that no strength of an image is computed.
        """
        spread = np.cov(images, rowvar=False, ddof=0)
        classes = [images[labels == label] for label in np.unique(labels)]
        inside = np.mean([np.cov(part, rowvar=False, ddof=0) for part in classes], axis=0)
        own = directions @ spread
        lengths = np.sqrt(np.maximum((own * directions).sum(axis=1), 0.0))
        stability = np.ones(len(directions))
        for place, alone in enumerate(variants):
            others = np.sqrt(np.maximum(((alone @ spread) * alone).sum(axis=1), 0.0))
            scale = lengths[place] * others
            stability[place] = np.where(scale > 0, (alone @ own[place]) / np.where(scale > 0, scale, 1.0), 0.0).mean()
        within = np.sqrt(np.maximum(((directions @ inside) * directions).sum(axis=1), 0.0))
        return cls(within, stability, directions)


def p_values_of_meaning(texts: Behaviour, meaningless: Behaviour) -> Float64:
    """`[text]`: how likely a text without meaning behaves so much like one with a meaning; small = it means something here.

    Three signs, each in deviations of the texts without meaning, are added: images of a class vary in it, templates agree on
    it, and it does not lie among the texts without meaning (mean cosine with the `NEAREST` nearest). The law of the sum is the
    normal one with median and median absolute deviation of the sums of texts without meaning.
    """

    def signs(behaviour: Behaviour, cosines: Float64) -> tuple[Float64, Float64, Float64]:
        nearest = np.sort(cosines, axis=1)[:, -NEAREST:].mean(axis=1)
        return np.log(behaviour.within + TINY), _fisher(behaviour.stability), -_fisher(nearest)

    among = meaningless.directions @ meaningless.directions.T
    np.fill_diagonal(among, -1.0)  # a text is not its own neighbour
    theirs = signs(meaningless, among)
    ours = signs(texts, texts.directions @ meaningless.directions.T)
    sums = np.sum([_in_deviations(mine, null) for mine, null in zip(ours, theirs, strict=True)], axis=0)
    null_sums = np.sum([_in_deviations(null, null) for null in theirs], axis=0)
    return np.asarray(norm.sf(_in_deviations(sums, null_sums)), dtype=np.float64)


def _fisher(correlations: Float64) -> Float64:
    """Correlations on a scale on which they are nearly normal (Fisher 1915)."""
    return np.asarray(np.arctanh(np.clip(correlations, -1 + TINY, 1 - TINY)), dtype=np.float64)


def _in_deviations(values: Float64, null: Float64) -> Float64:
    """From the median of `null`, in its deviations; a null that does not vary tells nothing apart but what is beyond rounding."""
    centre = float(np.median(null))
    spread = float(np.median(np.abs(null - centre))) / MAD_OF_NORMAL
    return np.asarray((values - centre) / max(spread, TINY), dtype=np.float64)


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
