"""Conspect's commands in processes of their own, to be ended or killed."""

from __future__ import annotations

import sys
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from runpy import run_module
from signal import SIGKILL


def words(arguments: tuple[str, ...], study: Path) -> list[str]:
    """The arguments with the study's folder in the place of STUDY."""
    return [word.replace("STUDY", str(study)) for word in arguments]


def started(arguments: tuple[str, ...], study: Path) -> BaseProcess:
    """A fork of this process that runs the command."""
    process = get_context("fork").Process(target=call_conspect, args=(words(arguments, study),))
    process.start()
    return process


def to_the_end(arguments: tuple[str, ...], study: Path) -> int | None:
    """The command's exit code."""
    process = started(arguments, study)
    process.join()
    return process.exitcode


def started_and_killed(arguments: tuple[str, ...], study: Path, seconds: float) -> bool:
    """Kills the command after `seconds`; False when it had ended by itself."""
    process = started(arguments, study)
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -SIGKILL


def call_conspect(arguments: list[str]) -> None:
    """The command line as a user calls it; "measure FOLDER" stops after the embeddings."""
    from conspect.study import Study

    if arguments[0] == "measure":
        Study.open(arguments[1]).measurements()
        return
    sys.argv = ["conspect", *arguments]
    # As `python -m` does it: the command line stands above the benchmarks, which know it as a program alone.
    run_module("conspect.cli.main", run_name="__main__")
