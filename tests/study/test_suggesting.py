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

from conspect.adapters.ontologies.endpoint import asked_words, word_request
from conspect.adapters.ontologies.wordlists import built_in_words, read_words
from conspect.cli.concepts import concepts
from conspect.core.diagnostics import OutsideError, UserError
from conspect.study import Study

ASKED: list[dict[str, object]] = []


class Answering(BaseHTTPRequestHandler):
    """A language model that knows three words, as a list."""

    answer = json.dumps({"choices": [{"message": {"content": "1. crimson\n- leafy\n* crimson\n\nsky\x07\n"}}]}).encode()

    def do_POST(self) -> None:
        ASKED.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    ASKED.clear()
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
    declined = CliRunner().invoke(concepts, call, input="n\n")
    assert declined.exit_code == 1
    assert ASKED == []
    assert f"{endpoint}/chat/completions" in declined.stderr
    agreed = CliRunner().invoke(concepts, call, input="y\ny\nn\n")
    assert agreed.exit_code == 0, agreed.output
    assert len(ASKED) == 1
    assert "red" in str(ASKED[0]["messages"])
    assert json.loads(agreed.stdout)["candidates"] == 1


def test_an_answer_is_cleaned_of_marks_repetitions_and_control_characters(endpoint: str) -> None:
    assert asked_words(word_request(endpoint, "m", ["red"], 3), "key") == ("crimson", "leafy")


def test_addresses_and_answers_of_another_kind_are_refused() -> None:
    for address in ("file:///etc/passwd", "ftp://host/v1", "http://user:secret@host/v1", "nowhere"):
        with pytest.raises(UserError):
            word_request(address, "m", ["red"], 3)
    with pytest.raises(OutsideError):
        asked_words(word_request("http://127.0.0.1:9/v1", "m", ["red"], 3), None)


@pytest.mark.parametrize("content", [b"", b"# only this\n", b"\xff\xfe\x00", b"x" * 101, b"a\x1b[31m\n"])
def test_a_word_list_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_words(tmp_path / "words.txt")
    assert caught.value.diagnostics[0].code == "STUDY002"
