"""Trains the second model of the planted-fault benchmark: a plain convolutional network on rendered scenes.

    python training/train_scene_model.py [--epochs 6] [--images 10000] [--seed 0]

Writes src/conspect/assets/scene_model.safetensors (float16, about 0.3 MB) and training/scene_model.log. About five minutes
on one core; an interrupted training is started again. Test scenes are drawn with another seed and looked at once, at the end.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from conspect.faults.subjects.scene_model import ASSET, prepare
from conspect.faults.subjects.scene_training import trained_network
from conspect.faults.subjects.scenes import draw, scenes

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "training/scene_model.log"
TEST_IMAGES, TEST_SEED = 4000, 1


def drawn(images: int, seed: int) -> tuple[Tensor, Tensor]:
    """Prepared pictures `[image, 3, 32, 32]` and labels `[image]`."""
    found = scenes(images, seed)
    pictures = np.stack([prepare(draw(scene)) for scene in found])
    return torch.from_numpy(pictures), torch.tensor([scene.label for scene in found])


def main() -> None:
    """Trains, logs one JSON line an epoch, ships the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images, labels = drawn(options.images, options.seed)
    lines: list[dict[str, float]] = []

    def log(line: dict[str, float]) -> None:
        lines.append(line)
        print(line, flush=True)

    model = trained_network(images, labels, options.seed, options.epochs, log)
    model.half().float().eval()  # judge exactly what is shipped
    test_images, test_labels = drawn(TEST_IMAGES, TEST_SEED)
    with torch.inference_mode():
        found = torch.cat([model(batch).argmax(1) for batch in torch.split(test_images, 500)])
    reached = float((found == test_labels).float().mean())
    asset = ROOT / "src/conspect/assets" / ASSET
    weights = {
        name: value.half().contiguous() for name, value in model.state_dict().items() if value.is_floating_point()
    }
    save_file(weights, asset, metadata={"test_accuracy": f"{reached:.4f}", "seed": str(options.seed)})
    summary = {"test_accuracy": reached, "bytes": asset.stat().st_size}
    LOG.write_text("".join(json.dumps(line) + "\n" for line in [*lines, summary]), encoding="utf-8")
    print(summary)


if __name__ == "__main__":
    main()
