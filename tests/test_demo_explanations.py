"""The demo's explanations, on its real network and photographs: a minute or two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conspect.study.demo import demo_study
from conspect.study.recording.concepts import ConceptSample, Explainer, believed, graded
from conspect.study.recording.failure_groups import failure_group_results


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demos_explanations_name_concepts_that_are_seen_and_belong_to_one_of_the_two_classes(
    tmp_path: Path,
) -> None:
    study = demo_study(tmp_path / "demo", images=800)
    inputs, measured = study.inputs, study.measurements()
    sample = ConceptSample.of(measured)
    grades = graded(inputs, measured, sample)
    speaking, table, names = believed(grades), inputs.attributes, inputs.concepts.names
    assert table is not None
    explainer = Explainer.of(inputs, sample, grades)
    good = []
    failures = np.flatnonzero(sample.labels != sample.outputs)
    for row in failures:
        label, output = int(sample.labels[row]), int(sample.outputs[row])
        explanation = explainer.explanation(sample.by_model[row], label, output)
        named = [names.index(name) for reason in explanation.reasons for name in (reason.concept, *reason.twins)]
        carried = [bool(table.relevant[label, k] != table.relevant[output, k]) for k in named]
        good.append(bool(named) and all(carried) and all(speaking[k] for k in named))
        assert explanation.sentence.startswith(
            f"{inputs.model.class_names[label]} taken for {inputs.model.class_names[output]}"
        )
    assert len(failures) > 30
    assert np.mean(good) >= 0.95
    groups, search = failure_group_results(inputs, measured, sample, grades, confidence=0.95, seed=0)
    assert search.images == 800
    for group in groups:
        assert group.p_value < 0.05
        assert group.inside.value is not None
        assert group.outside.value is not None
        assert group.inside.value > group.outside.value
