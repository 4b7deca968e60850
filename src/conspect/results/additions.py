"""What adding concepts to a study writes: the answer of `conspect concepts add` and of the explorer."""

from __future__ import annotations

from msgspec import Struct


class FileAddition(Struct, frozen=True, kw_only=True):
    """Lines that one of the study's files gains. `file`: as study.toml names it; `new`: it was not there."""

    file: str
    new: bool
    lines: tuple[str, ...]


class ConceptAddition(Struct, frozen=True, kw_only=True):
    """Words that become concepts. `unlisted`: those that the study's class-attribute table has no column for; of them it wants a
    share for each of `classes`. Both are empty where nothing is wanted. `missing`: classes for which one was not given.
    `written`: the files are as `files` says; otherwise nothing was changed. `notes`: what whoever adds them should know;
    `run`: the call that counts anew.
    """

    words: tuple[str, ...]
    unlisted: tuple[str, ...]
    files: tuple[FileAddition, ...]
    classes: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    written: bool
    run: str
