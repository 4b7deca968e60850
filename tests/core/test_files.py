import errno
import os
from pathlib import Path

import numpy as np
import pytest

from conspect.core.diagnostics import OutsideError
from conspect.core.digests import digest_arrays, digest_bytes, digest_file, digest_json
from conspect.core.files import (
    remove_leftovers,
    replacing,
    require_replaceable,
    write_atomically,
    write_json,
    writing_to,
)


def test_a_written_file_is_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"one")
    write_atomically(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch) -> None:
    write_atomically(tmp_path / "a", b"old")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_json_is_utf8_in_the_given_order_and_refuses_what_is_no_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": "é", "a": None})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "b": "é",\n "a": null\n}\n'
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", float("nan"))


def test_digests_are_sha256_of_the_content(tmp_path: Path) -> None:
    # FIPS 180-2, appendix B.1.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_bytes(b"a", b"bc") == digest_file(tmp_path / "abc", chunk_size=2) == abc


def test_digests_of_json_do_not_depend_on_order_of_keys() -> None:
    assert digest_json({"a": 1, "b": [1, 2]}) == digest_json({"b": (1, 2), "a": 1})
    assert digest_json([1, 2]) != digest_json([2, 1])


def test_digests_of_arrays_see_names_types_shapes_and_values_but_no_layout() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    same = digest_arrays({"a": array, "b": array})
    assert same == digest_arrays({"b": np.asfortranarray(array), "a": array.copy()})
    others = [
        {"a": array},
        {"a": array, "c": array},
        {"a": array.astype(np.float64), "b": array},
        {"a": array.reshape(3, 2), "b": array},
        {"a": array + np.float32(1e-6), "b": array},
    ]
    assert len({same, *(digest_arrays(other) for other in others)}) == 6  # type: ignore[arg-type]


def test_leftovers_of_killed_writers_go_once_they_are_old(tmp_path: Path) -> None:
    names = (".a.json.1.00c0ffee.tmp", ".b.json.2.00c0ffee.tmp", ".c.json.3.00c0ffee.tmp", ".d.tmp", "e.json")
    old, young, future, foreign, other = paths = [tmp_path / name for name in names]
    for path in paths:
        path.write_text("x")
    for path in (old, foreign, other):
        os.utime(path, (0, 0))
    os.utime(future, (2**32, 2**32))  # the clock was set back since
    with writing_to(tmp_path):
        assert sorted(tmp_path.iterdir()) == [young, future, foreign, other]


def test_a_pipe_is_written_to_and_a_link_is_replaced_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", b"new")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_text() == "new"
    assert (tmp_path / "target").read_text() == "old"
    assert (
        capsys.readouterr().err
        == f"{tmp_path / 'link'} was a link to {tmp_path / 'target'}; it is a file of its own now\n"
    )
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"new")
    assert os.read(reader, 9) == b"new"
    os.close(reader)


def test_leftovers_are_looked_for_while_others_write_and_rename(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".a.json.1.00c0ffee.tmp").write_text("x")
    listed = list(tmp_path.glob(".*.tmp"))
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter(listed))
    os.rename(listed[0], tmp_path / "a.json")  # between the listing and the look at its age
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["a.json"]


def test_what_the_system_refuses_while_writing_is_an_outside_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(OutsideError, match=r"STORE001: cannot write maps to .*file"),
        writing_to(tmp_path / "file", "maps"),
    ):
        raise AssertionError("the folder cannot be made, so nothing is written")
    (tmp_path / "report.html").mkdir()
    with (
        pytest.raises(OutsideError, match=r"STORE001: cannot write report.html to .*: Is a directory") as refused,
        writing_to(tmp_path),
    ):
        write_atomically(tmp_path / "report.html", b"y")
    assert refused.value.diagnostics[0].fix == "move away the folder that has this name"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutsideError, match=r"STORE001: cannot write pipe to ") as refused, writing_to(tmp_path):
        write_atomically(tmp_path / "pipe", b"y")
    assert refused.value.diagnostics[0].fix == "move away the pipe that has this name: nobody reads it"
    full = pytest.raises(OutsideError, match=r"STORE001: cannot write new.txt to .*: No space left")
    with full as refused, writing_to(tmp_path), replacing(tmp_path / "new.txt") as out:
        raise OSError(errno.ENOSPC, "No space left on device", out.name)
    assert refused.value.diagnostics[0].fix == "free space there, or choose another folder"
    with writing_to(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "c").write_text("y")
    assert (tmp_path / "a/b/c").read_text() == "y"


def test_what_cannot_be_replaced_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("a.html", "b.json")
    (tmp_path / "a.html").write_text("x")
    require_replaceable(tmp_path, names)
    (tmp_path / "b.json").mkdir()
    with pytest.raises(OutsideError, match=r"STORE001: cannot write b.json to .*: Is a directory"):
        require_replaceable(tmp_path, names)
    (tmp_path / "b.json").rmdir()
    os.mkfifo(tmp_path / "b.json")
    with pytest.raises(OutsideError, match=r"STORE001: cannot write b.json to .*: No such device or address"):
        require_replaceable(tmp_path, names)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutsideError, match=r"STORE001: cannot write to .*: Permission denied") as refused:
        require_replaceable(tmp_path, ())
    assert refused.value.diagnostics[0].fix == "let this user write there, or choose another folder"
