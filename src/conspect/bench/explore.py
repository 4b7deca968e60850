"""The explorer against the times that a person waits without noticing: questions over HTTP, and clicks in a browser.

The server is a process of its own, as a user starts it; decisions and tags go to a copy of the study's tables, which is dropped.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from conspect.bench.rows import Row, row
from conspect.web.explorer.app import require_page

REPEATS = 20
# A frame at 30 a second; what is drawn in a machine without a graphics card is drawn by its processor.
FRAME_MS = 33.4
PAGE = Path(__file__).parents[3] / "explorer"
ASK_WORDS = ("striped > metallic", "wooden > metallic", "a photo of snow > a photo of sand", "shiny > dull")


class Client:
    """Questions to one server, each over a connection that stays open, as a browser asks them."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._token = parts.query.removeprefix("token=")
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._connection = http.client.HTTPConnection(self._host, self._port, timeout=120)

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        """The answer. Raises RuntimeError for a refusal."""
        method = "GET" if body is None else "POST"
        self._connection.request(method, path, body, {"Cookie": f"conspect-explorer={self._token}"})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path}: {content.decode('utf-8', 'replace')[:300]}")
        return content

    def record(self, path: str, question: object = None) -> Any:
        """The answer as plain values."""
        return json.loads(self.ask(path, None if question is None else json.dumps(question).encode()))


def rows(study: Path, *, repeats: int = REPEATS) -> list[Row]:
    """One row for each view of the explorer over the finished `study`; where Chromium and Node are there, its clicks as well."""
    require_page()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(study, Path(name) / "study"))
        # Beside itself as what was before it.
        command = [sys.executable, "-m", "conspect.cli.main", "explore", str(folder), str(folder), "--no-open"]
        with started(command) as (address, _):
            table = [
                row(f"answer: {what}", round(milliseconds, 1), "ms", ("<=", target))
                for what, milliseconds, target in answered(Client(address), repeats)
            ]
            return table + clicked(address)


@contextmanager
def started(command: list[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address that an explorer prints, and its process, which ends with the block."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        complaints: list[str] = []
        for line in process.stderr:
            complaints.append(line)
            if "http://" in line:
                yield "http://" + line.split("http://", 1)[1].strip(), process
                return
        raise RuntimeError(f"the explorer did not start: {''.join(complaints)[-300:]}")
    finally:
        process.terminate()
        # A server that reads millions of embeddings from a disk that others want ends when it has read what it is at.
        process.wait(120)


def answered(
    client: Client,
    repeats: int,
    *,
    words: tuple[str, ...] = ASK_WORDS,
    compared: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> list[tuple[str, float, float]]:
    """What was asked, the 95th percentile of milliseconds to its whole answer, warm unless it says otherwise, and the target.

    `words`: of questions; `compared`: whether there is a study before this one; `clock`: what counts the seconds.
    """

    def timed(action: Callable[[], object], repeats: int) -> float:
        return timed_by(clock, action, repeats)

    overview = client.record("/api/study")
    worst = client.record("/api/images?set=wrong&order=confident&limit=40")["images"]
    wrong = [entry["id"] for entry in worst]
    labels, concepts = overview["classes"], [concept["name"] for concept in overview["concepts"]]
    pair = quote(f"{concepts[0]} > {concepts[1]}")
    moving = client.record("/api/sliders", {"id": wrong[0], "shifts": {}})["sliders"]
    properties = client.record("/api/properties?limit=100")["properties"]
    text = (
        f"property p:\n    for all x in focus({labels[0]}, gamma = 0.3):\n"
        f"        predict(x, {labels[0]}) implies {concepts[0]} > {concepts[1]}\n"
    )
    picture = client.ask(f"/picture/{worst[0]['row']}")
    pick = np.random.default_rng(0)

    def of(entries: list[Any]) -> Any:
        return entries[int(pick.integers(len(entries)))]

    def images() -> None:
        client.ask(f"/api/images?label={quote(of(labels))}&output={quote(of(labels))}&limit=120&order=confident")

    def cell() -> None:
        client.ask(
            f"/api/images?pair={quote(f'{of(concepts[1:])} > {concepts[0]}')}&label={quote(of(labels))}&limit=120"
        )

    def page() -> None:
        client.ask(f"/api/image?id={quote(of(wrong), safe='')}")

    def slide() -> None:
        client.record("/api/sliders", {"id": wrong[0], "shifts": {of(moving)["concept"]: float(pick.uniform(-3, 3))}})

    def decide() -> None:
        client.record("/api/decide", {"id": of(wrong), "decision": "keep"})

    def filtered() -> None:
        client.ask(f"/api/images?set=wrong&least={pick.uniform(0, 0.6):.2f}&pair={pair}&holds=true&limit=120")

    def witness() -> None:
        client.record("/api/witness", {"property": of(properties)["name"]} if properties else {"text": text})

    def heatmap() -> None:
        client.ask(f"/api/heatmap?label={quote(of(labels))}&set={of(['right', 'wrong', 'all'])}")

    first = timed(lambda: client.ask(f"/api/ask?q={quote(words[0])}"), 1)
    witness()  # regions and readings of the split are estimated once
    client.ask("/api/live", picture)  # the model is loaded
    names = client.record("/api/images?order=file&limit=1")["images"][0]["id"][:3]
    figures: list[tuple[str, float, float]] = [
        (
            "the first page of all images",
            timed(lambda: client.ask("/api/images?order=confident&limit=120"), repeats),
            200,
        ),
        ("part of a file name", timed(lambda: client.ask(f"/api/images?text={quote(names)}&limit=120"), repeats), 100),
        ("a confusion cell's images", timed(images, repeats), 200),
        ("a heatmap cell's images", timed(cell, repeats), 200),
        ("the heatmap of any selection", timed(heatmap, repeats), 200),
        ("ask, words that were never asked, text encoder included", first, 1000),
        ("ask, warm", timed(lambda: client.ask(f"/api/ask?q={quote(words[0])}"), repeats), 200),
        ("an image's page", timed(page, repeats), 200),
        ("a decision on a label, written and recounted", timed(decide, repeats), 50),
        ("a specification checked while it is typed", timed(lambda: checked(client, text), repeats), 100),
        ("what breaks a property", timed(witness, repeats), 1000),
        ("a concept slider", timed(slide, repeats), 50),
        ("a picture from outside", timed(lambda: client.ask("/api/live", picture), repeats), 300),
        ("filters and a pair together", timed(filtered, repeats), 100),
    ]
    if compared:
        figures += [
            ("two studies compared", timed(lambda: client.ask("/api/compare"), repeats), 2000),
            ("heatmap difference", timed(lambda: client.ask("/api/compare/heatmap"), repeats), 2000),
        ]
    return figures


def checked(client: Client, text: str) -> None:
    """One keystroke's worth: the text as it stands."""
    client.record("/api/specification/check", {"text": text})


def timed_by(clock: Callable[[], float], action: Callable[[], object], repeats: int) -> float:
    """95th percentile of milliseconds over `repeats`, by a clock of seconds."""
    taken = []
    for _ in range(repeats):
        start = clock()
        action()
        taken.append(1000 * (clock() - start))
    return float(np.quantile(taken, 0.95, method="higher"))


def clicked(address: str) -> list[Row]:
    """Medians from click or key to what it shows, in headless Chromium; one row that says why where there is none."""
    walked = _in_browser("latency.mjs", address)
    if walked is None:
        return [row("clicks in a browser", None, "needs a checkout with make explorer, Node and Chromium")]
    targets = {
        "a confusion cell's images": 200, "a heatmap cell's images": 200, "ask, warm": 200, "an image's page": 200,
        "keep a label": 50, "a slider": 50, "compare": 2000, "a picture from outside": 300, "a filter": 100,
    }  # fmt: skip
    return [
        row(f"click to picture: {what}", round(float(np.median(taken)), 1), "ms", ("<=", targets[what]))
        for what, taken in walked.items()
    ]


def scrolled(address: str) -> list[Row]:
    """Frames of a scroll through what is long, and moves over the heatmap: the 95th percentile of milliseconds of a frame."""
    walked = _in_browser("frames.mjs", address)
    if walked is None:
        return [row("frames in a browser", None, "needs a checkout with make explorer, Node and Chromium")]
    return [
        row(f"a frame: {what}", round(float(np.quantile(taken, 0.95, method="higher")), 1), "ms", ("<=", FRAME_MS))
        for what, taken in walked.items()
    ]


def _in_browser(script: str, address: str) -> dict[str, list[float]] | None:
    """What a script of the page's tests measures at `address`, milliseconds by name; None without Node, Chromium or checkout."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    node = shutil.which("node")
    if chromium is None or node is None or not (PAGE / "node_modules/playwright-core").is_dir():
        return None
    done = subprocess.run(
        [node, str(PAGE / "tests" / script), address, chromium],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=PAGE,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the browser's walk stopped: {done.stderr[-300:]}")
    times: dict[str, list[float]] = json.loads(done.stdout)
    return times
