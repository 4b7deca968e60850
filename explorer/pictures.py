"""Pictures of every view for the documentation, and the tour as a GIF: python explorer/pictures.py STUDY [BEFORE AFTER].
With --report before STUDY: docs/images/report.png alone, of the study's report.

Starts the explorer on a finished STUDY (such as out/demo), lets Chromium draw its views, and writes docs/images/explorer-*.png
and docs/images/explorer.gif, with few colours so that they stay small. BEFORE and AFTER: two studies for the picture of Compare.
Needs a built page (make explorer), Node and Chromium. Pictures of both themes and two widths stay in out/explorer.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
LOOKED_AT = HERE.parent / "out" / "explorer"
SHOWN, COLOURS, FILM_WIDTH, FILM_COLOURS = "light-1360", 192, 900, 128
VIEWS = ("study", "images", "heatmap", "ask", "image", "labels", "prove", "witness", "sliders", "live", "summary")


@contextmanager
def explored(*studies: str) -> Iterator[str]:
    """The address of an explorer on one study, or on two."""
    command = [sys.executable, "-m", "conspect.cli.main", "explore", *studies, "--no-open"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        yield next("http://" + line.split("http://", 1)[1].strip() for line in server.stderr if "http://" in line)
    finally:
        server.terminate()
        server.wait(30)


def node(script: str, address: str, *rest: str) -> None:
    """Runs a script of the front end in its folder."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    done = subprocess.run(
        ["node", script, address, chromium, *rest], cwd=HERE, check=True, text=True, capture_output=True
    )
    print(done.stdout, end="")


def keep(view: str) -> None:
    """The picture of a view for the documentation: its top, in few colours."""
    with Image.open(LOOKED_AT / f"{view}-{SHOWN}.png") as drawn:
        top = drawn.convert("RGB").crop((0, 0, drawn.width, min(drawn.height, 1100)))
    small = top.resize((1020, round(top.height * 1020 / top.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"explorer-{view}.png", optimize=True)


def film(frames: Path, target: Path) -> None:
    """A GIF of the frames in a folder; their names say how many milliseconds each is shown."""
    pictures, durations = [], []
    for path in sorted(frames.glob("*.png")):
        with Image.open(path) as frame:
            size = FILM_WIDTH, round(frame.height * FILM_WIDTH / frame.width)
            pictures.append(frame.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        durations.append(int(path.stem.split("-")[1]))
    # One palette for all frames: what does not change costs nothing, and nothing flickers.
    palette = Image.new("RGB", (FILM_WIDTH, pictures[0].height * len(pictures[::4])))
    for k, picture in enumerate(pictures[::4]):
        palette.paste(picture, (0, k * picture.height))
    shared = palette.quantize(FILM_COLOURS)
    first, *rest = (picture.quantize(palette=shared, dither=Image.Dither.NONE) for picture in pictures)
    first.save(target, save_all=True, append_images=rest, duration=durations, loop=0, optimize=True)


def report(study: str) -> None:
    """The report's first screen and a heatmap: docs/images/report.png."""
    with tempfile.TemporaryDirectory() as folder:
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        drawn, page = Path(folder) / "report.png", Path(study).absolute() / "report.html"
        subprocess.run(["node", "report.mjs", str(page), chromium, str(drawn)], cwd=HERE, check=True)
        with Image.open(drawn) as picture:
            few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(IMAGES / "report.png", optimize=True)


def main(study: str, *compared: str) -> None:
    """Draws everything."""
    LOOKED_AT.mkdir(parents=True, exist_ok=True)
    with explored(study) as address, tempfile.TemporaryDirectory() as frames:
        node("pictures.mjs", address, str(LOOKED_AT))
        node("film.mjs", address, frames)
        film(Path(frames), IMAGES / "explorer.gif")
    views = VIEWS
    if compared:
        with explored(*compared) as address:
            node("pictures.mjs", address, str(LOOKED_AT), "compare")
        views = (*VIEWS, "compare")
    for view in views:
        keep(view)


if __name__ == "__main__":
    if sys.argv[1] == "--report":
        report(sys.argv[2])
    else:
        main(*sys.argv[1:])
