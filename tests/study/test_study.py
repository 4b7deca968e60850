"""A study whose every answer is known beforehand: what is planted is what must be found."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.exports.arrow import read_stream
from conspect.analysis.localization import Culprit
from conspect.core.diagnostics import UserError
from conspect.results.results import SCHEMA
from conspect.statistics.intervals import wilson
from conspect.study import Study, StudyConfig, StudyInputs
from tests.fakes import CLASSES, FakeModel, FakeVlm, colour_dataset
from tests.records import plain

READABLE, FAILURES = 75, 13


@pytest.fixture(scope="module")
def results(finished: Study) -> dict:
    return plain(finished.results())


def test_data_are_counted_and_what_cannot_be_read_is_listed_by_name(results: dict, finished: Study) -> None:
    assert results["dataset"] == {
        "name": "test",
        "split": "test",
        "images": READABLE + 2,
        "readable": READABLE,
        "digest": finished.inputs.test.digest,
        "omissions": [],
    }
    listed = [(entry["split"], entry["id"]) for entry in results["unreadable"]]
    assert listed == [("test", "blue/broken.png"), ("test", "green/empty.jpg")]
    assert all(entry["reason"] for entry in results["unreadable"])


def test_the_model_is_judged_by_its_confusion(results: dict) -> None:
    model = results["model"]
    assert model["accuracy"] == (READABLE - FAILURES) / READABLE
    assert model["confusion"] == [[22, 0, 0, 0], [0, 20, 13, 0], [0, 0, 20, 0], [0, 0, 0, 0]]
    green, yellow = model["by_class"][1], model["by_class"][3]
    assert (green["class"], green["recall"]["value"], green["precision"]["value"]) == ("green", 20 / 33, 1.0)
    assert (yellow["recall"]["value"], yellow["recall"]["n"]) == (None, 0)
    assert (model["name"], model["digest"], model["embedding_size"]) == ("planted", "model-1", 3)


def test_the_vlm_is_wrong_on_the_images_it_was_blinded_on(results: dict) -> None:
    vlm = results["vlm"]
    assert vlm["zero_shot_accuracy"] == 70 / READABLE
    # Blinded, a red image is right on one of its two pairs, and so is a green one.
    assert vlm["pair_agreement"] == pytest.approx((20 + 2 / 2 + 30 + 3 / 2 + 20) / READABLE)
    assert vlm["pair_agreement_by_class"] == [pytest.approx(21 / 22), pytest.approx(31.5 / 33), 1.0, None]
    # Seen through the model, a green image that looks blue is right on one of its two pairs.
    assert vlm["pair_agreement_through_lens"] == pytest.approx((22 + 26 + 7 / 2 + 20) / READABLE)
    # Only two concepts have an unseen word; blue's relevant one has none, so blue does not count.
    assert vlm["pair_agreement_unseen_words"] == pytest.approx((20 + 2 * 0 + 30 + 3) / 55)


def test_the_alignment_recovers_the_affine_relation_of_the_two(results: dict, finished: Study) -> None:
    lens = finished.measurements().lens
    np.testing.assert_allclose(lens.alignment.weight, np.vstack([np.eye(3), np.zeros(3)]), atol=1e-4)
    np.testing.assert_allclose(lens.alignment.offset, [0, 0, 0, 0.5], atol=1e-4)
    alignment = results["alignment"]
    assert alignment["fitted_on"] == 70
    assert alignment["zero_shot_accuracy"] == 68 / READABLE
    # They differ where either alone is fooled: two red and four green images.
    assert alignment["agreement"] == (READABLE - 6) / READABLE
    assert 0.5 < alignment["r2"] < 1
    assert 0.9 < alignment["mean_cosine"] < 1


def test_localization_finds_the_planted_culprits(results: dict) -> None:
    located = results["localization"]
    assert located["failures"] == FAILURES
    assert located["paper_oracle"]["counts"] == {"head": 6, "encoder": 4, "undecided": 3}
    for image in located["images"]:
        assert Path(image["id"]).name.startswith(image["paper_verdict"])
        assert (image["label"], image["output"]) == ("green", "blue")
    assert (
        Counter(image["refitted_head_verdict"] for image in located["images"])
        == located["paper_oracle"]["refitted_head_counts"]
    )
    assert located["paper_oracle"]["refitted_head_counts"] == {"head": 6, "encoder": 7}
    assert located["paper_oracle"]["cross_table"]["undecided"] == {"head": 0, "encoder": 3}
    assert (located["paper_oracle"]["agreement"], located["paper_oracle"]["kappa"]) == (1.0, 1.0)
    assert located["paper_oracle"]["refitted_head_accuracy"] == 68 / READABLE


def test_what_went_wrong_is_said_in_concepts(results: dict) -> None:
    assert {image["paper_verdict"] for image in results["localization"]["images"]} >= {"head", "encoder"}
    for image in results["localization"]["images"]:
        broken = [(pair["stronger"], pair["weaker"]) for pair in image["went_wrong"]]
        if image["paper_verdict"] == "head":  # nothing is wrong with what the encoder saw
            assert ("greenish", "bluish") not in broken
        else:
            assert broken[0] == ("greenish", "bluish")
            assert image["went_wrong"][0]["usual"] == pytest.approx(26 / 33, abs=1e-4)
        assert len(image["strengths"]) == 4


def test_heatmaps_hold_the_counts_of_the_planted_images(results: dict) -> None:
    maps = results["heatmaps"]
    red, green, blue, grey = range(4)
    assert maps["concepts"] == ["reddish", "greenish", "bluish", "grey"]
    assert [m["images"] for m in maps["ground_truth"]] == [22, 33, 20, 0]
    assert [m["images"] for m in maps["output_label"]] == [22, 20, 33, 0]
    truth = np.array(maps["ground_truth"][1]["greater"])
    assert (truth[green, blue], truth[blue, green]) == (26, 7)
    by_vlm = np.array(maps["ground_truth_by_vlm"][1]["greater"])
    assert (by_vlm[green, blue], by_vlm[blue, green]) == (30, 3)
    called_blue = np.array(maps["output_label"][2]["greater"])
    assert (called_blue[green, blue], called_blue[blue, green]) == (6, 27)
    assert np.array(maps["ground_truth"][0]["greater"])[red, grey] == 22
    assert maps["ground_truth"][3]["greater"] == [[0] * 4] * 4


def test_the_differential_heatmap_names_what_the_failures_lose(results: dict) -> None:
    changed = results["heatmaps"]["differential_by_label"][1]
    assert (changed["correct"]["images"], changed["incorrect"]["images"]) == (20, 13)
    lost = {(pair["stronger"], pair["weaker"]): pair for pair in changed["top_pairs"]}
    pair = lost["greenish", "bluish"]
    assert (pair["correct_share"], pair["incorrect_share"]) == (1.0, 6 / 13)
    assert pair["difference"] == pytest.approx(7 / 13)
    assert pair["low"] < pair["difference"] < pair["high"]
    assert pair["p_value"] < 0.05
    assert results["heatmaps"]["differential_by_label"][3]["top_pairs"] == []
    assert results["heatmaps"]["differential_by_output"][2]["incorrect"]["images"] == 13


def test_the_binarized_heatmap_is_cut_at_the_threshold(results: dict) -> None:
    cut = results["heatmaps"]["binarized"]
    assert cut["threshold"] == 0.75
    assert cut["cells"][0][0] == [0, 1, 1, 1]
    assert cut["cells"][3] == [[0 if i == j else -1 for j in range(4)] for i in range(4)]


def test_validation_shows_every_expected_pair_both_ways(results: dict) -> None:
    validation = results["validation"]
    assert validation["expected_pairs"]["number"] == 6
    weakest = validation["expected_pairs"]["weakest"]
    assert {row["class"] for row in weakest} == {"red", "green", "blue"}
    by_name = {(row["relevant"], row["irrelevant"]): row for row in weakest}
    row = by_name["greenish", "bluish"]
    assert (row["through_lens"]["value"], row["by_vlm"]["value"]) == (26 / 33, 30 / 33)
    assert validation["agreement_by_class"][2:] == [1.0, None]


# What results.json promises at least.
PROMISED = """
dataset.name dataset.split dataset.images dataset.digest model.name model.accuracy model.digest vlm.name
vlm.zero_shot_accuracy vlm.pair_agreement vlm.pair_agreement_unseen_words alignment.r2 alignment.mean_cosine
alignment.zero_shot_accuracy alignment.agreement localization.paper_oracle.counts.head localization.paper_oracle.counts.encoder
localization.paper_oracle.counts.undecided localization.paper_oracle.agreement timings
"""


@pytest.mark.parametrize("path", PROMISED.split())
def test_the_promised_field_is_there(results: dict, path: str) -> None:
    value = results
    for key in path.split("."):
        value = value[key]
    assert value is not None


def test_a_run_leaves_results_manifest_and_report_and_no_other_file(finished: Study) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    made = {"results.json", "manifest.json", "report.html", "failures.arrows", "orders.arrows", "embeddings"}
    assert names == made | {"study.toml", "concepts.toml", "attributes.csv", "images"}
    manifest = json.loads((finished.folder / "manifest.json").read_text())
    assert set(manifest["digests"]) == {"model", "head", "vlm", "train", "test", "concepts", "lens", "metadata"}
    assert manifest["seed"] == 0


def test_a_second_run_gives_the_same_results_but_for_the_time(folder: Path) -> None:
    first, second = (plain(Study.open(folder).run()) for _ in range(2))
    for results in (first, second):
        results.pop("timings")
    assert first == second


def test_the_seed_draws_the_images(folder: Path) -> None:
    text = (folder / "study.toml").read_text().replace("[model]", "images = 40\nalignment_images = 30\n\n[model]")
    drawn = []
    for seed in (1, 1, 2):
        (folder / "study.toml").write_text(f"{text}\n[settings]\nseed = {seed}\n")
        results = plain(Study.open(folder).run())
        assert (results["dataset"]["images"], results["alignment"]["fitted_on"]) == (40, 30)
        drawn.append(results["dataset"]["digest"])
    assert drawn[0] == drawn[1] != drawn[2]


def test_results_are_refused_before_a_run_and_after_a_change(folder: Path) -> None:
    with pytest.raises(UserError, match="STUDY003"):
        Study.open(folder).results()
    Study.open(folder).run()
    assert Study.open(folder).results().schema == SCHEMA
    for name, addition in (
        ("study.toml", "[settings]\nbinarize_at = 0.9\n"),
        ("concepts.toml", 'dark = ["dark"]\n'),
        ("attributes.csv", "# a remark\n"),
    ):
        before = (folder / name).read_text()
        (folder / name).write_text(before + addition)
        with pytest.raises(UserError, match=r"(?s)STUDY004.*fix: conspect run"):
            Study.open(folder).results()
        (folder / name).write_text(before)
        assert Study.open(folder).results()


@pytest.mark.parametrize("name", ["results.json", "manifest.json"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"[1]", b"null", b"\xff", b'{"a": 1}', b"[" * 100_000, b'{"x": NaN}']
)
def test_results_that_no_finished_run_wrote_are_refused(finished: Study, name: str, content: bytes) -> None:
    before = (finished.folder / name).read_bytes()
    try:
        (finished.folder / name).write_bytes(content)
        with pytest.raises(UserError, match=r"STUDY003.*\n  fix: conspect run"):
            Study.open(finished.folder).results()
    finally:
        (finished.folder / name).write_bytes(before)
    assert Study.open(finished.folder).results()


def test_own_objects_take_the_place_of_what_study_toml_names(tmp_path: Path, pristine: Path) -> None:
    data = colour_dataset(40, side=16)
    named = type(data)("noise", "test", ("red",), data.ids, data.labels, data.pixels)
    concepts = Study.open(pristine).inputs.concepts
    inputs = StudyInputs(named, named, FakeModel(), FakeVlm(), concepts, None)
    results = plain(Study(tmp_path, StudyConfig(), inputs).run())
    assert results["dataset"]["name"] == "noise"
    assert results["vlm"]["pair_agreement"] is None
    assert results["validation"]["expected_pairs"] is None


def test_the_same_image_is_never_fitted_on_and_judged(finished: Study) -> None:
    measured = finished.measurements()
    assert (
        not set(measured.train.ids) & set(measured.ids) or finished.inputs.train.digest != finished.inputs.test.digest
    )
    assert measured.train.labels.tolist() == [CLASSES.index(name.split("/")[0]) for name in measured.train.ids]
    assert measured.labels.tolist() == [CLASSES.index(name.split("/")[0]) for name in measured.ids]


def test_the_table_beside_the_results_holds_every_failure(finished: Study, results: dict) -> None:
    table = read_stream(finished.folder / "failures.arrows")
    located = results["localization"]
    assert located["table"] == "failures.arrows"
    assert len(table["id"]) == located["failures"] == 13
    for name in ("id", "label", "output", "confidence", "paper_verdict", "refitted_head_verdict", "vlm_says"):
        assert list(table[name]) == [image[name] for image in located["images"]]
    concepts = [concept["name"] for concept in results["concepts"]]
    assert [table[f"strength {name}"][3] for name in concepts] == located["images"][3]["strengths"]


def test_thumbnails_are_kept_of_failures_and_of_the_first_right_images_of_each_class(
    finished: Study, results: dict
) -> None:
    pictures = finished.thumbnails(finished.results())
    examples = [image["id"] for image in results["heatmaps"]["examples"]]
    assert set(pictures) == {image["id"] for image in results["localization"]["images"]} | set(examples)
    assert all(uri.startswith("data:image/png;base64,") for uri in pictures.values())
    assert [name.split("/")[0] for name in examples] == [image["label"] for image in results["heatmaps"]["examples"]]


def test_an_example_has_the_strengths_that_the_heatmaps_compare(finished: Study, results: dict) -> None:
    measured, shown = finished.measurements(), results["heatmaps"]["examples"]
    assert len(shown) > 12
    by_class = Counter(image["label"] for image in shown)
    assert max(by_class.values()) == 12
    for image in shown:
        row = measured.ids.index(image["id"])
        assert measured.labels[row] == measured.outputs[row] == CLASSES.index(image["label"])
        strengths = measured.lens.strengths(measured.test.model_embeddings(np.array([row])))[0]
        assert image["strengths"] == pytest.approx(strengths, abs=1e-5)


def test_one_readable_test_image_is_enough_and_too_few_training_images_are_refused(folder: Path) -> None:
    for path in sorted((folder / "images/test").glob("*/*"))[2:]:
        path.unlink()
    assert Study.open(folder).run().dataset.readable == 1
    for path in sorted((folder / "images/train").glob("*/*"))[19:]:
        path.unlink()
    with pytest.raises(UserError, match="STUDY005"):
        Study.open(folder).run()


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_is_an_outside_error(folder: Path) -> None:
    folder.chmod(0o500)
    with pytest.raises(UserError, match="STORE001"):
        Study.open(folder).run()


def test_verdicts_are_spelled_as_the_report_expects() -> None:
    assert [verdict.value for verdict in Culprit] == ["head", "encoder", "undecided"]


def test_images_of_the_same_name_in_both_splits_are_both_listed(folder: Path) -> None:
    (folder / "images/train/blue/broken.png").write_bytes(b"")
    results = plain(Study.open(folder).run())
    listed = [(entry["split"], entry["id"]) for entry in results["unreadable"]]
    assert listed == [("train", "blue/broken.png"), ("test", "blue/broken.png"), ("test", "green/empty.jpg")]
    assert results["alignment"]["fitted_on"] == 70


def test_every_interval_has_the_confidence_that_was_asked_for(folder: Path) -> None:
    (folder / "study.toml").write_text((folder / "study.toml").read_text() + "[settings]\nconfidence = 0.8\n")
    results = plain(Study.open(folder).run())
    shares = [results["model"]["accuracy_interval"], results["model"]["by_class"][1]["recall"]]
    shares += [results["vlm"]["zero_shot_interval"], results["alignment"]["agreement_interval"]]
    shares += [results["validation"]["expected_pairs"]["weakest"][0]["through_lens"]]
    for share in shares:
        low, high = wilson(share["successes"], share["n"], 0.8)
        assert (share["low"], share["high"]) == (float(low), float(high))
    assert list(results["localization"]["paper_oracle"]["agreement_interval"]) == [
        float(v) for v in wilson(10, 10, 0.8)
    ]
