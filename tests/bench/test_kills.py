"""The benchmark that kills: it sees what is half-written, and finds nothing of the kind."""

import json
from pathlib import Path

import pytest

from conspect.bench.kills.killing import broken, differences, killed, made

RESULTS = {
    "schema": 1,
    "timings": {"total": 1.0},
    "verification": {"properties": [{"seconds": 0.1, "verdict": "holds"}]},
}
# As the report's template ends: without a newline.
PAGE = "<html><dd>Conspect 1, seed 0, NumPy 2{}</dd><p>{}</p></html>"


def written(folder: Path) -> Path:
    (folder / "embeddings").mkdir(parents=True)
    (folder / "embeddings" / "0-1.safetensors").write_bytes(b"shard")
    (folder / "results.json").write_text(json.dumps(RESULTS))
    (folder / "report.html").write_text(PAGE.format("; embed 1.0 s, fit 0.2 s", "right"))
    (folder / "study.toml").write_text('[data]\ntrain = "a"\ntest = "b"\n[model]\nname = "demo-resnet"\n')
    return folder


def test_only_what_depends_on_the_clock_may_differ(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    later = json.loads(json.dumps(RESULTS).replace("1.0", "2.5").replace("0.1", "0.7"))
    (second / "results.json").write_text(json.dumps(later))
    (second / "report.html").write_text(PAGE.format("; embed 9.5 s", "right"))
    (second / ".results.json.1.00c0ffee.tmp").write_text("{")
    assert differences(made(first), made(second)) == []
    later["verification"]["properties"][0]["verdict"] = "violated"
    (second / "results.json").write_text(json.dumps(later))
    (second / "embeddings" / "0-1.safetensors").write_bytes(b"shar")
    (second / "extra").write_text("")
    (second / "report.html").write_text(PAGE.format("; embed 1.0 s", "wrong"))
    assert differences(made(first), made(second)) == [
        "embeddings/0-1.safetensors differs", "extra differs", "report.html differs", "results.json differs"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["results.json", "report.html", "embeddings/0-1.safetensors"])
def test_a_half_written_file_is_seen(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "a")
    expected = made(folder)
    assert broken(folder, expected) == []
    (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    assert len(broken(folder, expected)) == 1


@pytest.mark.slow
def test_no_kill_leaves_anything_half_written_or_changes_a_result() -> None:
    tallies = killed(10, seed=1)
    assert [tally.call for tally in tallies] == ["embed", "run", "verify", "monitor fit", "monitor serve"]
    assert [tally.kills for tally in tallies] == [2] * 5
    assert [fault for tally in tallies for fault in tally.faults] == []
