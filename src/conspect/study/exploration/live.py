"""A picture that is no part of the study: what its model says, whether the monitor accepts that, and what it resembles."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import numpy as np

from conspect.core.diagnostics import user_error
from conspect.core.percentages import rounded_share
from conspect.core.protocols import UnreadableImage, VisionModel
from conspect.core.spaces import Float64
from conspect.core.vectors import confidences
from conspect.results.exploration import MonitorOpinion
from conspect.results.live import ClassShare, ConceptStrength, LiveVerdict
from conspect.study.explaining import concept_maps
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.reality import Reality
from conspect.study.monitor.received import received_image

PIXELS = 40_000_000
SHOWN_CLASSES, SHOWN_CONCEPTS, SHOWN_NEAREST, SHOWN_MAPS = 5, 12, 6, 3


class Live:
    """Judges pictures, one at a time: a model need not be safe to share."""

    def __init__(
        self, model: VisionModel, index: StudyIndex, reality: Reality, watch: Callable[[Float64], MonitorOpinion | None]
    ) -> None:
        """`watch`: what the monitor says of an embedding `[D]`."""
        self._model, self._index, self._reality, self._watch = model, index, reality, watch
        self._lock = Lock()

    def judge(self, content: bytes) -> LiveVerdict:
        """The image file `content`, read as the study reads its own. Raises UserError EXPLORE009 for what is no image."""
        started = time.perf_counter()
        try:
            image = received_image(content, "the picture", pixels=PIXELS)
        except UnreadableImage as error:
            problem = error.diagnostics[0].problem
            raise user_error(
                "EXPLORE009", problem, f"give a PNG, JPEG, WebP, BMP or GIF file of at most {PIXELS:,} pixels"
            ) from error
        with self._lock:
            embedding = np.asarray(self._model.embed(self._model.prepare(image)[None])[0])
            index, point = self._index, embedding.astype(np.float64)
            logits = index.head.logits(point[None])[0]
            if not np.isfinite(logits).all():
                raise user_error(
                    "EXPLORE009", "the model answers with no numbers", "the picture is outside what it can take"
                )
            shares, output = confidences(logits), int(logits.argmax())
            strengths = self._strengths(point, output)
            maps = concept_maps(
                self._model, index.lens, image, [strength.concept for strength in strengths[:SHOWN_MAPS]]
            )
        order = np.argsort(-shares, kind="stable")[:SHOWN_CLASSES]
        return LiveVerdict(
            width=image.shape[1],
            height=image.shape[0],
            output=index.class_names[output],
            classes=tuple(ClassShare(index.class_names[k], rounded_share(shares[k], 5)) for k in order),
            monitor=self._watch(point),
            strengths=strengths[:SHOWN_CONCEPTS],
            nearest=tuple(near for near, _ in self._reality.nearest(point, SHOWN_NEAREST)),
            maps=maps or (),
            seconds=round(time.perf_counter() - started, 4),
            in_output=index.usual(output).compared,
        )

    def _strengths(self, point: Float64, output: int) -> tuple[ConceptStrength, ...]:
        """Every concept, the most unusual for the output first."""
        index = self._index
        own = index.lens.strengths(point[None])[0]
        shares = index.usual(output).percentiles(own)
        entries = [
            ConceptStrength(name, round(float(own[k]), 5), None if shares is None else round(float(shares[k]), 1))
            for k, name in enumerate(index.lens.concept_names)
        ]
        return tuple(sorted(entries, key=lambda e: -abs((50.0 if e.percentile is None else e.percentile) - 50.0)))
