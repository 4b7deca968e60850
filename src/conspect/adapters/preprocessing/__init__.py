"""Pixels on their way into a network: the steps, the files that name them, the libraries that have their own."""

from conspect.adapters.preprocessing.configuration import FILE, from_config, read_preprocessing
from conspect.adapters.preprocessing.library import (
    GreyPreparation,
    LibraryPreparation,
    framed_grey,
    preparation_digest,
    reading_of,
    what_was_checked,
)
from conspect.adapters.preprocessing.steps import Preparation, Preprocessing

__all__ = [
    "FILE",
    "GreyPreparation",
    "LibraryPreparation",
    "Preparation",
    "Preprocessing",
    "framed_grey",
    "from_config",
    "preparation_digest",
    "read_preprocessing",
    "reading_of",
    "what_was_checked",
]
