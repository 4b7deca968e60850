"""Conspect: understand, prove, debug and watch vision models, in words.

`import conspect as cs` gives the names of `__all__`; each is imported when it is first used, so that the import costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from conspect.core.version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from conspect.adapters.datasets.arrays import ArrayDataset
    from conspect.adapters.datasets.views.subsets import sample
    from conspect.adapters.models.torch_module import torch_model
    from conspect.adapters.preprocessing import Preprocessing
    from conspect.core.concepts import Concept, ConceptSet
    from conspect.core.diagnostics import ConspectError, OutsideError, UserError
    from conspect.monitor.runtime import Monitor
    from conspect.monitor.runtime.wrap import wrap
    from conspect.study.config import Settings, StudyConfig
    from conspect.study.objects import load_images, load_model, load_vlm, make_study
    from conspect.study.study import Study

_HOME = {
    "ArrayDataset": "conspect.adapters.datasets.arrays",
    "Concept": "conspect.core.concepts",
    "ConceptSet": "conspect.core.concepts",
    "ConspectError": "conspect.core.diagnostics",
    "Monitor": "conspect.monitor.runtime",
    "OutsideError": "conspect.core.diagnostics",
    "Preprocessing": "conspect.adapters.preprocessing",
    "Settings": "conspect.study.config",
    "Study": "conspect.study.study",
    "StudyConfig": "conspect.study.config",
    "UserError": "conspect.core.diagnostics",
    "load_images": "conspect.study.objects",
    "load_model": "conspect.study.objects",
    "load_vlm": "conspect.study.objects",
    "make_study": "conspect.study.objects",
    "sample": "conspect.adapters.datasets.views.subsets",
    "torch_model": "conspect.adapters.models.torch_module",
    "wrap": "conspect.monitor.runtime.wrap",
}

__all__ = [
    "ArrayDataset",
    "Concept",
    "ConceptSet",
    "ConspectError",
    "Monitor",
    "OutsideError",
    "Preprocessing",
    "Settings",
    "Study",
    "StudyConfig",
    "UserError",
    "__version__",
    "load_images",
    "load_model",
    "load_vlm",
    "make_study",
    "sample",
    "torch_model",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'conspect' has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
