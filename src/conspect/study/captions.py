"""An honest test of a VLM on words that nobody fitted: the captions of photographs that are no part of any study."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from conspect.adapters.datasets.captioned import PACKAGE, STAMPS, captioned_images
from conspect.adapters.store.embeddings import embed
from conspect.adapters.store.places import Store
from conspect.adapters.store.texts import cached_text_encoder
from conspect.analysis.caption_retrieval import retrieval_ranks
from conspect.core.diagnostics import user_error
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


def installed() -> bool:
    """Whether Debian's package is on this machine."""
    return STAMPS.is_dir()
