"""AURC and AUGRC by value against torch-uncertainty's, which joins the same points by straight lines."""

import importlib.util
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from conspect.statistics.detection import Score, measure

ABSENT = "torch-uncertainty is not installed here; `make test-peers` has it in an environment of its own"


@pytest.fixture(scope="module")
def theirs():
    """Their module of these two metrics, alone: importing the package would need its whole training stack."""
    pytest.importorskip("torchmetrics", reason=ABSENT)
    try:
        path = distribution("torch-uncertainty").locate_file(
            "torch_uncertainty/metrics/classification/risk_coverage.py"
        )
    except PackageNotFoundError:
        pytest.skip(ABSENT)
    spec = importlib.util.spec_from_file_location("risk_coverage", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [2, 3, 50, 1000])
def test_aurc_and_augrc(theirs, seed, size):
    import torch

    generator = np.random.default_rng(seed)
    confidence = (
        0.5 + 0.5 * (generator.permutation(size) + 0.5) / size
    )  # distinct: theirs leaves the order of ties open
    wrong = generator.random(size) < 0.3
    wrong[:2] = True, False
    probabilities = torch.tensor(np.column_stack([confidence, 1 - confidence]))
    values = {}
    for name in ("AURC", "AUGRC"):
        metric = getattr(theirs, name)()
        metric.set_dtype(torch.float64)
        metric.update(probabilities, torch.tensor(wrong.astype(np.int64)))
        values[name] = float(metric.compute())
    figures = measure(Score(confidence, "normal"), wrong)
    risks = np.cumsum(wrong[np.argsort(-confidence)]) / np.arange(1, size + 1)
    # AURC: ours is the mean of the n risks, theirs the trapezoids between them over coverages 1/n to 1, made a mean by
    # dividing by 1 - 1/n: half of the first and half of the last risk is left out.
    assert values["AURC"] == pytest.approx((size * figures["aurc"] - (risks[0] + risks[-1]) / 2) / (size - 1), abs=1e-6)
    # AUGRC: the same trapezoids, but ours begin at coverage 0, with a triangle up to the first input.
    triangle = risks[0] / (2 * size**2)
    assert values["AUGRC"] == pytest.approx((figures["augrc"] - triangle) / (1 - 1 / size), abs=1e-6)
