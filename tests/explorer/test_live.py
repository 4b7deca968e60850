"""Pictures from outside: judged as the study judges its own; anything else is refused in words."""

import io

import numpy as np
import pytest
from PIL import Image

from conspect.core.diagnostics import UserError
from conspect.study.exploration.opening import OpenedStudy
from conspect.web.explorer.pictures import pictures_of
from tests.fakes import COLOURS, picture


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_an_image_of_the_study_gets_the_studys_own_output(study: OpenedStudy) -> None:
    exploration = study.exploration
    for row in (0, 25, 70):
        verdict = exploration.views.live.judge(pictures_of(study).full(row))
        page = exploration.image(exploration.index.ids[row])
        assert verdict.output == page.image.output
        assert verdict.classes[0].probability == pytest.approx(max(page.probabilities), abs=1e-4)
        assert verdict.nearest[0].cosine == pytest.approx(1.0, abs=1e-3)
        strengths = {entry.concept: entry.strength for entry in page.strengths}
        assert all(entry.strength == pytest.approx(strengths[entry.concept], abs=1e-4) for entry in verdict.strengths)


def test_a_new_picture_is_read_by_its_colour(study: OpenedStudy) -> None:
    verdict = study.exploration.views.live.judge(png(picture(COLOURS["blue"])))
    assert (verdict.output, verdict.width, verdict.height) == ("blue", 16, 16)
    assert verdict.monitor is None  # this study has none
    assert all(near.label == "blue" for near in verdict.nearest[:3])


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n", png(picture((1, 2, 3)))[:60]])
def test_what_is_no_picture_is_refused_with_a_remedy(study: OpenedStudy, content: bytes) -> None:
    with pytest.raises(UserError) as error:
        study.exploration.views.live.judge(content)
    assert error.value.diagnostics[0].code == "EXPLORE009"
    assert "PNG" in error.value.diagnostics[0].fix


def test_a_bomb_is_refused_before_it_is_decoded(study: OpenedStudy) -> None:
    bomb = Image.new("1", (20_000, 20_000))
    out = io.BytesIO()
    bomb.save(out, "PNG")
    with pytest.raises(UserError, match="EXPLORE009"):
        study.exploration.views.live.judge(out.getvalue())
