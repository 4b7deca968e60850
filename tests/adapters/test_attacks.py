"""Attacks on a small random network, and on the demo's: the ball, the strength, the seed, and what is kept on disk."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("art")
torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from conspect.adapters.attacks.attack import Attack  # noqa: E402
from conspect.adapters.attacks.attacked import CHUNK, attacked  # noqa: E402
from conspect.adapters.attacks.search import Attacker  # noqa: E402
from conspect.adapters.attacks.suspicion import FusedSuspicion  # noqa: E402
from conspect.adapters.datasets.arrays import ArrayDataset  # noqa: E402
from conspect.adapters.models import load_model  # noqa: E402
from conspect.adapters.models.resnet import SmallResNet  # noqa: E402
from conspect.adapters.models.small_resnet import SmallResNetModel  # noqa: E402
from conspect.core.diagnostics import ConspectError  # noqa: E402
from tests.monitor.fitted import TEST, fitted  # noqa: E402

CLASSES = ("a", "b", "c")
FGSM, PGD = Attack("FGSM", 8), Attack("PGD", 8, steps=5)
ADAPTIVE = Attack("adaptive PGD", 8, steps=10, weights=(0.3, 3.0))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SmallResNetModel:
    torch.manual_seed(0)
    network = SmallResNet(3, (4, 6, 8)).eval()
    for module in network.modules():  # statistics that differ from their starting values
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():  # a head for which images differ: logits around 0
        seen = network.encoder(torch.randn(50, 3, 32, 32))
        network.head.weight *= 10
        network.head.bias.copy_(-network.head.weight @ seen.mean(0))
    about = {
        "classes": json.dumps(CLASSES),
        "stage_widths": "[4, 6, 8]",
        "mean": "[120, 121, 110]",
        "std": "[60, 61, 62]",
    }
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_file(
        {k: v.contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}, path, metadata=about
    )
    return SmallResNetModel(path, name="small")


def dataset_for(model: SmallResNetModel, images: int, *, side: int = 32) -> ArrayDataset:
    """Random images that the model gets right, because its output is the label; the classes in another order than its own."""
    pixels = np.random.default_rng(images).integers(0, 256, (images, side, side, 3), dtype=np.uint8)
    outputs = model.head.logits(model.embed(np.stack([model.prepare(output) for output in pixels]))).argmax(1)
    names = ("c", "a", "b")
    labels = np.array([names.index(CLASSES[output]) for output in outputs], dtype=np.int64)
    return ArrayDataset("random", "test", names, tuple(f"{row:03d}" for row in range(images)), labels, pixels)


def framed(model: SmallResNetModel, data: ArrayDataset, rows: np.ndarray) -> np.ndarray:
    return np.stack([model.framed(data.image(int(row))) for row in rows]).astype(int)


class Watchful:
    """A suspicion with a known answer: 100 times the first component of the embedding."""

    digest = "first component"

    def __call__(self, network, images):
        embeddings, logits = network(images)
        return logits, 100 * embeddings[:, 0]


@pytest.mark.parametrize("side", [32, 40])
def test_the_differentiable_network_is_the_model(model: SmallResNetModel, side: int) -> None:
    data = dataset_for(model, 6, side=side)
    small = framed(model, data, np.arange(6))
    embeddings, logits = model.differentiable()(torch.from_numpy(small.transpose(0, 3, 1, 2) / 255).float())
    expected = model.embed(np.stack([model.prepare(image) for image in data.pixels]))
    np.testing.assert_allclose(embeddings.numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(logits.numpy(), model.head.logits(expected), atol=1e-4)
    np.testing.assert_array_equal(model.prepare(small[0].astype(np.uint8)), model.prepare(data.pixels[0]))


def test_the_gradient_is_that_of_finite_differences(model: SmallResNetModel) -> None:
    network = model.differentiable().double()
    image = torch.rand(
        1, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    network(image)[1][0, 0].backward()
    step = torch.zeros_like(image)
    step[0, 1, 7, 9] = 1e-6
    with torch.no_grad():
        slope = (network(image + step)[1][0, 0] - network(image - step)[1][0, 0]) / 2e-6
    assert image.grad is not None
    assert float(image.grad[0, 1, 7, 9]) == pytest.approx(float(slope), rel=1e-4, abs=1e-9)
    parameters = list(network.parameters())
    assert len(parameters) > 10
    assert all(parameter.grad is None for parameter in parameters)


@pytest.mark.parametrize("attack", [FGSM, PGD, ADAPTIVE], ids=lambda attack: attack.name)
@pytest.mark.parametrize("epsilon", [1, 8])
def test_images_stay_in_the_ball_after_rounding_and_success_is_what_the_model_says(
    model: SmallResNetModel, tmp_path: Path, attack: Attack, epsilon: int
) -> None:
    data, rows = dataset_for(model, 20), np.arange(3, 15)
    result = attacked(model, data, rows, replace(attack, epsilon=epsilon), tmp_path, suspicion=Watchful())
    moved = np.stack([result.image(k) for k in range(len(result))])
    assert moved.dtype == np.uint8
    assert 0 < np.abs(moved - framed(model, data, rows)).max() <= epsilon
    embeddings = model.embed(np.stack([model.prepare(picture) for picture in moved]))
    names = np.array(CLASSES)[model.head.logits(embeddings).argmax(1)]
    wrong = names != np.array(data.class_names)[result.labels]
    np.testing.assert_array_equal(result.succeeded, wrong)
    assert (len(result), result.ids[0]) == (12, f"003 under {result.attack.name}")


def test_an_attack_is_no_noise(model: SmallResNetModel, tmp_path: Path) -> None:
    data = dataset_for(model, 40)
    result = attacked(model, data, np.arange(40), PGD, tmp_path)
    noise = np.random.default_rng(0).choice([-8, 8], data.pixels.shape) + data.pixels.astype(int)
    outputs = Attacker(model, FGSM).outputs(np.clip(noise, 0, 255).astype(np.uint8))
    by_noise = np.array(CLASSES)[outputs] != np.array(data.class_names)[data.labels]
    assert result.succeeded.mean() > by_noise.mean() + 0.2


def test_fgsm_is_one_signed_step_of_the_loss_gradient(model: SmallResNetModel) -> None:
    data = dataset_for(model, 4)
    labels = np.array([CLASSES.index(data.class_names[label]) for label in data.labels])
    images = torch.from_numpy(data.pixels.transpose(0, 3, 1, 2) / 255).float().requires_grad_()
    torch.nn.functional.cross_entropy(model.differentiable()(images)[1], torch.from_numpy(labels)).backward()
    assert images.grad is not None
    expected = np.clip(data.pixels + 8 * images.grad.sign().numpy().transpose(0, 2, 3, 1), 0, 255)
    moved = Attacker(model, FGSM).run(data.pixels, labels).images
    assert np.mean(moved == expected) > 0.999  # a gradient of nearly nothing may differ in sign


def test_one_seed_one_result_and_the_global_generator_is_left_alone(model: SmallResNetModel) -> None:
    data = dataset_for(model, 5)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    first, again, other = (
        Attacker(model, replace(PGD, seed=seed)).run(data.pixels, data.labels).images for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]


def test_restarts_never_lose_a_success(model: SmallResNetModel) -> None:
    data = dataset_for(model, 30)
    labels = np.array([CLASSES.index(data.class_names[label]) for label in data.labels])
    weak = replace(PGD, epsilon=1, steps=1)
    once, more = (Attacker(model, replace(weak, restarts=n)).run(data.pixels, labels) for n in (1, 4))
    assert (more.succeeded >= once.succeeded).all()
    np.testing.assert_array_equal(more.images[once.succeeded], once.images[once.succeeded])


def test_the_adaptive_attack_looks_less_suspicious_than_the_plain_one(model: SmallResNetModel) -> None:
    data = dataset_for(model, 30)
    labels = np.array([CLASSES.index(data.class_names[label]) for label in data.labels])
    plain = Attacker(model, replace(PGD, steps=10)).run(data.pixels, labels)
    adaptive = Attacker(model, ADAPTIVE, suspicion=Watchful()).run(data.pixels, labels)
    both = plain.succeeded & adaptive.succeeded
    assert both.sum() > 10
    first = [
        model.embed(np.stack([model.prepare(image) for image in result.images[both]]))[:, 0]
        for result in (plain, adaptive)
    ]
    assert (first[1] < first[0]).mean() > 0.9


def test_a_second_call_attacks_nothing_and_knows_its_digest_beforehand(
    model: SmallResNetModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, rows = dataset_for(model, 10), np.arange(10)
    first = attacked(model, data, rows, PGD, tmp_path)
    monkeypatch.setattr(Attacker, "__init__", lambda *_, **__: pytest.fail("attacked again"))
    second = attacked(model, data, rows, PGD, tmp_path)
    assert first.digest == second.digest
    np.testing.assert_array_equal(first.found.images, second.found.images)
    np.testing.assert_array_equal(first.succeeded, second.succeeded)


def test_the_digest_is_of_everything_that_matters(model: SmallResNetModel, tmp_path: Path) -> None:
    data = dataset_for(model, 3)
    calls = [(FGSM, (0, 1)), (FGSM, (0, 2)), (replace(FGSM, epsilon=4), (0, 1)), (PGD, (0, 1)), (ADAPTIVE, (0, 1))]
    digests = {attacked(model, data, np.array(r), a, tmp_path, suspicion=Watchful()).digest for a, r in calls}
    assert len(digests) == len(calls)
    unused = replace(FGSM, seed=5, restarts=3)
    assert attacked(model, data, np.array([0, 1]), unused, tmp_path).digest in digests


def test_a_kill_in_the_middle_costs_one_chunk(
    model: SmallResNetModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = 2 * CHUNK + 3
    data, rows, attack = dataset_for(model, images), np.arange(images), replace(PGD, steps=1)
    whole = attacked(model, data, rows, attack, tmp_path / "whole")
    run, runs = Attacker.run, []

    def killed(self, images, labels, *, seed):
        runs.append(seed)
        if len(runs) == 2:
            raise KeyboardInterrupt
        return run(self, images, labels, seed=seed)

    monkeypatch.setattr(Attacker, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        attacked(model, data, rows, attack, tmp_path / "killed")
    steps: list[int] = []
    resumed = attacked(model, data, rows, attack, tmp_path / "killed", bar=lambda stage, total: steps.append)
    assert runs == [0, CHUNK, CHUNK, 2 * CHUNK]
    assert sum(steps) == images
    np.testing.assert_array_equal(whole.found.images, resumed.found.images)


@pytest.mark.parametrize("damage", [b"", b"\0" * 50, None])
def test_a_damaged_chunk_is_named(model: SmallResNetModel, tmp_path: Path, damage: bytes | None) -> None:
    data, rows = dataset_for(model, 3), np.arange(3)
    attacked(model, data, rows, FGSM, tmp_path)
    (chunk,) = tmp_path.glob("*/*.safetensors")
    if damage is None:
        save_file({"images": torch.zeros(3, 4, 4, 3), "succeeded": torch.zeros(3)}, chunk)
    else:
        chunk.write_bytes(damage)
    with pytest.raises(ConspectError, match=f"STORE002.*{chunk.name}"):
        attacked(model, data, rows, FGSM, tmp_path)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 3))
def test_the_suspicion_in_torch_is_the_detectors(seed: int, spread: float) -> None:
    detector = fitted().detector
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(TEST.inputs), 50)
    embeddings = (TEST.inputs.embeddings[rows] * rng.uniform(0, spread, (50, 1))).astype(np.float32)
    logits = (TEST.inputs.logits[rows] * spread).astype(np.float32)
    scores = FusedSuspicion(detector).of_outputs(torch.from_numpy(embeddings), torch.from_numpy(logits)).numpy()
    expected, _ = detector.suspicion(embeddings, logits)
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=2e-3)


def test_every_evidence_of_the_suspicion_has_a_finite_gradient() -> None:
    suspicion = FusedSuspicion(fitted().detector)
    for scale in (0.0, 1.0, 50.0):
        embeddings = torch.from_numpy(TEST.inputs.embeddings[:20]).float().requires_grad_()
        logits = (scale * torch.from_numpy(TEST.inputs.logits[:20])).float().requires_grad_()
        suspicion.of_outputs(embeddings, logits).sum().backward()
        for leaf in (embeddings, logits):
            assert leaf.grad is not None
            assert leaf.grad.isfinite().all()
            assert (leaf.grad != 0).any()


@pytest.mark.parametrize(
    "wrong",
    [{"epsilon": 0}, {"epsilon": 256}, {"steps": 0}, {"restarts": 0}, {"kind": "adaptive PGD", "weights": (0.0,)}],
    ids=str,
)
def test_an_attack_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        replace(PGD, **wrong)


def test_names_for_reports() -> None:
    names = [Attack("FGSM", 2).name, Attack("PGD", 8).name, Attack("adaptive PGD", 8, steps=40).name]
    assert names == ["FGSM at 2/255", "PGD-20 at 8/255", "adaptive PGD-40 at 8/255"]


def test_torchvision_is_not_imported() -> None:
    assert "torchvision" not in sys.modules


@pytest.mark.slow
def test_pgd_is_at_least_as_strong_as_fgsm_on_the_demos_network(tmp_path: Path) -> None:
    from conspect.adapters.datasets import cifar10
    from conspect.study.inputs import cache_directory

    model = load_model("demo-resnet", None)
    data = cifar10.load("test", cache=cache_directory(), images=60)
    right = np.flatnonzero(Attacker(model, FGSM).outputs(data.pixels) == data.labels)[:40]  # type: ignore[arg-type]
    rates = {
        (kind, epsilon): attacked(model, data, right, Attack(kind, epsilon), tmp_path).succeeded.mean()  # type: ignore[arg-type]
        for kind in ("FGSM", "PGD")
        for epsilon in (2, 8)
    }
    assert rates["PGD", 2] >= rates["FGSM", 2]
    assert rates["PGD", 8] >= rates["PGD", 2] - 0.05
    assert rates["PGD", 8] > 0.95
