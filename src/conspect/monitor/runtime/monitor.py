"""The monitor: from a ready embedding and its logits to a verdict, with reasons. The run-time half needs NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionModel
from conspect.monitor.runtime import storage
from conspect.monitor.runtime.decisions import Decisions, Reason
from conspect.monitor.runtime.guarantee import Guarantee
from conspect.monitor.runtime.identity import Identity
from conspect.monitor.runtime.parameters import Float32
from conspect.monitor.runtime.record import MonitorRecord
from conspect.monitor.runtime.second_look import Looks, SecondLook
from conspect.monitor.runtime.stream import Stream


@dataclass(frozen=True, eq=False)
class Monitor(MonitorRecord):
    """A `MonitorRecord` that decides."""

    def check(self, embeddings: NDArray[np.floating], logits: NDArray[np.floating]) -> Decisions:
        """Verdicts for `embeddings [image, D]` and their `logits [image, class]`; an input with NaN is suspect.

        Raises UserError MONITOR001 for arrays of another shape.
        """
        folded = self.detector.folded
        if (
            embeddings.ndim != 2
            or embeddings.shape[1] != folded.weight.shape[1]
            or logits.shape != (len(embeddings), folded.classes)
        ):
            problem = f"embeddings {embeddings.shape} and logits {logits.shape}"
            fix = f"embeddings are [image, {folded.weight.shape[1]}], logits [image, {folded.classes}]"
            raise user_error("MONITOR001", problem, fix)
        suspicion, outputs = self.detector.suspicion(embeddings, logits)
        return Decisions(outputs, suspicion, self.thresholds.verdicts(suspicion))

    def check_looks(self, embeddings: NDArray[np.floating], logits: NDArray[np.floating]) -> Decisions:
        """Verdicts from several looks: `embeddings [image, look, D]`, `logits [image, look, class]`; look 0 is the image itself.

        Raises UserError MONITOR001 for arrays of another shape, or when the monitor was fitted without a second look.
        """
        tier, limits = self.required_second_look(), self.second_thresholds or self.thresholds
        looked = Looks(embeddings, logits)
        first = self.check(looked.embeddings[:, 0], looked.logits[:, 0]).suspicion
        suspicion, outputs = tier.suspicion(looked, first, self.detector.folded)
        return Decisions(outputs, suspicion, limits.verdicts(suspicion))

    def required_second_look(self) -> SecondLook:
        """The tier for several looks. Raises UserError MONITOR001 when the monitor was fitted without one."""
        if self.second_look is None or self.second_thresholds is None:
            fix = "fit the monitor with the looks of the fit split"
            raise user_error("MONITOR001", "the monitor has no second look", fix)
        return self.second_look

    def numerators(self, embeddings: NDArray[np.floating]) -> Float32:
        """Strength numerators `[concept, image]` of `embeddings [image, D]`."""
        return self.detector.folded.readings(embeddings)[: self.detector.folded.concepts]

    def reasons(self, embedding: NDArray[np.floating], output: int, *, limit: int = 3) -> list[Reason]:
        """The concept pairs seen in one `embedding [D]` that speak most against its output, strongest first.

        A pair speaks against the output by p log(p / r), with p its share among wrong and r among right outputs of that
        class: a pair that hardly ever occurs is no reason. Pairs that speak for it are left out. Each concept is named at
        most once on each side, and none of `silent`; the weaker is one that the class shows, where that is known.
        """
        concepts = self.detector.folded.concepts
        numerators = self.numerators(np.asarray(embedding)[None])[:, 0]
        right = self.right_shares[output].reshape(concepts, concepts)
        wrong = self.wrong_shares[output].reshape(concepts, concepts)
        speaks = ~np.isin(self.concept_names, self.silent)
        own = np.isin(self.concept_names, self.own[output]) if self.own else speaks
        held = (numerators[:, None] > numerators[None, :]) & speaks[:, None] & (speaks & own)[None, :]
        against = np.where(held, wrong * (np.log(wrong) - np.log(right)), -np.inf)
        listed: list[Reason] = []
        used: tuple[set[int], set[int]] = set(), set()
        for flat in np.argsort(-against, axis=None, kind="stable"):
            i, j = divmod(int(flat), concepts)
            if len(listed) == limit or not against[i, j] > 0:
                break
            if i not in used[0] and j not in used[1]:
                used[0].add(i)
                used[1].add(j)
                names = self.class_names[output], self.concept_names[i], self.concept_names[j]
                listed.append(Reason(*names, float(right[i, j]), float(wrong[i, j])))
        return listed

    def stream(self, *, mean_time_to_false_alarm: int = 1_000_000, window: int = 200) -> Stream:
        """A new state for one stream of decisions; see `conspect.monitor.runtime.stream`."""
        return Stream(
            self.class_names,
            self.concept_names,
            self.reference,
            mean_time_to_false_alarm=mean_time_to_false_alarm,
            window=window,
        )

    def save(self, folder: Path, *, guarantee: Guarantee | None = None) -> None:
        """Writes `monitor.safetensors` and `monitor.json` into `folder`. Raises OutsideError MONITOR004."""
        storage.save(self, folder, guarantee=guarantee)

    @classmethod
    def load(cls, folder: Path, *, model: VisionModel | None = None, lens_digest: str | None = None) -> Monitor:
        """Reads what `save` wrote; `model`: the one that it is going to watch; `lens_digest`: of the lens that its study has.

        Raises OutsideError MONITOR004 for anything missing, damaged or of another version, UserError MONITOR007 when the
        monitor belongs to another model or lens, or does not say to which.
        """
        record = storage.load(folder)
        loaded = cls(**{field.name: getattr(record, field.name) for field in fields(record)})
        if model is not None:
            loaded.require_model(model)
        if lens_digest is not None:
            loaded.require_lens(lens_digest)
        return loaded

    def require_model(self, model: VisionModel) -> None:
        """Raises UserError MONITOR007 unless the monitor says that it was fitted on this model, by its digest."""
        self._known_identity(model.name).require_model(model.name, model.digest)

    def require_lens(self, digest: str) -> None:
        """Raises UserError MONITOR007 unless the monitor says that it was fitted with the lens of this digest."""
        self._known_identity("the study's").require_lens(digest)

    def _known_identity(self, wanted: str) -> Identity:
        if self.identity is None:
            problem = f"the monitor does not say which model it belongs to, so not that it is {wanted}"
            raise user_error("MONITOR007", problem, "fit it anew: conspect monitor fit --study DIR")
        return self.identity
