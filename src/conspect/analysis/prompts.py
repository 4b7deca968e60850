"""From names to directions in the VLM's space."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from conspect.core.concepts import Concept
from conspect.core.spaces import Float64
from conspect.core.vectors import unit

TextEncoder = Callable[[list[str]], NDArray[np.float32]]


def concept_directions(concepts: Sequence[Concept], templates: Sequence[str], encode: TextEncoder) -> Float64:
    """Unit text directions `[concept, E]`: embed phrases x templates, normalise each, average, normalise.

    Source: Radford et al. (ICML 2021), prompt ensembling in embedding space; paper A, "rep". Raises ValueError when the
    prompts of a concept cancel out, or their embeddings are zero or not finite.
    """
    prompts = [_prompts(concept, templates) for concept in concepts]
    embedded = np.asarray(encode([prompt for group in prompts for prompt in group]), dtype=np.float64)
    units = unit(embedded)
    directions = np.empty((len(concepts), units.shape[1]))
    start = 0
    for index, group in enumerate(prompts):
        mean = units[start : start + len(group)].mean(axis=0)
        norm = float(np.linalg.norm(mean))
        if not norm > 1e-9:
            raise ValueError(
                f"the prompts of {concepts[index].name!r} have no direction: they cancel out, or are not finite"
            )
        directions[index] = mean / norm
        start += len(group)
    return directions


def variant_directions(concepts: Sequence[Concept], templates: Sequence[str], encode: TextEncoder) -> list[Float64]:
    """By concept, unit directions `[variant, E]` of every phrase in every template alone; see `concept_directions`."""
    prompts = [_prompts(concept, templates) for concept in concepts]
    alone = [Concept(prompt, (prompt,)) for group in prompts for prompt in group]
    ends = np.cumsum([len(group) for group in prompts])[:-1]
    return np.split(concept_directions(alone, ("{}",), encode), ends)


def _prompts(concept: Concept, templates: Sequence[str]) -> list[str]:
    return [template.replace("{}", phrase) for phrase in concept.phrases for template in templates]


def class_directions(class_names: Sequence[str], templates: Sequence[str], encode: TextEncoder) -> Float64:
    """Zero-shot directions `[class, E]` of class names, as `concept_directions`."""
    return concept_directions([Concept(name, (name,)) for name in class_names], templates, encode)
