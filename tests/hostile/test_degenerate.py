"""Degenerate numbers and counts, through the whole study: defined results or a diagnostic, never a fault."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.core.concepts import Concept, ConceptSet
from conspect.core.diagnostics import ConspectError
from conspect.core.spaces import Head
from conspect.language import check_text
from conspect.report.html import render
from conspect.results.files import encoded
from conspect.results.results import Results
from conspect.study import Study, StudyConfig, StudyInputs
from conspect.study.proving.records import property_record
from conspect.verification.verify import verify
from tests.records import plain
from tests.report.pages import Page

D, E, CLASSES, TRAIN, TEST = 6, 5, 3, 60, 90


@dataclass
class World:
    """Embeddings by row in both spaces, labels, classes and concepts. Train rows come first."""

    z: NDArray[np.float32]
    y: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    directions: NDArray[np.float32]
    head: Head
    train: int = TRAIN
    concept_names: tuple[str, ...] = field(default=())

    def names(self) -> tuple[str, ...]:
        return self.concept_names or tuple(f"k{k}" for k in range(len(self.directions)))


def sound(*, test: int = TEST, noise: float = 0.5) -> World:
    rng = np.random.default_rng(0)
    labels = np.arange(TRAIN + test) % CLASSES
    centres = 2 * np.eye(CLASSES, D)
    z = centres[labels] + noise * rng.normal(size=(len(labels), D))
    y = z @ rng.normal(size=(D, E)) + 0.1 * rng.normal(size=(len(labels), E))
    return World(
        z.astype(np.float32), y.astype(np.float32), labels, tuple("abc"), rng.normal(size=(4, E)).astype(np.float32),
        Head.linear(centres, np.zeros(CLASSES)),
    )  # fmt: skip


class Looked:
    """An encoder that looks an image's embedding up: the image's first pixels are its row."""

    preprocessing = "none"

    def __init__(self, name: str, values: NDArray[np.float32]) -> None:
        self.name, self.digest, self.values, self.embedding_size = name, f"{name} 1", values, values.shape[1]

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return image.astype(np.float32)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = (batch[:, 0, 0, 0] * 256 + batch[:, 0, 0, 1]).astype(int)
        # A changed picture (the diagnosis tries them) stands for some other row.
        return self.values[rows % len(self.values)]


class Model(Looked):
    def __init__(self, world: World) -> None:
        super().__init__("model", world.z)
        self.class_names, self.head = world.class_names, world.head


class Vlm(Looked):
    def __init__(self, world: World) -> None:
        super().__init__("VLM", world.y)
        self.known = dict(zip(world.names(), world.directions, strict=True))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = []
        for text in texts:
            row = self.known.get(text, np.roll(np.eye(1, E, dtype=np.float32)[0], len(text) + ord(text[-1]) % E))
            norm = np.linalg.norm(row)
            rows.append(row / norm if norm else row)
        return np.asarray(rows, dtype=np.float32)


def data(world: World, split: str, rows: range) -> ArrayDataset:
    pixels = np.zeros((len(rows), 2, 2, 3), dtype=np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = np.divmod(list(rows), 256)
    ids = tuple(f"{split}/{row}" for row in rows)
    return ArrayDataset("looked up", split, world.class_names, ids, world.labels[list(rows)], pixels)


def study(world: World, folder: Path) -> Study:
    concepts = ConceptSet(tuple(Concept(name, (name,)) for name in world.names()), ("{}",), ("{}",))
    inputs = StudyInputs(
        data(world, "train", range(world.train)),
        data(world, "test", range(world.train, len(world.z))),
        Model(world),
        Vlm(world),
        concepts,
        None,
    )
    return Study(folder, StudyConfig(), inputs)


Change = Callable[[World], World]


def rows_of(which: str, rows: object, value: float) -> Change:
    def change(world: World) -> World:
        changed = getattr(world, which).copy()
        changed[rows] = value
        return replace(world, **{which: changed})

    return change


def one_class(world: World) -> World:
    head = Head.linear(world.head.layers[0].weight[:1], np.zeros(1))
    return replace(world, labels=np.zeros_like(world.labels), class_names=("a",), head=head)


def never_predicted(world: World) -> World:
    return replace(world, head=Head.linear(world.head.layers[0].weight, np.array([0.0, 0.0, -1e9])))


def no_image_of_a_class(world: World) -> World:
    return replace(world, labels=np.where(world.labels == 2, 0, world.labels))


def concepts(directions: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Change:
    return lambda world: replace(world, directions=directions(world.directions).astype(np.float32))


def scaled(factor: float) -> Change:
    return lambda world: replace(world, z=world.z * np.float32(factor), y=world.y * np.float32(factor))


RNG = np.random.default_rng(1)
# What is changed, and how many of the ninety test images can then be used; None: a diagnostic is due.
CASES: dict[str, tuple[Change, int | None]] = {
    "sound": (lambda world: world, 90),
    "NaN in a few model embeddings": (rows_of("z", slice(70, 75), np.nan), 85),
    "NaN in all model embeddings": (rows_of("z", slice(None), np.nan), None),
    "infinite VLM embeddings of a class": (rows_of("y", slice(60, None, 3), np.inf), 60),
    "NaN in all training embeddings": (rows_of("y", slice(0, 60), np.nan), None),
    "zero embeddings of a few images": (rows_of("z", slice(60, 70), 0.0), 90),
    "zero embeddings of all images": (rows_of("z", slice(None), 0.0), 90),
    "zero VLM embeddings of a few": (rows_of("y", slice(60, 70), 0.0), 90),
    "zero VLM embeddings of all": (rows_of("y", slice(None), 0.0), 90),
    "a constant feature": (rows_of("z", (slice(None), 3), 7.0), 90),
    "all features constant": (rows_of("z", slice(None), 7.0), 90),
    "tiny numbers": (scaled(1e-30), 90),
    "huge numbers": (scaled(1e15), 90),
    "numbers near the end of float32": (scaled(1e37), 90),
    "a class without image": (no_image_of_a_class, 90),
    "a class never predicted": (never_predicted, 90),
    "one class": (one_class, 90),
    "one test image": (lambda w: replace(w, z=w.z[:61], y=w.y[:61], labels=w.labels[:61]), 1),
    "two test images": (lambda w: replace(w, z=w.z[:62], y=w.y[:62], labels=w.labels[:62]), 2),
    "too few training images": (lambda w: replace(w, train=19), None),
    "one concept": (concepts(lambda q: q[:1]), 90),
    "identical concepts": (concepts(lambda q: np.repeat(q[:1], 4, axis=0)), 90),
    "opposite concepts": (concepts(lambda q: np.concatenate([q[:1], -q[:1]])), 90),
    "a concept without direction": (concepts(lambda q: q * np.array([[1], [0], [1], [1]])), None),
    "a concept that is NaN": (concepts(lambda q: q * np.array([[1], [np.nan], [1], [1]])), None),
}  # fmt: skip


def finished(world: World, folder: Path) -> tuple[Study, Results]:
    opened = study(world, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a NumPy warning is a number that nobody thought of
        return opened, opened.run()


@pytest.mark.parametrize("name", CASES)
def test_degenerate_data_have_defined_results_or_a_diagnostic(name: str, tmp_path: Path) -> None:
    change, usable = CASES[name]
    world = change(sound())
    if usable is None:
        with pytest.raises(ConspectError) as caught:
            finished(world, tmp_path)
        assert len(caught.value.diagnostics) == 1
        return
    opened, record = finished(world, tmp_path)
    results = plain(record)
    assert results["dataset"]["readable"] == usable
    assert results["dataset"]["images"] - usable == len(
        [entry for entry in results["unreadable"] if entry["split"] == "test"]
    )
    assert sum(results["localization"]["paper_oracle"]["counts"].values()) == results["localization"]["failures"]
    assert sum(map(sum, results["model"]["confusion"])) == usable
    for heatmap in results["heatmaps"]["ground_truth"]:
        greater = np.array(heatmap["greater"])
        assert (greater + greater.T <= heatmap["images"]).all()  # a tie satisfies neither
        assert (np.diag(greater) == 0).all()
    if name == "identical concepts":
        assert not np.any([heatmap["greater"] for heatmap in results["heatmaps"]["ground_truth"]])
    Page(render(record, {}))
    strengths = opened.measurements().lens.strengths(opened.measurements().test.model_embeddings())
    assert np.isfinite(strengths).all()


SPECIFICATION = """\
property strong:
    for all x in focus(a, gamma = 0.4):
        predict(x, a) implies k0 > {other}

property said:
    for all x in focus(a, gamma = 0.4):
        predict(x, a)
"""


@pytest.mark.parametrize("name", [name for name, (_, usable) in CASES.items() if usable])
def test_degenerate_data_are_verified_to_a_verdict_or_a_diagnostic(name: str, tmp_path: Path) -> None:
    pytest.importorskip("highspy")
    world = CASES[name][0](sound())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        subject = study(world, tmp_path).verification_subject()
        tree = check_text(SPECIFICATION.format(other=world.names()[-1]).encode(), None, "a.cspec").tree
        try:
            results = verify(tree, subject)
        except ConspectError:
            assert name in {"one class", "one test image", "two test images"}
            return
    for result in results:
        assert result.verdict.outcome in {"holds", "violated", "unknown"}
        assert json.loads(encoded(property_record(result)))["id"] == result.name
    if name in {"identical concepts", "one concept"}:
        assert results[0].verdict.outcome != "holds"  # no strength exceeds itself
    if name == "one class":
        assert results[1].verdict.outcome == "holds"


# What no monitor can be learnt from: too few right or wrong outputs, or scores that overflow its float32.
OVERFLOWING = "numbers near the end of float32"
NO_MONITOR = {
    OVERFLOWING,
    *("one test image", "two test images", "one class"),
    *(
        "zero embeddings of all images",
        "all features constant",
    ),  # one class is predicted, and two images of three are not it
}


@pytest.mark.parametrize("name", [name for name, (_, usable) in CASES.items() if usable])
def test_a_monitor_of_degenerate_data_is_fitted_or_a_diagnostic(name: str, tmp_path: Path) -> None:
    world = CASES[name][0](sound(test=700, noise=1.2))  # a monitor needs images, and failures among them
    opened = study(world, tmp_path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if name == OVERFLOWING else "error")
            fitted = opened.fit_monitor()
    except ConspectError:
        assert name in NO_MONITOR
        return
    measured = opened.measurements()
    embeddings = measured.test.model_embeddings()
    decisions = fitted.monitor.check(embeddings, opened.inputs.model.head.logits(embeddings))
    assert decisions.outputs.tolist() == measured.outputs.tolist()
    assert np.isfinite(decisions.suspicion).all()


@pytest.mark.slow
def test_two_thousand_concepts_are_no_trouble(tmp_path: Path) -> None:
    world = replace(sound(), directions=np.random.default_rng(2).normal(size=(2000, E)).astype(np.float32))
    _, results = finished(world, tmp_path)
    assert results.heatmaps is not None
    assert len(results.concepts) == results.heatmaps.of_concepts == 2000
    assert len(results.heatmaps.concepts) == 48
    assert (tmp_path / "results.json").stat().st_size < 50e6
    Page((tmp_path / "report.html").read_text())
