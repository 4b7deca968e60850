"""Draws one failure of a study explained: the image, where the named concepts are, and the sentence.

python docs/images/explained_failure.py STUDY IMAGE OUT.png
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from conspect.study import Study
from conspect.study.explaining import ExplanationRequest, explain

SIDE, GAP, TEXT = 220, 16, 84


def main(folder: Path, name: str, out: Path) -> None:
    """Image first, then one map for each concept of the sentence: bright where it is read most."""
    study = Study.open(folder)
    measured = study.measurements()
    explained = explain(study.inputs, measured, ExplanationRequest(images=[name])).images[0]
    pixels = study.inputs.test.image(int(measured.test.rows[measured.ids.index(name)]))
    picture = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    panels = [("", picture)]
    for concept_map in explained.maps:
        values = np.array(concept_map.values)
        scaled = (values - values.min()) / max(float(np.ptp(values)), 1e-12)
        shade = Image.fromarray((255 * scaled).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        dark = Image.blend(picture, Image.new("RGB", picture.size), 0.75)
        panels.append((concept_map.concept.replace("-", " "), Image.composite(picture, dark, shade)))
    width = len(panels) * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", (width, SIDE + TEXT + 3 * GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=17)
    for number, (title, panel) in enumerate(panels):
        x = GAP + number * (SIDE + GAP)
        pen.text((x, 4), title, fill="black", font=font)
        sheet.paste(panel, (x, GAP + 10))
    lines = textwrap.wrap(explained.explanation.sentence + ".", width // 9)
    pen.text((GAP, SIDE + 2 * GAP + 14), "\n".join(lines), fill="black", font=font)
    sheet.save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
