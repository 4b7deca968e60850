"""Candidate concepts from a language model behind an OpenAI-compatible endpoint that the user names. Nothing is sent unasked."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from conspect.adapters.ontologies.wordlists import LONGEST, distinct
from conspect.core.diagnostics import OutsideError, outside_error, user_error

TIMEOUT_SECONDS, LARGEST_ANSWER = 120, 1 << 20


@dataclass(frozen=True)
class WordRequest:
    """What would be sent, and where: `url` and `body` are shown to the user before anything is."""

    url: str
    body: str


def word_request(endpoint: str, model: str, class_names: Sequence[str], number: int) -> WordRequest:
    """A request for `number` visual attributes of the classes; only their names are in it.

    `endpoint`: the address up to and with its version, such as http://localhost:8000/v1. Raises UserError STUDY002 for another
    kind of address.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        fix = "give http(s)://host/v1, a key in an environment variable"
        raise user_error("STUDY002", f"{endpoint[:80]!r} is no address of an endpoint", fix)
    question = (
        f"List {number} short English words or phrases for visible attributes (parts, colors, textures, surroundings) that "
        f"help to tell photographs of these classes apart: {', '.join(class_names)}. One a line, no class names, nothing else."
    )
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": question}], "temperature": 0})
    return WordRequest(f"{endpoint.rstrip('/')}/chat/completions", body)


def asked_words(request: WordRequest, key: str | None) -> tuple[str, ...]:
    """Sends the request and reads the words of the answer, one a line, marks and numbers of lists taken off.

    Raises OutsideError MODEL006 when the endpoint cannot be reached or answers something else.
    """
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})
    # The scheme was checked when the request was made.
    sent = urllib.request.Request(request.url, request.body.encode(), headers)
    try:
        with urllib.request.urlopen(sent, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read(LARGEST_ANSWER + 1)
        if len(content) > LARGEST_ANSWER:
            raise ValueError("the answer is too long")
        said = json.loads(content)["choices"][0]["message"]["content"]
        if not isinstance(said, str):
            raise ValueError("the answer holds no text")
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise _no_answer(request.url, error) from error
    lines = [re.sub(r"^\s*(?:[-*•]|\d+[.)])\s*", "", line).strip(" .\"'`") for line in said.splitlines()]
    return distinct(line for line in lines if len(line) <= LONGEST and line.isprintable())


def _no_answer(url: str, error: Exception) -> OutsideError:
    why = (str(error) or type(error).__name__).splitlines()[0]
    return outside_error("MODEL006", f"{url} gives no words: {why}", "check the address, the model's name and the key")
