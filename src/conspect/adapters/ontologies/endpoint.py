"""Candidate concepts from a language model behind an OpenAI-compatible endpoint that the user names. Nothing is sent unasked.

What comes back is hostile until read: every answer, whatever it is, becomes words or one diagnostic.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from conspect.adapters.ontologies.answered_words import AnsweredWords, answered_words
from conspect.adapters.ontologies.posting import NoAnswer, Sending, is_loopback, post, proxy_of
from conspect.core.diagnostics import OutsideError, outside_error, user_error
from conspect.core.protocols import ProgressBar, silent

WAIT_SECONDS, LONGEST_REASON = 120.0, 300
PATH = "/chat/completions"
EXAMPLE = "give http(s)://host/v1, and a key in an environment variable (--key-variable)"
# A variable's name that may be printed: whoever gives the key itself in its place does not find it on the screen.
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,60}")


@dataclass(frozen=True)
class WordRequest:
    """What would be sent, and where: `url`, `body`, and the proxy that would carry it, are shown before anything is sent."""

    url: str
    body: str
    number: int

    @property
    def proxy(self) -> str | None:
        """The proxy that the environment sets for this address."""
        return proxy_of(self.url)

    @property
    def is_open(self) -> bool:
        """Whether it leaves this machine unencrypted."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def word_request(endpoint: str, model: str, class_names: Sequence[str], number: int) -> WordRequest:
    """A request for `number` visual attributes of the classes; only their names are in it.

    `endpoint`: the address up to and with its version, such as http://localhost:8000/v1. Raises UserError CLI004 for another
    kind of address, and for one with a name, a password, a query or a fragment, which are not printed again.
    """
    question = (
        f"List {number} short English words or phrases for visible attributes (parts, colors, textures, surroundings) that "
        f"help to tell photographs of these classes apart: {', '.join(class_names)}. One a line, no class names, nothing else."
    )
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": question}], "temperature": 0})
    return WordRequest(_address(endpoint), body, number)


def _address(endpoint: str) -> str:
    for sign, what in (("@", "a user's name"), ("?", "a query"), ("#", "a fragment")):
        if sign in endpoint:
            raise user_error("CLI004", f"the address of --endpoint holds {what} ({sign})", EXAMPLE)
    wrong = user_error("CLI004", f"--endpoint: {endpoint[:80]!r} is no address of an endpoint", EXAMPLE)
    if not endpoint.isascii() or any(sign.isspace() or not sign.isprintable() for sign in endpoint):
        raise wrong
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that are not closed, a port that is no number or too large
        raise wrong from None
    if not usable:
        raise wrong
    return f"{endpoint.rstrip('/').removesuffix(PATH)}{PATH}"


def key_in(variable: str) -> str:
    """The key in an environment variable, without spaces and line ends around it.

    Raises UserError CLI004 when it is not set, empty, or holds what no header may carry. The key is never part of the text.
    """
    name = variable if _NAME.fullmatch(variable) else "that --key-variable names"
    key = os.environ.get(variable, "").strip()
    if not key:
        problem, fix = f"the environment variable {name} is not set, or is empty", "set it, or leave --key-variable out"
        raise user_error("CLI004", problem, fix)
    if not all("!" <= sign <= "~" for sign in key):
        problem = f"the key in the environment variable {name} holds a space, a line end or a character beyond ASCII"
        raise user_error("CLI004", problem, "set the variable to the key alone")
    return key


def asked_words(
    request: WordRequest, key: str | None, *, seconds: float = WAIT_SECONDS, bar: ProgressBar = silent
) -> AnsweredWords:
    """Sends the request and reads the words of the answer, twice as many as asked for at most.

    Raises OutsideError MODEL008 when no answer comes within `seconds` in all, when the endpoint sends on to another, and for
    an answer that is not as OpenAI's chat completions are.
    """
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})
    try:
        content = post(Sending(request.url, request.body.encode(), headers, seconds), bar)
        reply = json.loads(content)["choices"][0]["message"]["content"]
        if not isinstance(reply, str):
            raise NoAnswer("the answer holds no text")
    except NoAnswer as error:
        raise _no_words(request.url, str(error), key) from None
    except RecursionError:
        raise _no_words(request.url, "the answer is JSON nested too deeply", key) from None
    except ValueError:
        raise _no_words(request.url, "the answer is not JSON", key) from None
    except (LookupError, TypeError):
        raise _no_words(request.url, "the answer has no choices[0].message.content", key) from None
    return answered_words(reply, most=2 * request.number, key=key)


def _no_words(url: str, why: str, key: str | None) -> OutsideError:
    """`why` may hold what the server said, and the server knows the key."""
    without_key = why if key is None else why.replace(key, "(the key)")
    first = f"{without_key[:LONGEST_REASON]} ..." if len(without_key) > LONGEST_REASON else without_key
    return outside_error(
        "MODEL008", f"{url} gives no words: {first}", "check the address, the model's name and the key"
    )
