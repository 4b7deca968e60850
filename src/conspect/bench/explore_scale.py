"""The explorer over 1,000,000 images of 512 dimensions and 1,000 concepts: every question over HTTP, and frames of a scroll.

The embeddings are those of `bench scale`. The findings that are shown are of a run over 10,000 such images, because counting
a million by all pairs of a thousand concepts takes half an hour; every question is answered over the million.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from conspect.adapters.store.places import LocalPlace, Store
from conspect.bench.explore import Client, answered, scrolled, started
from conspect.bench.rows import Row, row
from conspect.bench.workloads.scale_world import World
from conspect.core.digests import digest_file
from conspect.results.files import decoded, write_record
from conspect.results.results import Manifest
from conspect.study.config import StudyConfig
from conspect.study.digests import digest_of_metadata, digests_of
from conspect.study.exploration.current import Current
from conspect.study.exploration.opening import OpenedStudy, opened_study
from conspect.study.recording.failures import FAILURES_FILE
from conspect.study.recording.orders import ORDERS_FILE
from conspect.study.study import MANIFEST_FILE, RESULTS_FILE, Study
from conspect.web.explorer.app import require_page
from conspect.web.explorer.serving import serve

IMAGES, CONCEPTS, RUN_OVER = 1_000_000, 1_000, 10_000
REPEATS = 5
SMALL = 100_000
# A question is fluid where its answer comes before attention wanders. Source: Nielsen (1993), Usability Engineering, chapter 5.
FLUID_MS, MEMORY_MB = 1000, 3072
EMBEDDINGS = "embeddings"
# A server rests that needs less than a twentieth of a processor for so many seconds.
RESTS, LONGEST_WARMING = 2.0, 600.0


def rows(*, small: bool = False, keep: Path | None = None) -> list[Row]:
    """A row for each question and for the memory of the server; `small`: over 100,000 images. `keep`: where the study stays."""
    require_page()
    images = SMALL if small else IMAGES
    if keep is not None:
        return _measured(keep, images)
    with tempfile.TemporaryDirectory() as name:
        return _measured(Path(name), images)


def _measured(folder: Path, images: int) -> list[Row]:
    world = World(CONCEPTS)
    prepared(world, folder, images)
    table: list[Row] = []
    size = f"{images:,} images, {CONCEPTS:,} concepts"
    for opening in ("the first time", "again"):
        with server(folder, images) as (address, process, seconds):
            table.append(row(f"{size}: from the command to the address, {opening}", round(seconds, 1), "s"))
            if opening == "the first time":
                continue
            client = Client(address)
            warmed = warm_after(client, process.pid)
            table.append(row(f"{size}: from the address to everything loaded", round(warmed, 1), "s"))
            words = tuple(f"{world.concept_names[k]} > {world.concept_names[k + 1]}" for k in (3, 5, 7, 9))
            # Processor time: what else runs on the machine does not count. A scan takes two processors, so one waits for half.
            used = partial(processor_seconds, process.pid)
            for what, milliseconds, _ in answered(client, REPEATS, words=words, compared=False, clock=used):
                table.append(row(f"{size}: {what}, processor time", round(milliseconds), "ms", ("<=", FLUID_MS)))
            for what, milliseconds, _ in answered(client, REPEATS, words=words, compared=False):
                table.append(row(f"{size}: {what}, as one waits", round(milliseconds, 1), "ms"))
            table += [{**entry, "what": f"{size}: {entry['what']}"} for entry in scrolled(address)]
            own = own_memory(process.pid)
            if own is not None:
                table.append(row(f"{size}: memory of the server's own", round(own), "MB", ("<=", MEMORY_MB)))
    return table


def prepared(world: World, folder: Path, images: int) -> None:
    """A finished study of so many images in `folder`, unless it is there: embeddings, and the findings of a smaller run."""
    if (folder / MANIFEST_FILE).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    world.fill(world.inputs(images), Store(LocalPlace(folder / EMBEDDINGS)))
    with tempfile.TemporaryDirectory() as name:
        run_over = world.inputs(RUN_OVER)
        world.fill(run_over, Store(LocalPlace(Path(name) / EMBEDDINGS)))
        found = Study(Path(name), StudyConfig(), run_over)
        results = found.run()
        for file in (FAILURES_FILE, ORDERS_FILE):
            shutil.copy(Path(name) / file, folder / file)
        manifest = decoded((Path(name) / MANIFEST_FILE).read_bytes(), Manifest)
    inputs = world.inputs(images)
    dataset = replace(results.dataset, images=images, readable=images, digest=inputs.test.digest)
    write_record(folder / RESULTS_FILE, replace(results, dataset=dataset))
    digests = {**manifest.digests, **digests_of(inputs), "metadata": digest_of_metadata(inputs)}
    results_digest = digest_file(folder / RESULTS_FILE)
    write_record(folder / MANIFEST_FILE, replace(manifest, results=results_digest, digests=digests))


@contextmanager
def server(folder: Path, images: int) -> Iterator[tuple[str, subprocess.Popen[str], float]]:
    """An explorer on the study in `folder` in a process of its own: its address, the process, and seconds until it was there."""
    start = time.perf_counter()
    with started([sys.executable, "-m", "conspect.bench.explore_scale", str(folder), str(images)]) as (
        address,
        process,
    ):
        yield address, process, time.perf_counter() - start


def warm_after(client: Client, process: int) -> float:
    """Seconds until the server has loaded what it loads while somebody looks at the first page: then it rests.

    What it still did beside the first questions would be counted as theirs.
    """
    start = time.perf_counter()
    image = client.record("/api/images?limit=1")["images"][0]["id"]
    client.ask(f"/api/explanation?id={image}")
    client.record("/api/sliders", {"id": image, "shifts": {}})
    before = processor_seconds(process)
    while time.perf_counter() - start < LONGEST_WARMING:
        time.sleep(RESTS)
        now = processor_seconds(process)
        if now - before < RESTS / 20:
            break
        before = now
    return time.perf_counter() - start


def processor_seconds(process: int) -> float:
    """Of a process so far, of all its threads. Raises OSError where the system does not say (Linux does)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_memory(process: int) -> float | None:
    """Resident memory of a process without the files that it maps, MB; None where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")), None)


def main() -> None:
    """Serves the study in the folder that is named, of so many images: what `server` starts."""
    folder, images = Path(sys.argv[1]), int(sys.argv[2])
    inputs = World(CONCEPTS).inputs(images)

    def opener() -> OpenedStudy:
        return opened_study(Study(folder, StudyConfig(), inputs))

    serve(Current(folder, opener, opener()), 0, lambda url: print(f"exploring {url}", file=sys.stderr, flush=True))


if __name__ == "__main__":
    main()
