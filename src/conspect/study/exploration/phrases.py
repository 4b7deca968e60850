"""From what somebody types, "striped > metallic" or "striped", to directions in the lens's space."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.prompts import concept_directions
from conspect.core.concepts import Concept
from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64
from conspect.study.exploration.index import StudyIndex

MOST_CHARACTERS = 200
# Signs and words that people write between two concepts, the larger first.
_LARGER_FIRST = re.compile(r"\s*(?:>|＞|≻|\bmore than\b|\bstronger than\b|\bover\b)\s*", re.IGNORECASE)
_SMALLER_FIRST = re.compile(r"\s*(?:<|＜|≺|\bless than\b|\bweaker than\b)\s*", re.IGNORECASE)
TextEncoder = Callable[[list[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Reading:
    """One concept, or a pair of which the first should be the stronger. Names of the study's concepts, or plain words."""

    first: str
    second: str | None

    @property
    def text(self) -> str:
        """As it is shown: "striped > metallic"."""
        return self.first if self.second is None else f"{self.first} > {self.second}"


class Phrases:
    """Directions of the study's concepts by name, and of any other words by the VLM's text encoder."""

    def __init__(self, concepts: Sequence[Concept], directions: Float64, templates: Sequence[str], encode: TextEncoder):
        self._directions = {concept.name.casefold(): q for concept, q in zip(concepts, directions, strict=True)}
        self._names = {concept.name.casefold(): concept.name for concept in concepts}
        self._templates, self._encode = tuple(templates), encode

    def knows(self, name: str) -> bool:
        """Whether `name` is a concept of the study."""
        return name.casefold() in self._names

    def read(self, text: str) -> Reading:
        """What `text` asks. Raises UserError EXPLORE002 where it names no concept, or more than two."""
        plain = " ".join(unicodedata.normalize("NFC", text).split())
        known = self._known(plain)
        if known is not None:
            return known
        if not plain or len(plain) > MOST_CHARACTERS or not plain.isprintable():
            problem = (
                "nothing is asked" if not plain else f"a question has at most {MOST_CHARACTERS} printable characters"
            )
            raise user_error("EXPLORE002", problem, 'ask for a concept or a pair, such as "striped > metallic"')
        parts = _LARGER_FIRST.split(plain)
        if len(parts) == 1:
            parts = _SMALLER_FIRST.split(plain)[::-1]
        if len(parts) > 2 or not all(part.strip() for part in parts):
            fix = 'name one concept, or two with ">" between them'
            raise user_error("EXPLORE002", f"{plain!r} is not a concept or a pair of two", fix)
        names = [self._names.get(part.casefold(), part) for part in (p.strip(" \"'") for p in parts)]
        if len(names) == 2 and names[0].casefold() == names[1].casefold():
            raise user_error("EXPLORE002", f"{plain!r} compares a concept with itself", "name two different concepts")
        return Reading(names[0], names[1] if len(names) == 2 else None)

    def _known(self, plain: str) -> Reading | None:
        """The concept or pair of concepts that the text is the name of, whatever signs stand in these names."""
        if plain.casefold() in self._names:
            return Reading(self._names[plain.casefold()], None)
        for sign in re.finditer(" > ", plain):
            first, second = (self._names.get(part.casefold()) for part in (plain[: sign.start()], plain[sign.end() :]))
            if first is not None and second is not None and first != second:
                return Reading(first, second)
        return None

    def directions(self, names: Sequence[str]) -> Float64:
        """Unit text directions `[name, E]`. Raises UserError EXPLORE002 for words that have no direction."""
        new = [name for name in names if name.casefold() not in self._directions]
        if new:
            try:
                made = concept_directions([Concept(name, (name,)) for name in new], self._templates, self._encode)
            except ValueError as error:
                raise user_error("EXPLORE002", str(error), "use other words") from error
            self._directions |= {name.casefold(): q for name, q in zip(new, made, strict=True)}
        return np.stack([self._directions[name.casefold()] for name in names])

    def margin(self, index: StudyIndex, reading: Reading) -> Float64:
        """`[image]`: strength of the first concept minus the second's; of a lone concept, its strength."""
        names = [reading.first] if reading.second is None else [reading.first, reading.second]
        strengths = index.strengths(self.directions(names))
        return strengths[:, 0] if reading.second is None else np.asarray(strengths[:, 0] - strengths[:, 1])
