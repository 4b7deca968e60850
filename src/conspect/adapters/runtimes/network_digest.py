"""What decides what a torch network computes, hashed: weights, buffers, attributes, hooks and the sources it is made of.

A state dict leaves out non-persistent buffers, plain attributes, hooks and `forward` itself, so that two networks with one
state dict may be two functions. What none of this shows the embeddings of probe images show (`probes.sketch`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conspect.adapters.runtimes.files_read import files_digests
from conspect.adapters.runtimes.object_digest import Walk, tensor_digest
from conspect.core.digests import digest_json

if TYPE_CHECKING:
    from torch import nn


def network_digest(network: nn.Module) -> str:
    """SHA-256 over tensors, structure, attributes, hooks and sources. Equal for a network made again from the same files."""
    walk = Walk()
    description = walk.described(network)
    return digest_json([tensors_digest(network), str(network), description, files_digests(walk.files)])


def tensors_digest(network: nn.Module) -> str:
    """SHA-256 over names, dtypes, shapes and values of all parameters and buffers, also those that are not saved."""
    named = {**dict(network.named_parameters()), **dict(network.named_buffers()), **network.state_dict()}
    return digest_json({name: tensor_digest(value) for name, value in named.items() if hasattr(value, "detach")})
