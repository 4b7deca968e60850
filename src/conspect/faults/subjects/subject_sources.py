"""The subjects that faults are planted in: the network on scenes, and those that training/train_fault_networks.py left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from conspect.core.protocols import ProgressBar
from conspect.core.spaces import AffineMap
from conspect.faults.subjects.networks import load_network, prepared
from conspect.faults.subjects.sound_network import SoundNetwork, scene_subject
from conspect.faults.subjects.study_subject import study_subject


def subjects(networks: Path | None, study: Path | None, bar: ProgressBar) -> Iterator[SoundNetwork]:
    """The network on rendered scenes; with a `study` of CIFAR-10, its own model where faults can be planted in it, and on its
    images every network in the folder `networks`."""
    yield scene_subject()
    if study is None:
        return
    own = study_subject(study, bar)
    for path in sorted(networks.glob("*.safetensors")) if networks is not None else []:
        network, about = load_network(path)
        layer = network.head
        head = AffineMap(*(part.detach().double().numpy() for part in (layer.weight, layer.bias)))
        yield replace(
            own, name=about["name"], encoder=network.encoder, head=head, prepare=lambda image: prepared(image[None])[0]
        )
    yield own
