"""Questions to the user: what is sent to a language model, and which of its words are taken."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from conspect.cli.progress import terminal_bar
from conspect.core.diagnostics import outside_error, user_error
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:
    from conspect.adapters.ontologies.answered_words import LeftOut

WORDS, LINES_SHOWN, LONGEST_LINE = 100, 12, 60


@dataclass(frozen=True)
class Endpoint:
    """A language model that the user names; `key` is sent with the request and shown nowhere."""

    url: str
    model: str
    key_variable: str | None
    key: str | None
    seconds: float

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, {self.model!r}, {self.key_variable!r})"


def endpoint_of(url: str | None, model: str | None, key_variable: str | None, seconds: float) -> Endpoint | None:
    """What --endpoint and its options name, None without them.

    Raises UserError CLI004 for an address or a key that cannot be used; UsageError when one option lacks the other.
    """
    from conspect.adapters.ontologies.endpoint import key_in, word_request

    if url is None or model is None:
        if url is not None or model is not None or key_variable is not None:
            raise click.UsageError("--endpoint, --model and, where there is a key, --key-variable go together")
        return None
    word_request(url, model, (), WORDS)  # the address is judged before anything else is done
    return Endpoint(url, model, key_variable, None if key_variable is None else key_in(key_variable), seconds)


def agreed(question: str, otherwise: str, *, default: bool = False) -> bool:
    """The user's answer, yes or no. Raises UserError CLI005, with `otherwise`, when the input ends; Ctrl-C passes."""
    try:
        return click.confirm(question, default=default, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):  # click turns both into the same
            raise
        click.echo(err=True)
        raise user_error("CLI005", f"nobody answered; {otherwise}", "answer y or n") from None


def agreed_words(asked: Endpoint, class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Words of a language model, after the user has seen the request, and again after the user has seen the words.

    Raises UserError CLI005 when the user does not agree to the request or to any word; OutsideError MODEL008.
    """
    from conspect.adapters.ontologies.endpoint import asked_words, word_request

    request = word_request(asked.url, asked.model, class_names, WORDS)
    notes = [] if request.proxy is None else [f"by way of the proxy {request.proxy}"]
    if asked.key is not None:
        open_line = ", which travels unencrypted" if request.is_open else ""
        notes.append(f"with the key in {asked.key_variable}{open_line}")
    click.echo(f"this would be sent to {', '.join([request.url, *notes])}:\n{request.body}", err=True)
    nothing = "nothing was sent"
    if not agreed("send it?", nothing):
        fix = "answer y, or take --words, --ontology or the built-in vocabulary"
        raise user_error("CLI005", f"you did not agree; {nothing}", fix)
    click.echo(f"waiting for {request.url}, at most {asked.seconds:g} seconds", err=True)
    answer = asked_words(request, asked.key, seconds=asked.seconds, bar=terminal_bar)
    _tell_left_out(answer.left_out)
    if not answer.words:
        fix = "ask another model, or take --words, --ontology or the built-in vocabulary"
        raise outside_error("MODEL008", "the answer holds no word or phrase", fix)
    otherwise = "the request was sent, and no word was taken"
    kept = tuple(word for word in answer.words if agreed(f"take {word!r}?", otherwise, default=True))
    if not kept:
        raise user_error("CLI005", otherwise, "take at least one, or use the built-in vocabulary")
    return kept


def _tell_left_out(lines: tuple[LeftOut, ...]) -> None:
    if not lines:
        return
    click.echo(f"lines of the answer that are no words or phrases, and were left out: {len(lines):,}", err=True)
    for left_out in itertools.islice(lines, LINES_SHOWN):
        shown = left_out.line[:LONGEST_LINE] + (" ..." if len(left_out.line) > LONGEST_LINE else "")
        click.echo(on_one_line(f"  {shown} ({left_out.why.value})"), err=True)
    if len(lines) > LINES_SHOWN:
        click.echo(f"  and {len(lines) - LINES_SHOWN:,} more", err=True)
