"""From a request's body to inputs. Declared sizes are judged before anything is allocated for them. Never a pickle."""

from conspect.web.bodies.body import JSON, MULTIPART, SAFETENSORS, Body, InputShapes
from conspect.web.bodies.parse import parse

__all__ = ["JSON", "MULTIPART", "SAFETENSORS", "Body", "InputShapes", "parse"]
