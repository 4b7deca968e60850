"""JSON with rows of numbers. What it must hold is known, so that anything else ends the parsing where it stands."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.web.bodies.body import SAFETENSORS, Body, InputShapes, refuse, refuse_number, require_finite
from conspect.web.limits import Limits


class _Fields(msgspec.Struct, forbid_unknown_fields=True):
    """Both values as they stand in the text: nothing is made of them before their extent has been judged."""

    embeddings: msgspec.Raw
    logits: msgspec.Raw = msgspec.Raw()


_FIELDS = msgspec.json.Decoder(_Fields)
_ONE_ROW, _ROWS = msgspec.json.Decoder(list[float]), msgspec.json.Decoder(list[list[float]])


def rows_of_json(body: bytes, limits: Limits, shapes: InputShapes) -> Body:
    """`{"embeddings": [[...]], "logits": [[...]]}`, logits optional. Raises UserError WEB106, WEB107, WEB109."""
    if len(body) > limits.json_bytes:
        problem = f"JSON of {len(body)} bytes; at most {limits.json_bytes} are parsed"
        raise user_error("WEB106", problem, f"send fewer inputs at once, or {SAFETENSORS}")
    try:
        fields = _FIELDS.decode(body)
        given = {name: bytes(getattr(fields, name)) for name in shapes.widths()}
        # All else are numbers, so quotes stand around names alone; of a name given twice msgspec takes the last.
        if body.count(b'"') > 2 * sum(map(bool, given.values())) and not any(b'"' in text for text in given.values()):
            refuse("a name stands in it twice")
        arrays = {name: _array(name, text, limits.inputs, shapes) for name, text in given.items() if text}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        refuse(f'it is not {{"embeddings": [[...]], "logits": [[...]]}} with numbers: {error}')
    return Body(embeddings=arrays["embeddings"], logits=arrays.get("logits"))


def _array(name: str, text: bytes, inputs: int, shapes: InputShapes) -> NDArray[np.float32]:
    """Rows `[input, width]` of one field."""
    width = shapes.widths()[name]
    # A row is one bracket and its numbers stand between commas, so these two counts bound what parsing allocates.
    if text.count(b"[") > inputs + 1:
        refuse_number(inputs)
    if text.count(b",") > (inputs + 1) * width:
        refuse(f"{name} hold more numbers than {inputs} rows of {width}")
    nested = text[1:].lstrip().startswith(b"[")
    rows = _ROWS.decode(text) if nested else [_ONE_ROW.decode(text)]
    if len(rows) > inputs:
        refuse_number(inputs)
    array = np.empty((len(rows), width), dtype=np.float32)
    with np.errstate(over="ignore"):
        for number, row in enumerate(rows):
            if len(row) != width:
                refuse(f"{name}, row {number} (the first is 0), has {len(row)} numbers; send {shapes}")
            array[number] = row
    require_finite(name, array)
    return array
