"""A language model's endpoint that is hostile, slow or talkative: one diagnostic, no key, no word that is none."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.adapters.ontologies.answered_words import Why, answered_words
from conspect.adapters.ontologies.endpoint import asked_words, key_in, word_request
from conspect.core.diagnostics import OutsideError, UserError
from tests.loopback import Answer, Loopback, answering, fixed, ok

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def said(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


def ask(server: Loopback, seconds: float = 20) -> tuple[str, ...]:
    return asked_words(word_request(f"{server.url}/v1", "m", ["red"], 3), KEY, seconds=seconds).words


def refused(answer: Answer, seconds: float = 20) -> str:
    with answering(answer) as server, pytest.raises(OutsideError) as caught:
        ask(server, seconds)
    assert len(caught.value.diagnostics) == 1
    told = str(caught.value)
    assert told.startswith("MODEL008: http://127.0.0.1:")
    assert KEY not in told
    assert len(told) < 600
    return told


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300])
def test_no_redirect_is_followed_and_the_answer_says_where_it_leads(status: int) -> None:
    with answering(ok(said("stolen"))) as other:
        for place in (f"{other.url}/v1/words?key={KEY}", f"//127.0.0.1:{other.port}/", "/v2", "file:///etc/passwd"):
            head = f"HTTP/1.1 {status} Away\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
            told = refused(fixed(head.encode()))
            assert f"answers {status}" in told
            assert place.replace(KEY, "(the key)") in told
        assert other.requests == []


def test_the_key_goes_to_the_named_server_alone_and_once() -> None:
    with answering(ok(said("crimson\nleafy"))) as server:
        assert ask(server) == ("crimson", "leafy")
        (request,) = server.requests
    assert request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}\r\n".encode() in request


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "a garbage status line": b"\x00\xff garbage\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a status line without end": b"HTTP/1.1 200 " + b"x" * 70_000,
    "a chunk whose length is no number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "a chunk that breaks off": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
    "a chunk of negative length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * (3 << 20),
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
    "a body that breaks off": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + said("crimson")[:20],
    "over 100 headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    "a header over 64 KiB": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    "a header that is none": b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\nabc",
    "100 Continue without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 150_000,
    "a status of its own": b"HTTP/1.1 999 \x1b[31mred\x1b[0m " + KEY.encode() + b"\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "a refusal of the key": b"HTTP/1.1 401 Bad key " + KEY.encode() + b"\r\nContent-Length: 0\r\n\r\n",
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
}
BODIES: dict[str, bytes] = {
    "no JSON": b"hello",
    "not UTF-8": b'{"choices": "\xff\xfe\xfd"}',
    "compressed": b"\x1f\x8b\x08\x00abc",
    "brackets": b"[" * 200_000,
    "braces": b'{"a":' * 200_000,
    "a number of 9,999 digits": b"9" * 9_999,
    "null": b"null",
    "a list": b"[1, 2]",
    "no choices": b'{"choices": []}',
    "choices of another kind": b'{"choices": {"0": 1}}',
    "a choice that is a number": b'{"choices": [7]}',
    "no message": b'{"choices": [{"message": null}]}',
    "no text": said(None),
    "a list of parts": said([{"type": "text", "text": "x"}]),
    "a body over a MiB": b" " * ((1 << 20) + 1) + said("x"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_answer_is_one_diagnostic(kind: str) -> None:
    told = refused(fixed(HOSTILE[kind]))
    assert "\x1b" not in told


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_is_no_answer_is_one_diagnostic(kind: str) -> None:
    refused(ok(BODIES[kind]))


def dripping(head: bytes) -> Answer:
    def answer(send: Callable[[bytes], None], stopped: Event) -> None:
        send(head)
        while not stopped.wait(0.05):
            send(b" ")

    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
    ],
)
def test_an_answer_that_comes_a_byte_at_a_time_ends_at_the_deadline(head: bytes) -> None:
    begin, threads = time.monotonic(), threading.active_count()
    told = refused(dripping(head), seconds=0.6)
    assert time.monotonic() - begin < 3
    assert "no whole answer within 0.6 seconds" in told
    while threading.active_count() > threads:  # what waited has ended too
        assert time.monotonic() - begin < 5
        time.sleep(0.01)


def test_the_seconds_are_counted_while_it_is_waited() -> None:
    totals: list[int] = []
    seen: list[int] = []

    def bar(_: str, total: int) -> Callable[[int], None]:
        totals.append(total)
        return seen.append

    with answering(dripping(b"")) as server:
        request = word_request(server.url, "m", ["red"], 3)
        with pytest.raises(OutsideError):
            asked_words(request, None, seconds=2.2, bar=bar)
    assert totals == [2]
    assert sum(seen) == 2


@pytest.mark.parametrize(
    "address",
    ["http://[::", "http://[::/v1", "http://h/v1?key=abc-secret", "http://h/v1#abc-secret", "https://u:abc-secret@h/v1",
     "http://h:99999/v1", "http://h:port/v1", "http://h:0/v1", "http://", "https:///v1", "h/v1", "ftp://h/v1", "file:///etc/passwd",
     "http://h/v 1", "http://h/\n", "http://h\r\nX: y/", "http://bücher.example/v1", "", "//h/v1"],
)  # fmt: skip
def test_an_address_that_is_none_or_holds_more_is_refused_and_its_secret_not_printed(address: str) -> None:
    with pytest.raises(UserError, match="CLI004") as caught:
        word_request(address, "m", ["red"], 3)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=30), st.sampled_from(["", "http://", "https://", "http://[", "http://h:"]))
def test_any_text_is_an_address_or_is_refused(text: str, begin: str) -> None:
    try:
        address = word_request(begin + text, "m", ["red"], 3).url
    except UserError as error:
        address = error.diagnostics[0].code
    assert address == "CLI004" or address.endswith("/chat/completions")


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_the_path_of_the_question_stands_once_in_the_address(end: str) -> None:
    assert word_request(f"https://h:8/v1{end}", "m", ["red"], 3).url == "https://h:8/v1/chat/completions"


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t\n"])
def test_a_line_end_behind_a_key_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setenv("MY_KEY", KEY + end)
    assert key_in("MY_KEY") == KEY


@pytest.mark.parametrize(
    "wrong", ["sk-ключ", "sk-\u2026", "sk-a\nX-Other: b", "sk a", "sk-\x00"[:3] + "\x7f", "", " \n"]
)
def test_a_key_that_no_header_may_carry_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("MY_KEY", wrong)
    with pytest.raises(UserError, match=r"CLI004: .*MY_KEY") as caught:
        key_in("MY_KEY")
    assert "sk" not in str(caught.value)


def test_a_variable_that_is_not_set_is_refused_and_a_key_in_its_place_not_printed() -> None:
    with pytest.raises(UserError, match="CLI004: the environment variable NOPEKEY is not set"):
        key_in("NOPEKEY")
    with pytest.raises(UserError, match="CLI004") as caught:
        key_in(KEY)
    assert KEY not in str(caught.value)


def test_a_proxy_is_named_without_its_password_and_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(fixed(b"HTTP/1.1 502 No\r\n\r\n")) as proxy, answering(ok(said("leafy"))) as server:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{proxy.port}")
        assert word_request("http://models.example/v1", "m", ["red"], 3).proxy == f"127.0.0.1:{proxy.port}"
        assert ask(server) == ("leafy",)
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("address", "is_open"),
    [("http://h/v1", True), ("https://h/v1", False), ("http://localhost:1/v1", False), ("http://[::1]/v1", False)],
)
def test_it_is_known_where_a_key_would_leave_this_machine_unencrypted(address: str, is_open: bool) -> None:
    assert word_request(address, "m", ["red"], 3).is_open is is_open


TALK = """\
Sure! Here is your list:

# Visual attributes
## Colors
**Colors:**
```text
1. **crimson**
2) *leafy*
- `glossy coat`
* __whiskers__
• striped fur
(4) "long ears"
a) ‘webbed feet’
- [ ] fluffy tail
+ ~~antlers~~
> muddy ground
- **Wings**: large and feathered, often spread
- **round eyes** – seen from the front
- [hooves](https://example.org/hooves)
crimson
Crimson.
```
---
***
| word | class |
|---|---|
These are attributes that help.
I hope this helps
Let me know if you need more
Cats have whiskers
Colors: red, green and blue
wet nose - shiny and black
<b>bold</b>
sky\x07
Note that some are rare.
● glossy
1️⃣ horns
ii. curved beak
5\\. long neck
- metal body (of airplanes)
**Animals**
Great list
"""
WORDS = (
    "crimson", "leafy", "glossy coat", "whiskers", "striped fur", "long ears", "webbed feet", "fluffy tail", "antlers",
    "muddy ground", "Wings", "round eyes", "hooves",
    "glossy", "horns", "curved beak", "long neck", "metal body",
)  # fmt: skip


def test_chat_around_a_list_is_left_out_and_what_is_left_out_is_said() -> None:
    answer = answered_words(TALK, most=200)
    assert answer.words == WORDS
    left_out = {entry.line: entry.why for entry in answer.left_out}
    assert left_out["Sure! Here is your list:"] is Why.HEADING
    assert left_out["## Colors"] is Why.HEADING
    assert left_out["I hope this helps"] is Why.SENTENCE
    assert left_out["Cats have whiskers"] is Why.SENTENCE
    assert left_out["Colors: red, green and blue"] is Why.EXPLANATION
    assert left_out["**Animals**"] is left_out["Great list"] is Why.OUTSIDE
    assert left_out["| word | class |"] is Why.MARKUP
    assert left_out["sky\x07"] is Why.HIDDEN


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("red, green, dark blue", ("red", "green", "dark blue")),
        ('["red", "green", "dark blue"]', ("red", "green", "dark blue")),
        ('```json\n[\n  "red",\n  "dark blue"\n]\n```', ("red", "dark blue")),
        ("<think>\nred things come to mind\nfast\n</think>\nred\n", ("red",)),
        ("<think>\nred things come to mind\nfast\n", ()),
        ("", ()),
        ("I'm sorry, I can't help with that.", ()),
        ("tin can\nwater-filled\n3D shape\n1990s look", ("tin can", "water-filled", "3D shape", "1990s look")),
        ("***bold and italic***\n**_both_**", ("bold and italic", "both")),
    ],
)
def test_answers_of_other_forms_are_read(answer: str, words: tuple[str, ...]) -> None:
    assert answered_words(answer, most=200).words == words


def test_no_more_words_than_twice_those_asked_for_and_none_with_the_key_are_taken() -> None:
    answer = "\n".join(f"word{n:04d}" for n in range(3000)) + f"\n{KEY}\n"
    with answering(ok(said(answer))) as server:
        taken = asked_words(word_request(server.url, "m", ["red"], 3), KEY)
    assert taken.words == tuple(f"word{n:04d}" for n in range(6))
    assert [entry.why for entry in taken.left_out].count(Why.SURPLUS) == 2994
    assert KEY not in str(taken)


@given(st.text(max_size=300))
def test_every_text_gives_printable_words_without_emphasis(text: str) -> None:
    words = answered_words("- tail\n" + text, most=10).words
    assert words
    for word in words:
        assert word.isprintable()
        assert word == word.strip()
        assert not word.endswith(":")
        assert not (word.startswith("**") and word.endswith("**"))
