"""`conspect bench kills`: kill -9 at random moments, and what the same call makes of what is left.

Each trial copies a folder, starts a command, kills it up to three times at random moments while it is at work, looks at
every file that lies there, lets the same call end, and compares all that it made with what an undisturbed call makes.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

from conspect.bench.kills.processes import call_conspect, started_and_killed, to_the_end, words
from conspect.bench.kills.service import kill_service
from conspect.bench.kills.stand_ins import put_in_place, write_study
from conspect.bench.rows import Row, row
from conspect.core.diagnostics import UserError
from conspect.core.json_value import JsonValue

# Of a file: its bytes, its JSON or page without times, or whether it is whole where no more is asked.
Content: TypeAlias = "bytes | JsonValue"
KILLS, MOST_KILLS_IN_A_ROW, TRIES_PER_KILL = 200, 3, 9
SETTLED = (0, 1, 3)  # done, or a verdict
# What depends on the clock, wherever it stands in a JSON file; "results" is the manifest's digest of such a file.
TIMES = ("timings", "seconds", "results")
# The list of times that ends the report's "Run" line.
_TIMES_SHOWN = re.compile(rb"; [^<;]* \d+\.\d s(?=</dd>)")
# Digests in names: of a verification record, in which seconds are written, and of the folder that a specification lies in.
_DIGEST = re.compile(r"-(?:[0-9a-f]{32}|[0-9a-f]{12})(?=(?:\.coverage)?\.json$)")


@dataclass(frozen=True)
class Call:
    """A command to kill. `before`: the command that made the folder that it starts from; empty: a study never run."""

    name: str
    arguments: tuple[str, ...]
    before: tuple[str, ...] = ()


RUN, FIT = ("run", "STUDY"), ("monitor", "fit", "--study", "STUDY")
CALLS = (
    Call("embed", RUN),
    Call("run", RUN, before=("measure", "STUDY")),
    Call("verify", ("verify", "STUDY/colours.cspec", "--study", "STUDY"), before=("measure", "STUDY")),
    Call("monitor fit", FIT, before=("measure", "STUDY")),
)


@dataclass
class KillTally:
    """What was seen of one command. `late`: kills that came after its end, and count for nothing; `faults`: what went wrong."""

    call: str
    kills: int = 0
    late: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, notes: Iterable[str]) -> None:
        """Adds faults."""
        self.faults += [f"{self.call}: {what}" for what in notes]


def rows(kills: int = KILLS, seed: int = 0) -> list[Row]:
    """A row per command with its kills, and how many things went wrong, which must be none."""
    tallies = killed(kills, seed)
    for fault in (fault for tally in tallies for fault in tally.faults):
        print(fault, file=sys.stderr)
    return [
        *(row(f"{tally.call}: killed at work", tally.kills, "kills") for tally in tallies),
        row(
            "files half-written, work lost, or other results",
            sum(len(tally.faults) for tally in tallies),
            "faults",
            ("<=", 0),
        ),
    ]


def killed(kills: int, seed: int) -> list[KillTally]:
    """Kills every command of `CALLS`, and the service, an equal number of times, `kills` in all, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_killed, kills, seed).result()


def _killed(kills: int, seed: int) -> list[KillTally]:
    """One call of each command warms this process up, so that its forks are at work at once."""
    rng = random.Random(seed)
    put_in_place()
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    with tempfile.TemporaryDirectory(prefix="conspect-kills-") as scratch:
        pristine, warm = Path(scratch) / "pristine", Path(scratch) / "warm"
        write_study(pristine, Path(scratch) / "images")
        shutil.copytree(pristine, warm)
        for call in CALLS:
            with suppress(SystemExit):
                call_conspect(words(call.arguments, warm))
        places = len(CALLS) + 1
        shares = [kills // places + (place < kills % places) for place in range(places)]
        tallies = [
            _kill(call, share, pristine, Path(scratch) / call.name, rng)
            for call, share in zip(CALLS, shares, strict=False)
        ]
        before, served = made(warm), KillTally("monitor serve", shares[-1])
        served.note(kill_service(warm / "monitor", shares[-1], rng))
        served.note(differences(before, made(warm)))
        return [*tallies, served]


def _kill(call: Call, kills: int, pristine: Path, scratch: Path, rng: random.Random) -> KillTally:
    start = shutil.copytree(pristine, scratch / "start")
    if call.before:
        to_the_end(call.before, start)
    tally = KillTally(call.name)
    undisturbed = []
    for name in ("first", "second"):  # the second is as fast as those to be killed
        study = shutil.copytree(start, scratch / name)
        began = time.perf_counter()
        code = to_the_end(call.arguments, study)
        seconds = time.perf_counter() - began
        undisturbed.append(made(study))
    expected = undisturbed[0]
    tally.note([] if code in SETTLED else [f"undisturbed, it ends with exit code {code}"])
    tally.note(differences(*undisturbed))
    while tally.kills < kills:
        study = shutil.copytree(start, scratch / "study")
        for _ in range(min(kills - tally.kills, rng.randint(1, MOST_KILLS_IN_A_ROW))):
            kept = _kept(study)
            if started_and_killed(call.arguments, study, rng.uniform(0, seconds)):
                tally.kills += 1
            else:
                tally.late += 1
            tally.note([*broken(study, expected), *_lost(kept, study)])
        kept = _kept(study)
        ended = to_the_end(call.arguments, study)
        tally.note([f"exit code {ended} instead of {code}"] if ended != code else [])
        tally.note([*differences(expected, made(study)), *_lost(kept, study)])
        shutil.rmtree(study)
        if tally.late > TRIES_PER_KILL * kills:
            tally.note([f"only {tally.kills} of {kills} kills found it at work"])
            break
    return tally


def made(study: Path) -> dict[str, Content]:
    """Content of every file under `study` that a command has made, without what depends on the clock."""
    files = [path for path in sorted(study.rglob("*")) if path.is_file() and path.suffix != ".tmp"]
    return {_DIGEST.sub("", path.relative_to(study).as_posix()): _content(path) for path in files}


def _content(path: Path) -> Content:
    content = path.read_bytes()
    # A verified specification's certificate names where that file lies: it must be whole, not equal.
    if path.parts[-3:-1] == ("certificates", "verify"):
        return bool(json.loads(content))
    if path.suffix == ".html":
        return _TIMES_SHOWN.sub(b"", content)
    return _timeless(json.loads(content)) if path.suffix == ".json" else content


def _timeless(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _timeless(entry) for key, entry in value.items() if key not in TIMES}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


def broken(study: Path, expected: dict[str, Content]) -> list[str]:
    """What is wrong with the files that a killed process left: each must be whole, and results right or refused."""
    from conspect.study import Study

    try:
        files = made(study)
    except ValueError as error:
        return [f"a file is half-written: {error}"]
    faults = [f"{name} is not what it should be" for name in files if files[name] != expected.get(name)]
    try:
        Study.open(study).results()
    except UserError:
        pass
    else:
        faults += [] if {"results.json", "report.html"} <= set(files) else ["results are read that are not complete"]
    return faults


def differences(expected: dict[str, Content], actual: dict[str, Content]) -> list[str]:
    """Files that are missing, too many, or other than expected."""
    return [
        f"{name} differs" for name in sorted(expected.keys() | actual.keys()) if expected.get(name) != actual.get(name)
    ]


def _kept(study: Path) -> dict[Path, int]:
    """The embedding store's shards with the moment they were written."""
    return {path: path.stat().st_mtime_ns for path in study.glob("embeddings/**/*.safetensors")}


def _lost(kept: dict[Path, int], study: Path) -> list[str]:
    now = _kept(study)
    return [f"{path.name} was embedded again" for path, moment in kept.items() if now.get(path) != moment]
