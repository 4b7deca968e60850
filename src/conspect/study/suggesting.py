"""Concepts for a study that nobody had to list: candidates measured on its images."""

from __future__ import annotations

from collections.abc import Sequence

from conspect.adapters.store.places import Store
from conspect.adapters.store.texts import cached_text_encoder
from conspect.analysis.concepts.meaningless import meaningless_words
from conspect.analysis.concepts.suggestions import Candidates, suggest
from conspect.analysis.prompts import concept_directions
from conspect.core.concepts import Concept
from conspect.core.spaces import Lens
from conspect.results.concepts import SuggestedConcept, SuggestedConcepts
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.concepts import MEANINGLESS, MEANINGLESS_SEED, ConceptSample


def suggest_concepts(
    inputs: StudyInputs, measured: Measurements, store: Store, words: Sequence[str], *, limit: int
) -> SuggestedConcepts:
    """The words that are seen on the study's test images and tell classes or failures, the most telling first."""
    encode = cached_text_encoder(inputs.vlm, store)
    candidates = [Concept(word, (word,)) for word in words]
    directions = concept_directions(candidates, inputs.concepts.concept_templates, encode)
    lens = Lens(measured.lens.alignment, tuple(words), directions)
    nonsense = meaningless_words(MEANINGLESS, MEANINGLESS_SEED)
    nonsense_directions = concept_directions(
        [Concept(word, (word,)) for word in nonsense], inputs.concepts.concept_templates, encode
    )
    nonsense_lens = Lens(measured.lens.alignment, nonsense, nonsense_directions)
    classes = inputs.model.class_names
    class_lens = Lens(measured.lens.alignment, classes, measured.class_directions)
    sample = ConceptSample.of(measured)
    suggested = suggest(
        Candidates(
            words,
            directions,
            lens.cosines(sample.vlm_embeddings),
            lens.strengths(sample.embeddings),
            classes,
            measured.class_directions,
            class_lens.cosines(sample.vlm_embeddings),
            class_lens.strengths(sample.embeddings),
            nonsense_lens.cosines(sample.vlm_embeddings),
            nonsense_lens.strengths(sample.embeddings),
            [(concept.name, *concept.phrases) for concept in inputs.concepts.concepts],
            sample.by_vlm,
        ),
        sample.labels,
        sample.outputs,
        limit=limit,
    )
    return SuggestedConcepts(
        candidates=len(words),
        names_of_classes=suggested.names_of_classes,
        not_seen=suggested.not_seen,
        like_meaningless=suggested.like_meaningless,
        tell_nothing=suggested.tell_nothing,
        near_duplicates=suggested.near_duplicates,
        suggestions=tuple(
            SuggestedConcept(
                name=words[suggestion.candidate],
                agreement=round(suggestion.agreement, 4),
                own_share=round(suggestion.own_share, 4),
                class_name=classes[suggestion.class_index],
                auroc=round(suggestion.auroc, 4),
                more=suggestion.more,
                speaks=round(suggestion.speaks, 4),
                failures=round(suggestion.failures, 4),
                p_value=suggestion.p_value,
                tells_failures=suggestion.tells_failures,
                known=None if suggestion.known is None else inputs.concepts.names[suggestion.known],
                examples=tuple(measured.ids[sample.images[row]] for row in suggestion.examples),
            )
            for suggestion in suggested.suggestions
        ),
    )
