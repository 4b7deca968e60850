"""Concepts found for a study: from lists, from an endpoint on this machine, and what is refused."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from conspect.adapters.ontologies.wordlists import built_in_words, read_words
from conspect.cli.concepts import concepts
from conspect.core.diagnostics import UserError
from conspect.study import Study

ASKED: list[dict[str, object]] = []
KEYS: list[str] = []


class Answering(BaseHTTPRequestHandler):
    """A language model that knows three words, as a list."""

    answer = json.dumps({"choices": [{"message": {"content": "1. crimson\n- leafy\n* crimson\n\nsky\x07\n"}}]}).encode()

    def do_POST(self) -> None:
        if key := self.headers["Authorization"]:
            KEYS.append(key)
        ASKED.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    ASKED.clear()
    KEYS.clear()
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_the_built_in_vocabulary_has_more_than_600_different_words() -> None:
    words = built_in_words()
    assert len(words) == len(set(words)) > 600
    assert all(word.isprintable() and len(word) < 40 for word in words)


def test_suggestions_are_printed_written_and_readable_as_a_concepts_file(finished: Study, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# mine\nreddish\ngreenish\nbluish\nreddish\nnothing\n")
    out = tmp_path / "concepts.toml"
    call = ["suggest", str(finished.folder), "--words", str(tmp_path / "words.txt")]
    told = CliRunner().invoke(concepts, [*call, "--out", str(out)])
    assert told.exit_code == 0, told.output
    printed = json.loads(CliRunner().invoke(concepts, [*call, "--json", "--limit", "2"]).stdout)
    assert printed["candidates"] == 4
    dropped = sum(printed[key] for key in ("names_of_classes", "not_seen", "tell_nothing", "near_duplicates"))
    assert dropped + len(printed["suggestions"]) == 4
    assert list(tomllib.loads(out.read_text())["concepts"]) == [s["name"] for s in printed["suggestions"]]
    refused = CliRunner().invoke(concepts, [*call, "--out", str(out)])
    assert isinstance(refused.exception, UserError)


def test_nothing_is_sent_to_an_endpoint_before_the_user_has_seen_it_and_agreed(finished: Study, endpoint: str) -> None:
    call = ["suggest", str(finished.folder), "--endpoint", endpoint, "--model", "m", "--json"]
    for answer, why in (("n\n", "you did not agree; nothing was sent"), ("", "nobody answered; nothing was sent")):
        declined = CliRunner().invoke(concepts, call, input=answer)
        assert isinstance(declined.exception, UserError)
        assert f"CLI005: {why}" in str(declined.exception)
        assert ASKED == []
        assert f"{endpoint}/chat/completions" in declined.stderr
    agreed = CliRunner().invoke(concepts, call, input="y\ny\nn\n")
    assert agreed.exit_code == 0, agreed.output
    assert len(ASKED) == 1
    assert "red" in str(ASKED[0]["messages"])
    assert json.loads(agreed.stdout)["candidates"] == 1
    assert (
        "lines of the answer that are no words or phrases, and were left out: 1\n  sky\\u0007 (it holds"
        in agreed.stderr
    )


@pytest.mark.parametrize(("answers", "why"), [("y\nn\nn\n", "no word was taken"), ("y\ny\n", "nobody answered")])
def test_taking_no_word_is_said_as_that(finished: Study, endpoint: str, answers: str, why: str) -> None:
    call = ["suggest", str(finished.folder), "--endpoint", endpoint, "--model", "m"]
    declined = CliRunner().invoke(concepts, call, input=answers)
    assert isinstance(declined.exception, UserError)
    assert "CLI005" in str(declined.exception)
    assert why in str(declined.exception)
    assert "the request was sent" in str(declined.exception)


def test_the_key_is_shown_by_its_variable_alone(
    finished: Study, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret\n")
    call = ["suggest", str(finished.folder), "--endpoint", endpoint, "--model", "m", "--key-variable", "MY_KEY"]
    agreed = CliRunner().invoke(concepts, call, input="y\ny\ny\n")
    assert agreed.exit_code == 0, agreed.output
    assert KEYS == ["Bearer sk-secret"]
    assert "with the key in MY_KEY:" in agreed.stderr
    assert "sk-secret" not in agreed.output


def test_what_cannot_work_is_refused_before_the_study_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("the study was opened")

    monkeypatch.setattr(Study, "open", opened)
    there = tmp_path / "there.toml"
    there.write_text("")
    model = ["--endpoint", "http://h/v1", "--model", "m"]
    for options, code in (
        (["--out", str(there)], "CLI001"),
        (["--out", str(tmp_path / "nope" / "x.toml")], "CLI004"),
        (["--out", str(there / "x.toml")], "CLI004"),
        (["--out", str(tmp_path / ("x" * 300))], "CLI004"),
        ([*model, "--key-variable", "NOPEKEY"], "CLI004"),
        (["--endpoint", "http://[::", "--model", "m"], "CLI004"),
        (["--endpoint", "http://h/v1?key=abc", "--model", "m"], "CLI004"),
    ):
        refused = CliRunner().invoke(concepts, ["suggest", str(tmp_path), *options])
        assert isinstance(refused.exception, UserError), options
        assert refused.exception.diagnostics[0].code == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.toml"]
    for options in (
        ["--model", "m"],
        ["--endpoint", "http://h/v1"],
        ["--key-variable", "K"],
        [*model, "--words", str(there)],
    ):
        assert CliRunner().invoke(concepts, ["suggest", str(tmp_path), *options]).exit_code == 2


@pytest.mark.parametrize("content", [b"", b"# only this\n", b"\xff\xfe\x00", b"x" * 101, b"a\x1b[31m\n"])
def test_a_word_list_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_words(tmp_path / "words.txt")
    assert caught.value.diagnostics[0].code == "STUDY002"
