"""Planted removals: the pictures stay the same, the class loses recall, the others hardly any."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from conspect.analysis.explanation.lost_concepts import LostConcept, SeenImages, lost_since
from conspect.bench.lost import chance, hit, rows_of
from conspect.core.diagnostics import OutsideError
from conspect.faults.removals import removals as planting
from conspect.faults.removals.grounds import GROUNDS, Ground, Purpose, mixed
from conspect.faults.removals.removals import KINDS, Removal, removals
from conspect.faults.subjects.scenes import CONCEPTS, SHAPES, TEXTURES


def test_what_is_judged_on_has_other_classes_and_seeds_than_what_is_tuned_on() -> None:
    tuned = [ground for ground in GROUNDS if ground.purpose is Purpose.TUNED]
    judged = [ground for ground in GROUNDS if ground.purpose is Purpose.JUDGED]
    assert tuned
    assert judged
    known = {words for ground in tuned for words in ground.classes}
    assert not known & {words for ground in judged for words in ground.classes}
    assert len({words for ground in judged for words in ground.classes}) == 16
    assert len({ground.seed for ground in GROUNDS}) == len(GROUNDS)
    for ground in GROUNDS:
        assert len({(shape, texture) for shape, texture, _ in ground.classes}) == 8
        assert all(shape in SHAPES and texture in TEXTURES for shape, texture, _ in ground.classes)


def test_a_mixture_is_drawn_from_its_tables_and_no_two_classes_look_alike_but_for_color() -> None:
    tables = (GROUNDS[0].classes, GROUNDS[1].classes)
    drawn = {seed: mixed(tables, seed) for seed in range(20)}
    assert len(set(drawn.values())) > 15
    assert mixed(tables, 3) == drawn[3]
    assert all(set(table) <= {*tables[0], *tables[1]} for table in drawn.values())
    assert all(len({(shape, texture) for shape, texture, _ in table}) == 8 for table in drawn.values())


def test_a_class_that_is_embedded_without_its_concept_loses_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planting, "TAUGHT", 300)
    monkeypatch.setattr(planting, "TESTED", 300)
    monkeypatch.setattr(planting, "STEPS", 30)
    planted = list(islice(removals(GROUNDS[0]), 2))
    assert planted
    for removal in planted:
        assert removal.kind in KINDS
        assert CONCEPTS[removal.concept] in GROUNDS[0].classes[removal.label]
        mine = removal.images.labels == removal.label
        np.testing.assert_array_equal(removal.images.labels, removal.earlier.labels)
        lost = [(seen.outputs[mine] == removal.label).mean() for seen in (removal.earlier, removal.images)]
        assert lost[0] - lost[1] >= 0.1
        kept = [(seen.outputs[~mine] == seen.labels[~mine]).mean() for seen in (removal.earlier, removal.images)]
        assert kept[0] - kept[1] < lost[0] - lost[1]
    rows = {row["what"]: row["value"] for row in rows_of(planted)}
    assert rows["with an earlier version: among the first three"] in {0.0, 0.5, 1.0}
    assert rows["concepts"] == rows["identifiability groups among them, at least"] == len(CONCEPTS)
    assert len(lost_since(planted[0].images, planted[0].earlier, planted[0].label)) in {0, 2, 3}


def test_a_hit_is_one_over_identifiability_groups() -> None:
    shown = np.eye(4)[np.arange(40) % 4]
    shown[:, 1] = shown[:, 0]  # no method can tell concept 1 from concept 0
    labels = np.zeros(40, dtype=np.int64)
    seen = SeenImages(shown, np.zeros((40, 2)), labels, labels, 1)
    removal = Removal("shape", 0, 1, seen, seen)
    order = tuple(LostConcept(concept, 0.25) for concept in (3, 0, 1, 2))
    assert hit([(removal, order)], 1) == 0.0
    assert hit([(removal, order)], 2) == 1.0
    assert hit([(removal, order[1:]), (removal, ())], 1) == 0.5
    assert chance([(removal, order), (removal, ())]) == round(1 / 6, 4)


def test_what_was_planted_is_gone_on_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (
        ("TRAINING", 256),
        ("EPOCHS", 1),
        ("TAUGHT", 120),
        ("TESTED", 120),
        ("STEPS", 2),
        ("TOLERANCE", 9),
    ):
        monkeypatch.setattr(planting, name, value)
    monkeypatch.setattr(planting, "LOSSES", (0.3,))
    ground = Ground(Purpose.TUNED, GROUNDS[1].classes[:3], 5)
    first = list(islice(removals(ground, keep=tmp_path), 4))  # stopped in the second class
    left = {path.name.partition("-")[2].partition("-")[2] for path in tmp_path.iterdir()}
    assert left == {"network.safetensors", "0.npz", "1.npz"}
    monkeypatch.setattr(planting, "trained_network", None)  # is not trained again
    again, plain = list(removals(ground, keep=tmp_path)), list(removals(ground, keep=tmp_path))
    assert len(again) == 8
    for removal, repeated in [*zip(first, again, strict=False), *zip(plain, again, strict=True)]:
        assert (removal.kind, removal.label, removal.concept) == (repeated.kind, repeated.label, repeated.concept)
        np.testing.assert_array_equal(removal.images.embeddings, repeated.images.embeddings)
        np.testing.assert_array_equal(removal.images.outputs, repeated.images.outputs)
        np.testing.assert_array_equal(removal.earlier.embeddings, repeated.earlier.embeddings)
    next(tmp_path.glob("*-1.npz")).write_bytes(b"no zip")
    with pytest.raises(OutsideError, match=r"BENCH002.*-1\.npz does not hold"):
        list(removals(ground, keep=tmp_path))
    next(tmp_path.glob("*.safetensors")).write_bytes(b"no weights")
    with pytest.raises(OutsideError, match=r"BENCH002.*network\.safetensors does not hold"):
        list(removals(ground, keep=tmp_path))
