"""The benchmark of scale compares counts of the same study by other workers: equal ones pass, one image more does not."""

from pathlib import Path

import msgspec

from conspect.bench.scale import same_counts
from conspect.bench.workloads.scale_world import World, filled_study_folder
from conspect.results.results import Results
from conspect.study.config import StudyConfig
from conspect.study.study import Study

IMAGES = 600


def test_a_study_counts_what_its_run_wrote_down(tmp_path: Path) -> None:
    inputs = filled_study_folder(World(), tmp_path, IMAGES)
    results = Study(tmp_path, StudyConfig(), inputs).run()
    assert same_counts(Study(tmp_path, StudyConfig(), inputs), results)
    assert not same_counts(Study(tmp_path, StudyConfig(), inputs), with_a_failure_more(results))
    assert not same_counts(Study(tmp_path, StudyConfig(), inputs), with_an_image_more(results))


def with_a_failure_more(results: Results) -> Results:
    localization = msgspec.structs.replace(results.localization, failures=results.localization.failures + 1)
    return msgspec.structs.replace(results, localization=localization)


def with_an_image_more(results: Results) -> Results:
    first, *others = results.heatmaps.ground_truth
    larger = msgspec.structs.replace(first, images=first.images + 1)
    return msgspec.structs.replace(
        results, heatmaps=msgspec.structs.replace(results.heatmaps, ground_truth=(larger, *others))
    )
