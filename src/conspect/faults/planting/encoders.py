"""Faults of an encoder: each changes one stage of a `torch.nn.Sequential`, with a strength from 0 (sound) to 1."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

# Takes the sound stage, the strength and a seed; returns a changed copy. Equal seeds: one path over strengths.
StageMutation: TypeAlias = Callable[[nn.Module, float, int], nn.Module]

SHIFT, NOISE, BEYOND = 2.0, 2.0, 4.0


@dataclass(frozen=True)
class EncoderMutator:
    """A fault with its name in the results and the stage that it changes."""

    name: str
    stage: int
    mutate: StageMutation


def blocks(encoder: nn.Sequential) -> list[int]:
    """Places of the stages that are made of layers themselves, in order: a network's blocks."""
    return [place for place, stage in enumerate(encoder) if any(True for _ in stage.children())]


class ChannelMask(nn.Module):
    """Multiplies channels by zeros and ones: the second axis of a picture `[image, channel, y, x]`, else the last."""

    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        self.register_buffer("keep", keep)
        self.keep: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """The shape that comes in."""
        return x * (self.keep[:, None, None] if x.ndim == 4 else self.keep)


def zero_channels(width: int) -> StageMutation:
    """A share `strength` of the `width` channels that a stage gives, in random order, is zero."""

    def mutate(stage: nn.Module, strength: float, seed: int) -> nn.Module:
        order = torch.randperm(width, generator=_generator(seed))
        keep = torch.ones(width)
        keep[order[: round(strength * width)]] = 0.0
        return nn.Sequential(copy.deepcopy(stage), ChannelMask(keep)).eval()

    return mutate


def shift_statistics(stage: nn.Module, strength: float, seed: int) -> nn.Module:
    """Batch norm's running means move by `strength` times `SHIFT` deviations, variances by as many factors of e, at random.

    Layers that keep no statistics (layer norm) are shifted and scaled as if they did.
    """
    changed, generator = copy.deepcopy(stage), _generator(seed)
    with torch.no_grad():
        for layer in changed.modules():
            if not isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
                continue
            mean, factor = (strength * SHIFT * torch.randn(layer.weight.shape, generator=generator) for _ in range(2))
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean += mean * layer.running_var.sqrt()
                layer.running_var *= factor.exp()
            else:
                layer.weight.mul_((-factor / 2).exp())
                layer.bias.sub_(mean * layer.weight)
    return changed


def noise_weights(stage: nn.Module, strength: float, seed: int) -> nn.Module:
    """Gaussian noise on all weights of convolutions and linear maps, `strength` times `NOISE` of their deviation."""
    changed, generator = copy.deepcopy(stage), _generator(seed)
    with torch.no_grad():
        for weight in _weights(changed):
            weight.add_(strength * NOISE * weight.std() * torch.randn(weight.shape, generator=generator))
    return changed


def quantise_weights(stage: nn.Module, strength: float, seed: int) -> nn.Module:
    """A share `strength` of each layer's weights, in random order, is rounded to the four values that two bits have."""
    changed, generator = copy.deepcopy(stage), _generator(seed)
    with torch.no_grad():
        for weight in _weights(changed):
            scale = (weight.abs().max() / 2).clamp_min(1e-12)
            rounded = scale * torch.clamp(torch.round(weight / scale), -2, 1)
            weight.copy_(torch.where(torch.rand(weight.shape, generator=generator) < strength, rounded, weight))
    return changed


def blur_filters(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    """The filters of a convolution turn towards their own spatial means, `strength` of the way."""
    changed = copy.deepcopy(stage)
    with torch.no_grad():
        for weight in _weights(changed):
            if weight.ndim == 4:
                weight.lerp_(weight.mean((2, 3), keepdim=True).expand_as(weight), strength)
    return changed


def towards(other: nn.Module) -> StageMutation:
    """All weights and statistics go towards those of `other`, the same stage after more training, up to `BEYOND` times as far."""

    def mutate(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
        changed, aim = copy.deepcopy(stage), other.state_dict()
        for name, value in changed.state_dict().items():
            if value.is_floating_point():
                value.lerp_(aim[name], BEYOND * strength)
        return changed

    return mutate


def encoder_mutators(encoder: nn.Sequential, sample: Tensor) -> tuple[EncoderMutator, ...]:
    """All faults of the encoder's weights but those that are trained. `sample`: a prepared image, `[1, ...]`.

    Early is the first stage with weights; middle, late and last are blocks at a half, before the last, and last.
    """
    places = blocks(encoder)
    middle, late, last = places[len(places) // 2], places[max(len(places) - 2, 0)], places[-1]
    with torch.inference_mode():
        out = encoder[: middle + 1](sample)
    width = out.shape[1] if out.ndim == 4 else out.shape[-1]
    early = next(place for place, stage in enumerate(encoder) if any(True for _ in stage.parameters()))
    return (
        EncoderMutator("channels zeroed", middle, zero_channels(width)),
        EncoderMutator("norm statistics shifted", middle, shift_statistics),
        EncoderMutator("late weights noised", last, noise_weights),
        EncoderMutator("block quantised to 2 bits", late, quantise_weights),
        EncoderMutator("early filters blurred", early, blur_filters),
    )


def _weights(module: nn.Module) -> list[Tensor]:
    return [layer.weight for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
