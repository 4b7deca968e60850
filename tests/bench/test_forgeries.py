"""Forgeries of a study's certificates and printed results: each is refused, and its honest original is not."""

import pytest

from conspect.bench.forgeries import FORGERIES, judged, misprinted
from conspect.bench.forging.misprints import PRINTED
from conspect.checker import check
from conspect.core.protocols import silent
from conspect.study.config import NeighbourhoodsConfig
from conspect.study.proving.comparing import StudyCertificates
from conspect.study.proving.deciding import read_sources
from conspect.study.proving.properties import property_results, with_neighbourhoods
from conspect.verification.queries.model import VerifyOptions
from tests.verification.subjects import changed_model

TEXT = """\
property held: for all x in focus(car, gamma = 0.1): predict(x, car)
property broken: for all x in focus(car, gamma = 6): a > b
property implied: for all x in focus(truck): predict(x, truck) implies a > b or b > a
property half: for all x in focus(cat, gamma = 0.1): c > a
property most_of_them: for all x in focus(cat, gamma = 0.1): a > b
property most: for 50% of x in images(car): predict(x, car)
property open: for 95% of x in images(cat): a > b
property one: for x = image("test/test0"): predict(x, car)
property near: for 40% of x in images(car): for all y near x: predict(y, car)
"""
# What needs a claim that is open, or a conclusion that was proved alone, and may not be there.
RARE = {"an open claim dropped", "a conclusion said to be the whole"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forged")
    files = [folder / "my.cspec"]
    files[0].write_text(TEXT)
    subject, config = changed_model(3, spread=0.1, images=120), NeighbourhoodsConfig()
    record = property_results(files, subject, folder, bar=silent)
    record = with_neighbourhoods(record, files, subject, config, folder, bar=silent)
    sources = read_sources(files, subject)
    return StudyCertificates(
        folder,
        files,
        sources,
        chosen=False,
        subject=subject,
        options=VerifyOptions(),
        record=record,
        neighbourhoods=config,
    )


@pytest.fixture(scope="module")
def paths(study):
    return sorted((study.folder / "certificates").glob("*.json"))


def test_the_honest_certificates_are_accepted_and_every_forgery_is_not(study, paths):
    assert [path.name for path in paths] == ["my.coverage.json", "my.json", "my.near.json"]
    made = set()
    for path in paths:
        check.check_file(path)
        assert study.compare(path, path.read_bytes()).differences == []
        for how, by in judged(study, path):
            assert by is not None, f"{path.name}: {how}"
            made.add(how)
    assert FORGERIES.keys() - made <= RARE


def test_what_is_printed_beside_certificates_follows_from_them(study, paths):
    judgements = dict(misprinted(study, paths))
    assert judgements == dict.fromkeys(judgements, True)
    assert judgements.keys() == PRINTED.keys()
