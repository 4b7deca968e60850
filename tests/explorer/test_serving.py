"""Over HTTP: who may ask, what the page is allowed to do, and that `--ask` prints what the page gets."""

import json

import msgspec
import pytest
from starlette.testclient import TestClient

from conspect.study.exploration.current import Current
from conspect.study.exploration.opening import OpenedStudy, opened
from conspect.web.explorer import app
from conspect.web.explorer.app import application
from conspect.web.explorer.endpoints import ENDPOINTS, Method, answered
from conspect.web.explorer.openapi import openapi

TOKEN, HOST = "a-token-of-a-test", "127.0.0.1:4321"
QUESTIONS = {
    "/api/study": "",
    "/api/images": "?label=green&set=wrong",
    "/api/confusion": "?least=0.5",
    "/api/heatmap": "?label=red",
    "/api/ask": "?q=reddish+%3E+bluish",
    "/api/suspects": "",
    "/api/state": "",
    "/api/properties": "?verdict=holds",
    "/api/explanation": "?id=green%2Fhead-045.png",
    "/api/maps": "?id=green%2Fhead-045.png",
}
# What needs a monitor or a second study is asked in the tests of those.
ELSEWHERE = {
    "/api/image",
    "/api/thresholds",
    "/api/compare",
    "/api/compare/images",
    "/api/compare/heatmap",
    "/api/compare/swap",
}


@pytest.fixture
def client(study: OpenedStudy, monkeypatch: pytest.MonkeyPatch, tmp_path) -> TestClient:
    built = tmp_path / "bundle"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<html><head></head><body>the page</body></html>")
    (built / "assets" / "index-1.js").write_text("1")
    monkeypatch.setattr(app, "bundle", lambda: built)
    current = Current(study.folder, lambda: opened(study.folder), study)
    asgi = application(current, token=TOKEN, hosts=frozenset({HOST}), version="0")
    return TestClient(asgi, base_url=f"http://{HOST}", follow_redirects=False)


def enter(client: TestClient) -> TestClient:
    answer = client.get(f"/?token={TOKEN}&view=images")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?view=images")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    client.cookies.set(app.COOKIE, TOKEN)
    return client


def test_nothing_is_answered_without_the_token(client: TestClient) -> None:
    paths = ["/", "/assets/index-1.js", "/picture/0", "/images.csv", "/openapi.json", *QUESTIONS]
    assert [client.get(path).status_code for path in paths] == [403] * len(paths)
    assert client.get("/?token=" + TOKEN[:-1]).status_code == 403


def test_the_token_leaves_the_address_and_the_page_allows_no_script_but_its_own(client: TestClient) -> None:
    page = enter(client).get("/")
    policy = page.headers["content-security-policy"]
    assert page.status_code == 200
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'content="{nonce}"' in page.text
    assert client.get("/").headers["content-security-policy"] != policy


def test_a_page_of_another_name_or_another_site_is_refused(client: TestClient) -> None:
    enter(client)
    assert client.get("/api/study", headers={"host": "evil.example"}).status_code == 403
    body = {"ids": [], "tag": "x"}
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/api/tag", json=body, headers=headers).status_code == 403
    own = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    assert client.post("/api/tag", json=body, headers=own).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/show", {"ids": ["red/right-000.png"]}), ("/api/concepts/add", {"words": ["striped"], "write": True})],
)
def test_what_starts_a_program_or_writes_a_file_is_done_for_the_own_page_alone(
    client: TestClient, study: OpenedStudy, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, object]
) -> None:
    started: list[object] = []
    monkeypatch.setattr("conspect.study.exploration.folders._started", lambda command, **_: started.append(command))
    before = {file.name: file.read_bytes() for file in study.folder.iterdir() if file.is_file()}
    assert client.post(path, json=body).status_code == 403
    enter(client)
    for headers in (
        {"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"}, {"host": "evil.example"},
    ):  # fmt: skip
        assert client.post(path, json=body, headers=headers).status_code == 403
    assert client.get(path, params={"ids": "red/right-000.png"}).status_code == 404
    assert client.post(path, content=b"ids=1", headers={"origin": f"http://{HOST}"}).status_code == 400
    assert started == []
    assert {file.name: file.read_bytes() for file in study.folder.iterdir() if file.is_file()} == before


def test_the_page_shows_an_image_and_adds_a_concept(client: TestClient, study: OpenedStudy) -> None:
    enter(client)
    name = study.exploration.index.ids[0]
    shown = client.post("/api/show", json={"ids": [name]}).json()
    assert shown["paths"] == [str((study.folder / "images" / "test" / name).absolute())]
    assert shown["shown"] or shown["why_not"]
    asked = {"words": ["striped"], "shares": {"striped": dict.fromkeys(("red", "green", "blue", "yellow"), 0.5)}}
    draft = client.post("/api/concepts/add", json=asked).json()
    written = client.post("/api/concepts/add", json={**asked, "write": True}).json()
    assert (draft["written"], written["written"], draft["files"]) == (False, True, written["files"])
    assert 'striped = ["striped"]' in (study.folder / "concepts.toml").read_text()
    assert client.post("/api/concepts/add", json=asked).json()["diagnostics"][0]["code"] == "STUDY009"


def test_only_files_of_the_bundle_can_be_read(client: TestClient) -> None:
    enter(client)
    assert client.get("/assets/index-1.js").status_code == 200
    for path in ("/assets/..%2findex.html", "/assets/%2e%2e/index.html", "/assets/../../study.toml", "/study.toml"):
        assert client.get(path).status_code in (400, 404)


@pytest.mark.parametrize("path", QUESTIONS)
def test_the_page_gets_what_the_command_line_prints(client: TestClient, study: OpenedStudy, path: str) -> None:
    answer = enter(client).get(path + QUESTIONS[path])
    assert answer.status_code == 200
    assert answer.content == answered(study.exploration, path + QUESTIONS[path])
    endpoint = next(entry for entry in ENDPOINTS if entry.path == path)
    msgspec.json.decode(answer.content, type=endpoint.response)


def test_the_questions_of_the_test_are_all_that_can_be_asked_of_this_study() -> None:
    plain = {entry.path for entry in ENDPOINTS if entry.method is Method.GET} - ELSEWHERE
    assert plain == set(QUESTIONS)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/images?limit=501", 400), ("/api/images?colour=red", 400), ("/api/images?label=red&label=blue", 400),
        ("/api/images?set=maybe", 400), ("/api/images?least=2", 400), ("/api/ask", 400), ("/api/ask?q=%00", 400),
        ("/api/image?id=none", 404), ("/api/nothing", 404), ("/picture/99999", 404), ("/picture/0?side=7", 400),
        ("/picture/0?side=x", 400), ("/api/images?slice=camera", 400), ("/api/tag", 404),
    ],
)  # fmt: skip
def test_a_wrong_question_is_refused_with_a_remedy(client: TestClient, path: str, status: int) -> None:
    answer = enter(client).get(path)
    assert answer.status_code == status
    assert all(entry["code"].startswith("EXPLORE") and entry["fix"] for entry in answer.json()["diagnostics"])


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[" * 100_000, b'{"ids":1,"tag":"x"}', b'{"ids":["x"],"tag":1}', b"x" * (2 * 2**20 + 1)]
)
def test_a_body_that_is_no_question_is_refused(client: TestClient, body: bytes) -> None:
    assert enter(client).post("/api/tag", content=body).status_code == 400


def test_pictures_are_the_images_and_small_ones_come_from_one_file(client: TestClient, study: OpenedStudy) -> None:
    enter(client)
    first = client.get("/picture/0?side=48")
    assert first.content.startswith(b"\x89PNG")
    assert (study.folder / "thumbnails.sqlite").is_file()
    assert client.get("/picture/0?side=48").content == first.content
    assert client.get("/picture/0").content.startswith(b"\x89PNG")


def test_a_text_is_checked_while_it_is_typed_and_verified_as_on_the_command_line(client: TestClient) -> None:
    enter(client)
    wrong = client.post(
        "/api/specification/check", json={"text": "property p:\n  for all x in focus(red): reddish > blush\n"}
    )
    problem = wrong.json()["problems"][0]
    assert (problem["line"], problem["warning"]) == (2, False)
    assert "bluish" in problem["fix"]
    text = "property p:\n    for all x in focus(red, gamma = 0.1):\n        predict(x, red) implies reddish > bluish\n"
    assert client.post("/api/specification/check", json={"text": text}).json()["explanations"][0]["name"] == "p"
    verdict = client.post("/api/specification/verify", json={"text": text}).json()["properties"][0]
    assert verdict["verdict"] in ("holds", "violated", "unknown")
    assert verdict["id"] == "p"
    assert client.post("/api/specification/verify", json={"text": "nonsense"}).status_code == 400


def test_every_endpoint_is_in_the_openapi_document() -> None:
    document = json.loads(json.dumps(openapi("0")))
    assert set(document["paths"]) == {entry.path for entry in ENDPOINTS}
