"""From the bytes of a body to its inputs, by its content type."""

from __future__ import annotations

from python_multipart.multipart import parse_options_header

from conspect.core.diagnostics import user_error
from conspect.web.bodies.body import FORMS, JSON, MULTIPART, SAFETENSORS, Body, InputShapes, refuse, refuse_number
from conspect.web.bodies.json_rows import rows_of_json
from conspect.web.bodies.parts import files_of_parts
from conspect.web.bodies.safetensors_arrays import arrays_of_safetensors
from conspect.web.limits import Limits


def parse(media_type: str, body: bytes, limits: Limits, shapes: InputShapes) -> Body:
    """The inputs of a request; takes at most `limits.MEMORY_MULTIPLE` times the body limit. Raises UserError WEB106 to WEB110."""
    kind, options = parse_options_header(media_type.encode("latin-1", "replace"))
    kind = kind.lower()
    if kind == JSON.encode():
        read = rows_of_json(body, limits, shapes)
    elif kind == SAFETENSORS.encode():
        read = arrays_of_safetensors(body, limits, shapes)
    elif kind == MULTIPART.encode():
        read = Body(images=files_of_parts(body, options.get(b"boundary", b""), limits))
    elif kind.startswith(b"image/"):
        read = Body(images=(body,))
    else:
        raise user_error("WEB108", f"the content type {media_type[:100]!r} is not served", f"send {FORMS}")
    if not len(read):
        refuse("there is no input in it")
    if len(read) > limits.inputs:
        refuse_number(limits.inputs)
    if read.embeddings is not None and read.logits is not None and len(read.logits) != len(read.embeddings):
        refuse(f"there are {len(read.embeddings)} embeddings and {len(read.logits)} logits")
    return read
