"""Stores elsewhere: S3 as a server on this machine, and a file system that has no whole puts."""

import os
import pickle
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.store.embeddings import embed, embedded_shards
from conspect.adapters.store.places import LocalPlace, Place, RemotePlace, Store, place_of
from conspect.adapters.store.texts import cached_text_encoder
from conspect.core.diagnostics import OutsideError, UserError
from tests.adapters.counting import SHARD, CountingModel
from tests.fakes import FakeModel, FakeVlm, colour_dataset

IMAGES = SHARD + 60


def test_a_second_run_reads_everything_from_the_bucket(s3, tmp_path: Path) -> None:
    data, model = colour_dataset(IMAGES, side=16), CountingModel()
    store = Store(place_of("s3://bucket/first"))
    expected = embed(FakeModel(), data, tmp_path).values
    rows: list[int] = []
    assert np.array_equal(embed(model, data, store, progress=rows.append).values, expected)
    assert model.seen == sum(rows) == IMAGES
    assert np.array_equal(embed(model, data, store).values, expected)
    assert model.seen == IMAGES
    ours = sorted(Path(path).name for path in s3.find("bucket/first"))
    assert ours == sorted(path.name for path in tmp_path.glob("*/*"))
    shards = embedded_shards(model, data, store)
    assert np.array_equal(shards[-1][0], expected[SHARD:])
    assert [len(part[0]) for part in pickle.loads(pickle.dumps(shards))] == [SHARD, 60]


def test_text_embeddings_lie_there_too(s3) -> None:
    class Counting(FakeVlm):
        asked = 0

        def embed_texts(self, texts):
            self.asked += 1
            return super().embed_texts(texts)

    vlm, store = Counting(), Store(place_of("s3://bucket/texts/"))
    first, other = (cached_text_encoder(vlm, store)(["red", "blue thing"]) for _ in range(2))
    assert np.array_equal(first, other)
    assert vlm.asked == 1


def test_a_damaged_shard_in_the_bucket_is_named_and_made_anew(s3) -> None:
    data, store = colour_dataset(10), Store(place_of("s3://bucket/damaged"))
    before = embed(FakeModel(), data, store).values
    (path,) = (name for name in s3.find("bucket/damaged") if name.endswith(".safetensors"))
    s3.pipe_file(path, s3.cat_file(path)[:-10])
    with pytest.raises(OutsideError) as caught:
        embed(FakeModel(), data, store)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "STORE002"
    assert f"s3://{path}" in diagnostic.problem
    assert Path(path).name in diagnostic.fix
    s3.rm_file(path)
    assert np.array_equal(embed(FakeModel(), data, store).values, before)


def test_a_bucket_that_is_not_there_is_an_error_that_names_it(s3) -> None:
    with pytest.raises(OutsideError, match="STORE001: cannot write embeddings to s3://nobodys/"):
        embed(FakeModel(), colour_dataset(3), Store(place_of("s3://nobodys/store")))


def test_no_right_to_read_is_an_error_that_names_the_place(s3) -> None:
    def ask_for_rights_after(calls: str) -> None:
        address = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
        urllib.request.urlopen(urllib.request.Request(address, calls.encode(), {"Content-Type": "text/plain"})).close()

    place = place_of("s3://bucket/secret")
    place.write("a", b"content")
    ask_for_rights_after("0")
    try:
        for forbidden in (lambda: place.has("a"), lambda: place.opened("a").__enter__(), lambda: place.write("a", b"")):
            with pytest.raises(
                OutsideError, match=r"STORE001: cannot (reach|read|write embeddings to) s3://bucket/secret: "
            ):
                forbidden()
    finally:
        ask_for_rights_after("inf")
    assert place.has("a")
    assert not place.has("b")


@pytest.mark.parametrize("failing", [False, True])
def test_where_a_put_is_not_whole_a_complete_file_is_moved_to_its_name(
    tmp_path: Path, monkeypatch, failing: bool
) -> None:
    """fsspec's own local file system by its second name, `local`, stands for SFTP and the like."""
    fsspec = pytest.importorskip("fsspec", reason="could not run: fsspec")
    place = RemotePlace(f"local://{tmp_path}/far").below("key")
    system = fsspec.get_filesystem_class("local")
    put, seen = system.pipe_file, []

    def watched(self, path: str, content: bytes, **options: object) -> None:
        seen.append(path)
        if failing:
            put(self, path, content[:2])
            raise OSError("connection lost")
        put(self, path, content)

    monkeypatch.setattr(system, "pipe_file", watched)
    if failing:
        with pytest.raises(OutsideError, match=r"STORE001: cannot write .*connection lost"):
            place.write("a", b"content")
    else:
        place.write("a", b"content")
        with place.opened("a") as path:
            assert path.read_bytes() == b"content"
    assert place.has("a") == (not failing)
    assert len(seen) == 1
    assert not seen[0].endswith("/a")


def test_paths_are_relative_to_the_study_and_files_are_folders(tmp_path: Path) -> None:
    assert place_of("embeddings", tmp_path) == LocalPlace(tmp_path / "embeddings")
    assert place_of("/elsewhere", tmp_path) == LocalPlace(Path("/elsewhere"))
    assert place_of("file:///elsewhere") == LocalPlace(Path("/elsewhere"))
    below: Place = place_of("file:///elsewhere").below("key")
    assert str(below) == "/elsewhere/key"


def test_a_url_of_no_known_kind_is_refused_at_once() -> None:
    pytest.importorskip("fsspec", reason="could not run: fsspec")
    with pytest.raises(UserError, match="STORE004"):
        place_of("s4://bucket/prefix")
