"""The queue of suspect labels, and what the study's figures become with what was decided."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conspect.core.percentages import rounded_share
from conspect.results.exploration import Decision, LabelDecision, Recount, SuspectLabel, SuspectQueue
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.findings import SuspectFinding
from conspect.study.exploration.image_page import nearness, opinions
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.lists import image_row


def suspect_queue(
    index: StudyIndex,
    annotations: Annotations,
    scores: Mapping[int, SuspectFinding],
    decisions: Mapping[str, LabelDecision],
    *,
    offset: int,
    limit: int,
) -> SuspectQueue:
    """Images whose label is suspect, most suspect first. `scores`: by row."""
    rows = sorted(scores, key=lambda row: (-scores[row].score, row))
    shown = rows[offset : offset + limit]
    near = nearness(index, np.asarray(shown, dtype=np.int64))
    suspects = tuple(
        SuspectLabel(
            image=image_row(index, annotations, row, None),
            score=rounded_share(scores[row].score),
            suggested=scores[row].suggested,
            opinions=opinions(index, row, near[k]),
            decision=decisions.get(index.ids[row]),
        )
        for k, row in enumerate(shown)
    )
    return SuspectQueue(len(rows), offset, suspects, recount(index, decisions))


def recount(index: StudyIndex, decisions: Mapping[str, LabelDecision]) -> Recount:
    """Accuracy and failures with relabelled images under their new label and dropped ones left out.

    A decision about an image that the study no longer has, or for a class it does not have, counts nowhere.
    """
    failures, images = int(index.wrong.sum()), len(index)
    before = 1 - failures / images if images else 0.0
    counts = dict.fromkeys(Decision, 0)
    for name, decision in decisions.items():
        row = index.row_of.get(name)
        if row is None:
            continue
        output, wrong = index.class_names[index.outputs[row]], bool(index.wrong[row])
        match decision.decision:
            case Decision.DROP:
                images -= 1
                failures -= wrong
            case Decision.RELABEL:
                if decision.label not in index.class_names:
                    continue
                failures += int(output != decision.label) - wrong
            case Decision.KEEP:
                pass
        counts[decision.decision] += 1
    return Recount(
        kept=counts[Decision.KEEP],
        relabelled=counts[Decision.RELABEL],
        dropped=counts[Decision.DROP],
        images=images,
        failures=failures,
        accuracy=1 - failures / images if images else 0.0,
        accuracy_before=before,
    )
