"""An honest test of a VLM on words that nobody fitted: the captions of photographs that are no part of any study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conspect.adapters.datasets.captioned import PACKAGE, STAMPS, captioned_images
from conspect.adapters.store.embeddings import embed
from conspect.adapters.store.places import Store
from conspect.adapters.store.texts import cached_text_encoder
from conspect.analysis.caption_retrieval import retrieval_ranks
from conspect.core.diagnostics import UserError, user_error
from conspect.core.protocols import ProgressBar, VisionLanguageModel, silent
from conspect.results.models import CaptionRetrieval
from conspect.study.recording.shares import share


def caption_retrieval(
    vlm: VisionLanguageModel,
    store: Store,
    folder: Path | None = None,
    *,
    confidence: float = 0.95,
    bar: ProgressBar = silent,
) -> CaptionRetrieval:
    """How often `vlm` finds the right caption among all of `folder`; None: of the stamps that Debian installs.

    Raises UserError DATA003 or DATA004 where there are none, STUDY005 where none of the images can be read.
    """
    pictures = captioned_images(STAMPS if folder is None else folder)
    embedded = embed(vlm, pictures, store, progress=bar("captioned photographs", len(pictures)))
    readable = np.flatnonzero(embedded.readable)
    if not len(readable):
        raise user_error("STUDY005", "none of the captioned photographs can be read", "install the package anew")
    texts = cached_text_encoder(vlm, store)(list(pictures.class_names))
    ranks = retrieval_ranks(embedded.values[readable], texts, pictures.labels[readable])
    return CaptionRetrieval(
        pack=PACKAGE if folder is None else str(folder),
        images=ranks.images,
        captions=ranks.captions,
        first=share(ranks.first, ranks.images, confidence),
        in_five=share(ranks.in_five, ranks.images, confidence),
        chance=1 / ranks.captions,
        chance_in_five=min(5, ranks.captions) / ranks.captions,
        median_rank=ranks.median_rank,
    )


@dataclass(frozen=True)
class CaptionTest:
    """The test that a run makes by itself: `retrieval`, or why there is none (`left_out`)."""

    retrieval: CaptionRetrieval | None
    left_out: str | None

    @classmethod
    def of(cls, vlm: VisionLanguageModel, store: Store, *, confidence: float, bar: ProgressBar = silent) -> CaptionTest:
        """On the stamps that Debian installs. What is wrong with them is said, and costs a study nothing else."""
        try:
            return cls(caption_retrieval(vlm, store, confidence=confidence, bar=bar), None)
        except UserError as error:
            first = error.diagnostics[0]
            return cls(None, f"{first.problem}: {first.fix}")
