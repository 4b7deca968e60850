"""A network of the user's own: `package.module:function` makes it, a file may hold its weights."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import redirect_stdout
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from conspect.adapters.models.torch_module import TorchModel, torch_model
from conspect.adapters.runtimes.files_read import files_digests, forget_reads, is_installed, recording_reads
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.runtimes.weights import load_weights
from conspect.adapters.sources.request import Request
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_json
from conspect.core.foreign_code import place_of, sentence_of

# Folders of studies whose modules were imported in this process, with the states of their files then.
_FOLDERS: dict[Path, dict[str, tuple[int, int]]] = {}
# What each function read that made a network: what it imported then, it does not read again in this process.
_READS: dict[tuple[Path | None, str], set[str]] = {}


def load(request: Request) -> TorchModel:
    """Imports and calls what `name` says, which runs the user's own code; the study's folder is looked into first.

    Raises UserError MODEL002 when that gives no network, MODEL003 without a head; OutsideError MODEL001.
    """
    need("torch", "MODEL001", "a network of your own", "torch")
    from torch import nn

    name = str(request.name)
    module, _, function = name.partition(":")
    try:
        # What it prints is not among the results, which standard output is for.
        with redirect_stdout(sys.stderr), recording_reads() as reads:
            made = _imported(module, request.folder)
            network = getattr(made, function)()
    except KeyboardInterrupt:
        raise
    except (Exception, SystemExit) as error:  # also a script that ends with sys.exit when it is imported
        problem = f"{name} does not give a network: {sentence_of(error)}"
        fix = (
            'name = "package.module:function", beside study.toml or importable (PYTHONPATH), called without arguments, and '
            "without sys.exit"
        )
        raise user_error("MODEL002", problem, fix, place_of(error)) from error
    if not isinstance(network, nn.Module):
        problem = f"{name} gives a {type(network).__name__}, not a torch.nn.Module"
        raise user_error("MODEL002", problem, "let the function return the network")
    sources = [Path(made.__file__)] if made.__file__ else []
    remembered = _READS.setdefault((None if request.folder is None else request.folder.resolve(), name), set())
    remembered |= reads
    files = files_digests(sources, remembered, request.folder)
    import torch

    weights_left_out = "" if request.path is None else load_weights(network, request.path)
    steps = request.own_preprocessing()
    if steps is None:
        raise user_error(
            "MODEL002", "a network does not say how images are prepared", "give a file with `preprocessing`"
        )
    model = torch_model(
        network,
        steps,
        request.class_names(),
        name=request.label,
        head=request.head,
        output=request.output,
        device=request.device,
        precision=request.precision,
        library=f"torch {torch.__version__}{weights_left_out}",
    )
    model.digest = digest_json([model.digest, files])
    return model


def _imported(module: str, folder: Path | None) -> ModuleType:
    """The module beside study.toml where there is one, else the one that Python finds.

    Modules of another study's folder are forgotten first, since two studies may each have a `net.py`, and those of this one
    when a file of theirs has changed since. No bytecode is written into the folder.
    """
    if folder is None:
        return importlib.import_module(module)
    here = folder.resolve()
    top = module.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(here)])
    if spec is None or spec.origin is None:  # a mere folder of that name is no package
        return importlib.import_module(module)
    for other, states in list(_FOLDERS.items()):
        if other != here or states != _states(here):
            _forget(other)
            del _FOLDERS[other]
    if str(here) not in sys.path:
        sys.path.append(str(here))  # last: what lies beside study.toml must not stand in for a library
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        if not _lies_in(sys.modules.get(top), here):
            _execute(spec)
        return importlib.import_module(module)
    finally:
        sys.dont_write_bytecode = writes
        _FOLDERS[here] = _states(here)


def _execute(spec: ModuleSpec) -> None:
    """Puts a module of the folder into the place of its name, whatever Python would find under it elsewhere."""
    made = module_from_spec(spec)
    sys.modules[spec.name] = made
    try:
        assert spec.loader is not None
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[spec.name]
        raise


def _forget(folder: Path) -> None:
    forget_reads(folder)
    for key in [read for read in _READS if read[0] == folder]:
        del _READS[key]
    for name, loaded in list(sys.modules.items()):
        if _lies_in(loaded, folder):
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry != str(folder)]
    importlib.invalidate_caches()


def _states(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of the file of each loaded module of the folder."""
    states = {}
    for name, loaded in list(sys.modules.items()):
        if _lies_in(loaded, folder):
            file = Path(str(loaded.__file__))
            states[name] = (file.stat().st_size, file.stat().st_mtime_ns) if file.is_file() else (-1, -1)
    return states


def _lies_in(module: ModuleType | None, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    path = _resolved(file)
    # By text: a process may have thousands of modules, and all are asked at each import.
    if not path.startswith(f"{folder}{os.sep}".replace(os.sep * 2, os.sep)):
        return False
    return not is_installed(Path(path))  # a study may lie in the folder of a project, with its environment in it


@lru_cache(maxsize=1 << 16)
def _resolved(file: str) -> str:
    """Where a module was loaded from, links followed; a module stays what it was loaded as."""
    return os.path.realpath(file)
