"""Everything that is refused, with one shape; and whatever is sent, never a fault."""

import asyncio
import io
import json
import struct
from typing import Any

import numpy as np
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save
from starlette.requests import Request
from uvicorn.server import ServerState

from conspect.bench.service.hostile import bomb
from conspect.cli import monitor_serve
from conspect.core.codes import CODES
from conspect.core.diagnostics import ConspectError
from conspect.study import packages
from conspect.study.monitor.serving import Deployment, deployed
from conspect.web import server
from conspect.web.failures import STATUS, Busy
from conspect.web.limits import BODIES_HELD, Limits
from conspect.web.protocol import protocol
from conspect.web.receiving import Receiver
from conspect.web.server import bound, read_token
from tests.web.asking import LinearModel, asking, embeddings, images, limited, monitor, require_failure

TOKEN = "t" * 32
LIMITS = limited(body_bytes=1 << 20, inputs=8, pixels=10_000, seconds=0.2)
JSON = {"content-type": "application/json"}
SAFETENSORS = {"content-type": "application/x-safetensors"}
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def ask():
    made = asking(LinearModel(), limits=LIMITS)
    yield made
    made.service.close()


def multipart(*parts: bytes, end: bytes = b"--b--\r\n") -> dict:
    head = b'--b\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n'
    body = b"".join(head + part + b"\r\n" for part in parts) + end
    return {"content": body, "headers": {"content-type": "multipart/form-data; boundary=b"}}


def png_of(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, format="PNG")
    return out.getvalue()


def large_png(side: int) -> bytes:
    return png_of(side, side)


ROW = [0.0] * 8
TWICE = b'{"embeddings": ' + json.dumps([ROW]).encode() + b', "%s": %s}'
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "not found": ({"method": "GET", "url": "/v2/check"}, "WEB103"),
    "get": ({"method": "GET"}, "WEB104"),
    "delete": ({"method": "DELETE", "url": "/healthz"}, "WEB104"),
    "odd method": ({"method": "BREW", "url": "/v1/check"}, "WEB104"),
    "too many bytes": ({"content": b"x" * (LIMITS.body_bytes + 1), "headers": PNG}, "WEB106"),
    "length is no number": ({"content": b"", "headers": {**PNG, "content-length": "ten"}}, "WEB109"),
    "too many rows": ({"json": {"embeddings": [ROW] * 9}}, "WEB107"),
    "too many parts": (multipart(*[b"x"] * 9), "WEB107"),
    "too many images": ({"content": save({"images": images(9)}), "headers": SAFETENSORS}, "WEB107"),
    "no content type": ({"content": b"x"}, "WEB108"),
    "form": ({"data": {"a": "b"}}, "WEB108"),
    "pickle": ({"content": b"\x80\x04N.", "headers": {"content-type": "application/x-pickle"}}, "WEB108"),
    "compressed": ({"content": b"x", "headers": {**JSON, "content-encoding": "gzip"}}, "WEB108"),
    "nothing": ({"content": b"", "headers": JSON}, "WEB109"),
    "not JSON": ({"content": b"{", "headers": JSON}, "WEB109"),
    "not UTF-8": ({"content": b"\xff\xfe\xfa", "headers": JSON}, "WEB109"),
    "deep": ({"content": b"[" * 100_000, "headers": JSON}, "WEB109"),
    "NaN": ({"content": b'{"embeddings": [[NaN]]}', "headers": JSON}, "WEB109"),
    "overflow": ({"content": json.dumps({"embeddings": [[1e300, *ROW[1:]]]}), "headers": JSON}, "WEB109"),
    "digits": ({"content": b'{"embeddings": [[' + b"9" * 5000 + b"]]}", "headers": JSON}, "WEB109"),
    "list": ({"json": [ROW]}, "WEB109"),
    "no rows": ({"json": {"embeddings": []}}, "WEB109"),
    "empty rows": ({"json": {"embeddings": [[], []]}}, "WEB109"),
    "words": ({"json": {"embeddings": [["a"] * 8]}}, "WEB109"),
    "truths": ({"json": {"embeddings": [[True] * 8]}}, "WEB109"),
    "null": ({"json": {"embeddings": None}}, "WEB109"),
    "ragged": ({"json": {"embeddings": [ROW, ROW[1:]]}}, "WEB109"),
    "three axes": ({"json": {"embeddings": [[ROW]]}}, "WEB109"),
    "other size": ({"json": {"embeddings": [ROW[1:]]}}, "WEB109"),
    "other logits": ({"json": {"embeddings": [ROW], "logits": [[1.0]]}}, "WEB109"),
    "logits of another number": ({"json": {"embeddings": [ROW], "logits": [[0.0] * 10] * 2}}, "WEB109"),
    "logits alone": ({"json": {"logits": [[0.0] * 10]}}, "WEB109"),
    "unknown key": ({"json": {"embeddings": [ROW], "image": "x"}}, "WEB109"),
    "reasons": ({"json": {"embeddings": [ROW]}, "url": "/v1/check?reasons=why"}, "WEB109"),
    "reasons twice": ({"json": {"embeddings": [ROW]}, "url": "/v1/check?reasons=all&reasons=none"}, "WEB109"),
    "a parameter misspelt": ({"json": {"embeddings": [ROW]}, "url": "/v1/check?reason=all"}, "WEB109"),
    "a parameter of no name": ({"json": {"embeddings": [ROW]}, "url": "/v1/check?=all"}, "WEB109"),
    "a name twice": ({"content": TWICE % (b"embeddings", b"[[1]]"), "headers": JSON}, "WEB109"),
    "a name twice, once in other letters": (
        {"content": TWICE % (b"\\u0065mbeddings", json.dumps([ROW]).encode()), "headers": JSON}, "WEB109",
    ),
    "not safetensors": ({"content": b"x" * 99, "headers": SAFETENSORS}, "WEB109"),
    "lying safetensors": ({"content": struct.pack("<Q", 1 << 60) + b"{}", "headers": SAFETENSORS}, "WEB109"),
    "no tensors": ({"content": struct.pack("<Q", 2) + b"{}", "headers": SAFETENSORS}, "WEB109"),
    "NaN in safetensors": (
        {"content": save({"embeddings": np.full((1, 8), np.nan, np.float32)}), "headers": SAFETENSORS}, "WEB109",
    ),
    "float images": ({"content": save({"images": np.ones((1, 4, 4, 3))}), "headers": SAFETENSORS}, "WEB109"),
    "grey images": ({"content": save({"images": np.ones((1, 4, 4), np.uint8)}), "headers": SAFETENSORS}, "WEB109"),
    "empty images": ({"content": save({"images": np.ones((5, 0, 4, 3), np.uint8)}), "headers": SAFETENSORS}, "WEB109"),
    "images beside embeddings": (
        {"content": save({"images": images(1), "embeddings": np.ones((1, 8))}), "headers": SAFETENSORS}, "WEB109",
    ),
    "no boundary": ({"content": b"--b", "headers": {"content-type": "multipart/form-data"}}, "WEB109"),
    "no end": (multipart(b"x", end=b""), "WEB109"),
    "no parts": (multipart(), "WEB109"),
    "not an image": ({"content": b"x", "headers": PNG}, "WEB110"),
    "empty image": ({"content": b"", "headers": PNG}, "WEB110"),
    "half an image": ({"content": large_png(64)[:60], "headers": PNG}, "WEB110"),
    "svg": ({"content": b"<svg/>", "headers": {"content-type": "image/svg+xml"}}, "WEB110"),
    "bomb": ({"content": bomb(), "headers": PNG}, "WEB110"),
    "too many pixels": ({"content": large_png(101), "headers": PNG}, "WEB110"),
    "images from 0 to 1": ({"content": save({"images": images(1, side=4) // 128}), "headers": SAFETENSORS}, "WEB109"),
    "one long row of pixels": ({"content": png_of(1001, 1), "headers": PNG}, "WEB110"),
    "one long column of pixels": ({"content": png_of(1, 1001), "headers": PNG}, "WEB110"),
    "one long row of pixels in safetensors": (
        {"content": save({"images": np.ones((1, 1, 1001, 3), np.uint8)}), "headers": SAFETENSORS}, "WEB110",
    ),
    "too many pixels in safetensors": ({"content": save({"images": images(1, side=101)}), "headers": SAFETENSORS}, "WEB110"),
    "one bad part": (multipart(large_png(4), b"x"), "WEB110"),
    "a part that is no file": (
        {"files": {"image": ("x.png", large_png(4))}, "data": {"comment": "look at this"}}, "WEB109",
    ),
    "a part with endless headers": (
        {
            "content": b"--b\r\ncontent-disposition: form-data; x=" + b"y" * 100_000 + b"\r\n\r\nz\r\n--b--\r\n",
            "headers": {"content-type": "multipart/form-data; boundary=b"},
        }, "WEB109",
    ),
    "another host": ({"headers": {"host": "evil.example"}}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_the_one_shape(ask, name):
    request, code = CASES[name]
    answer = ask(**request)
    if code is None:
        assert answer.status_code == 415  # this service was given no list of names
        return
    require_failure(answer, STATUS[code], code)


def test_the_second_bad_image_is_named(ask):
    told = require_failure(ask(**multipart(large_png(4), b"x")), 422, "WEB110")
    assert told["problem"].startswith("image 1 (the first is 0)")


def test_405_says_what_is_allowed(ask):
    assert ask(method="GET").headers["allow"] == "POST"


def test_json_is_limited_further():
    ask = asking(LinearModel())
    require_failure(ask(content=b" " * (Limits().json_bytes + 1), headers=JSON), 413, "WEB106")
    ask.service.close()


OWN = {"host": "localhost:8080"}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://localhost:8080", "sec-fetch-site": "Cross-Site"},
    ],
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_page_of_another_site_cannot_ask_and_moves_no_statistics(headers, token):
    made = asking(LinearModel(), token=token)
    form = {"files": {"image": ("x.png", large_png(4))}}
    given = {} if token is None else {"authorization": f"Bearer {token}"}
    require_failure(made(**form, headers={**OWN, **headers, **given}), 403, "WEB114")
    assert made.service.engine.status().seen == 0
    for own in ({}, {"origin": "http://localhost:8080"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        assert made(**form, headers={**OWN, **own, **given}).status_code == 200
    assert made(method="GET", url="/healthz", headers={**OWN, **headers}).status_code == 200
    made.service.close()


def test_no_path_is_redirected_to_where_the_host_says(ask):
    for url in ("/v1/check/", "/healthz/", "//evil.example/v1/check"):
        for method in ("GET", "POST"):
            told = ask(method=method, url="http://localhost" + url, headers={"host": "evil.example"})
            require_failure(told, 404, "WEB103")
            assert "location" not in told.headers


def test_a_page_says_what_this_is_and_health_answers_a_head(ask):
    page = ask(method="GET", url="/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "vision model" in page.text
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert [ask(method="HEAD", url=url).status_code for url in ("/healthz", "/", "/metrics")] == [200] * 3


def test_no_coding_is_a_coding_in_whatever_case(ask):
    for name in ("identity", "Identity", " IDENTITY "):
        assert ask(json={"embeddings": [ROW]}, headers={"content-encoding": name}).status_code == 200
    for name in ("GZIP", "identity, gzip"):
        require_failure(ask(json={"embeddings": [ROW]}, headers={"content-encoding": name}), 415, "WEB108")


def test_the_part_that_is_no_file_is_named(ask):
    told = ask(files=[("image", ("x.png", large_png(4)))], data={"comment": "look"})
    problem = require_failure(told, 422, "WEB109")["problem"]
    assert "'comment', is not a file" in problem


def test_a_request_that_is_given_up_still_gets_the_one_shape(monkeypatch):
    made = asking(LinearModel())

    async def never(*_):
        raise asyncio.CancelledError

    monkeypatch.setattr(made.service._checking, "parsed", never)
    sent: list[dict] = []

    async def ask() -> None:
        async def receive():
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/check", "raw_path": b"/v1/check", "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], "http_version": "1.1",
        }  # fmt: skip
        with pytest.raises(asyncio.CancelledError):
            await made.service.asgi(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["error"]["code"] == "WEB113"
    made.service.close()


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_a_token_that_every_user_can_read_is_no_secret(tmp_path, mode):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(mode)
    with pytest.raises(ConspectError, match=r"WEB002: every user of this machine.*") as caught:
        read_token(path)
    assert f"chmod 600 {path}" in caught.value.diagnostics[0].fix


def test_images_need_a_model_and_embeddings_without_one_need_logits():
    alone = asking(limits=LIMITS)
    require_failure(alone(content=large_png(4), headers=PNG), 422, "WEB109")
    told = require_failure(alone(json={"embeddings": [ROW]}), 422, "WEB109")
    assert "logits" in told["problem"]
    alone.service.close()


def test_a_token_is_asked_of_everything_but_health():
    ask = asking(LinearModel(), token=TOKEN)
    body = {"json": {"embeddings": [ROW]}}
    for wrong in (None, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"bearer {TOKEN[:-1]}é"):
        headers = {} if wrong is None else {"authorization": wrong.encode("utf-8")}
        answer = ask(**body, headers=headers)
        require_failure(answer, 401, "WEB102")
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/metrics", "/openapi.json", "/nothing"):
        require_failure(ask(method="GET", url=path), 401, "WEB102")
    assert ask(method="GET", url="/healthz").status_code == 200
    assert ask(**body, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert TOKEN not in json.dumps(ask.lines)
    ask.service.close()


def test_a_page_that_reaches_loopback_by_another_name_is_refused():
    ask = asking(LinearModel(), hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}))
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"):
        assert ask(method="GET", url="/healthz", headers={"host": host}).status_code == 200
    for host in (
        "evil.example",
        "localhost.evil.example:80",
        "",
        "[::2]",
        "127.0.0.1.evil.example",
        "[::1]x",
        "[::1]:80:80",
        "localhost:80x",
        "localhost:80:80",
    ):
        require_failure(ask(method="GET", url="/healthz", headers={"host": host}), 400, "WEB101")
    ask.service.close()


def stalled(ask, *chunks: bytes) -> tuple[int, bytes]:
    """Status and body for a request that sends `chunks` and then nothing."""
    sent: list[dict] = []
    left = list(chunks)

    async def receive():
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": True}
        return await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/check", "raw_path": b"/v1/check", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"image/png")], "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    asyncio.run(ask.service.asgi(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_half_a_body_ends_in_time(ask):
    status, body = stalled(ask, b"half")
    assert (status, json.loads(body)["error"]["code"]) == (408, "WEB105")


def test_an_endless_body_is_refused_before_it_is_held(ask):
    status, body = stalled(ask, *[b"x" * (1 << 18)] * 5)
    assert (status, json.loads(body)["error"]["code"]) == (413, "WEB106")


CONTENT = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=9) | st.dictionaries(st.sampled_from(["embeddings", "logits", "x"]), inner)
        ),
        max_leaves=30,
    ).map(lambda value: json.dumps(value).encode()),
    st.tuples(st.integers(0, 400), st.binary(max_size=8)).map(lambda cut: VALID_SAFETENSORS[: cut[0]] + cut[1]),  # type: ignore[has-type]
    st.tuples(st.integers(0, 200), st.binary(max_size=8)).map(
        lambda cut: SMALL_PNG[: cut[0]] + cut[1] + SMALL_PNG[cut[0] + len(cut[1]) :]  # type: ignore[has-type]
    ),
    st.tuples(st.integers(0, 300), st.binary(max_size=8)).map(
        lambda cut: FORM[: cut[0]] + cut[1] + FORM[cut[0] + len(cut[1]) :]  # type: ignore[has-type]
    ),
)
VALID_SAFETENSORS = save({"embeddings": np.zeros((2, 8), np.float32), "logits": np.zeros((2, 10), np.float32)})
SMALL_PNG = large_png(8)
FORM = multipart(SMALL_PNG, SMALL_PNG)["content"]
TYPES = st.sampled_from(
    [
        "application/json",
        "application/x-safetensors",
        "image/png",
        "image/jpeg",
        "multipart/form-data; boundary=b",
        "text/x",
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30).filter(lambda text: text == text.strip())


@settings(max_examples=200)
@given(content=CONTENT, content_type=TYPES)
def test_no_body_causes_a_fault(ask, content, content_type):
    answer = ask(content=content, headers={"content-type": content_type.encode("latin-1")})
    if answer.status_code == 200:
        assert {result["verdict"] for result in answer.json()["results"]} <= {"accept", "uncertain", "suspect"}
    else:
        assert answer.status_code in (413, 415, 422), answer.text
        require_failure(answer, answer.status_code, answer.json()["error"]["code"])


def test_every_code_of_an_answer_has_a_status_and_every_status_a_code():
    assert set(STATUS) == {code for code in CODES if code.startswith("WEB1")}
    for code, status in STATUS.items():
        assert CODES[code].startswith(f"{status}: ")


def caught(work) -> str:
    with pytest.raises(ConspectError) as refusal:
        work()
    assert refusal.value.diagnostics[0].fix
    return refusal.value.diagnostics[0].code


def test_what_keeps_the_service_from_starting(tmp_path, monkeypatch):
    short, spaced = tmp_path / "short", tmp_path / "spaced"
    short.write_text("secret\n")
    spaced.write_text("a token with spaces in it")
    for path in (short, spaced):
        path.chmod(0o600)
    assert {caught(lambda path=path: read_token(path)) for path in (short, spaced, tmp_path, tmp_path / "none")} == {
        "WEB002"
    }
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", ""):
        assert caught(lambda host=host: bound(host, 0, None)) == "WEB002"
    with bound("127.0.0.1", 0, None) as taken:
        taken.listen()
        assert caught(lambda: bound("127.0.0.1", taken.getsockname()[1], None)) == "WEB001"
    assert caught(lambda: bound("192.0.2.1", 0, TOKEN)) == "WEB001"
    assert caught(lambda: deployed(None, None)) == "WEB004"
    assert caught(lambda: deployed(None, tmp_path)) == "MONITOR004"
    other = LinearModel()
    other.class_names = tuple(f"other {k}" for k in range(10))
    assert caught(lambda: Deployment(monitor(), other)) == "WEB004"
    assert server.is_loopback("127.9.9.9")
    assert server.is_loopback("::1")
    monkeypatch.setattr(packages, "SERVICE", packages.Needs("serve", ("no_such_package",)))
    assert caught(lambda: monitor_serve.serve.main(["--monitor", "x"], standalone_mode=False)) == "WEB003"
    monkeypatch.undo()
    assert caught(lambda: monitor_serve.serve.main(["--queue", "5"], standalone_mode=False)) == "WEB004"


def test_a_token_file_is_read_without_its_line_end(tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "token").chmod(0o640)
    assert read_token(tmp_path / "token") == TOKEN


def test_embeddings_are_taken_as_they_are(ask):
    assert ask(json={"embeddings": embeddings()[:8].tolist()}).status_code == 200


def test_bodies_together_are_limited():
    receiver = Receiver(limited(body_bytes=10))
    receiver.held = 10 * BODIES_HELD - 3  # others are on their way

    async def take(body: bytes) -> bytes:
        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async with receiver.body(Request({"type": "http", "headers": []}, receive)) as received:
            assert receiver.held == 10 * BODIES_HELD - 3 + len(body)
            return received

    assert asyncio.run(take(b"abc")) == b"abc"
    with pytest.raises(Busy) as caught:
        asyncio.run(take(b"abcd"))
    assert caught.value.seconds >= 1
    assert receiver.held == 10 * BODIES_HELD - 3


class Wire(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = b"", False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed


@pytest.mark.parametrize("others", [0, 2])
def test_connections_are_limited(others):
    async def connect() -> Wire:
        state, wire = ServerState(), Wire()
        state.connections = {object() for _ in range(others)}  # type: ignore[misc]
        made = protocol(limited(connections=2))(uvicorn.Config(lambda: None, log_config=None), state, {})
        made.connection_made(wire)
        made.connection_lost(None)
        return wire

    wire = asyncio.run(connect())
    if others == 0:
        assert wire.written == b""
        return
    top, _, body = wire.written.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"connection: close" in top
    assert json.loads(body)["error"]["code"] == "WEB113"
