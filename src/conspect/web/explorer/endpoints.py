"""Every question that can be asked of a study, by path: the same over HTTP and from `conspect explore --ask`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar, get_args
from urllib.parse import parse_qsl, urlsplit

import msgspec

from conspect.core.diagnostics import user_error
from conspect.results import additions, compared_views, explanations, live, localization, sliders, witnesses
from conspect.results import exploration as records
from conspect.study.exploration.exploration import Exploration
from conspect.web.explorer import queries

Query = TypeVar("Query", bound=msgspec.Struct)
# How msgspec refuses a name that an enumeration has not.
_WRONG_NAME = re.compile(r"Invalid enum value '(?P<value>.*)' - at `\$\.(?P<field>\w+)`", re.DOTALL)


class Method(Enum):
    """Whether an endpoint only reads or also changes the study's notes."""

    GET = "GET"
    POST = "POST"


@dataclass(frozen=True)
class Endpoint(Generic[Query]):
    """One question: where it is asked, what it takes, what it answers. `query` is read from the address or from the body."""

    method: Method
    path: str
    summary: str
    query: type[Query]
    response: type[msgspec.Struct]
    answer: Callable[[Exploration, Query], msgspec.Struct]


STATE, IMAGES, TABLE = "/api/state", "/api/images", "/images.csv"
ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint(Method.GET, STATE, "Whether what is shown is the last word", queries.Nothing, records.CurrentState,
             lambda study, _: records.CurrentState(study.state, study.digest)),
    Endpoint(Method.GET, "/api/study", "What the study is of and what was found", queries.Nothing, records.StudyOverview,
             lambda study, _: study.overview()),
    Endpoint(Method.GET, IMAGES, "Images that pass a filter, a range of them", queries.Listing, records.ImageList,
             lambda study, asked: study.images(asked.filter(), order=asked.order, offset=asked.offset, limit=asked.limit)),
    Endpoint(Method.GET, "/api/confusion", "True classes against outputs of the images that pass a filter", queries.Filter,
             records.Confusion, lambda study, asked: study.confusion(asked.filter())),
    Endpoint(Method.GET, "/api/heatmap", "How often one concept is stronger than another, over the images that pass a filter",
             queries.Filter, records.HeatmapView, lambda study, asked: study.heatmap(asked.filter())),
    Endpoint(Method.GET, "/api/ask", "A concept or a pair in plain words", queries.Question, records.LensAnswer,
             lambda study, asked: study.ask(asked.q)),
    Endpoint(Method.GET, "/api/image", "All that is known of one image", queries.OneImage, records.ImagePage,
             lambda study, asked: study.image(asked.id)),
    Endpoint(Method.GET, "/api/explanation", "One image in concepts: minimal sets, the smallest change that helps, maps",
             queries.OneImage, explanations.ImageExplanation, lambda study, asked: study.explanation(asked.id)),
    Endpoint(Method.GET, "/api/maps", "Where on an image concepts are", queries.MapQuestion, explanations.ConceptMaps,
             lambda study, asked: study.maps(asked.id, asked.concept)),
    Endpoint(Method.POST, "/api/sliders", "An image's embedding moved along concepts", queries.SliderQuestion,
             sliders.SliderPage, lambda study, asked: study.views.sliders.page(study.annotations, asked.id, asked.shifts)),
    Endpoint(Method.GET, "/api/properties", "Properties of the last run", queries.PropertyListing, witnesses.PropertyList,
             lambda study, asked: study.views.witnesses.listed(
                 verdict=asked.verdict, text=asked.text, offset=asked.offset, limit=asked.limit)),
    Endpoint(Method.POST, "/api/witness", "What breaks a property, and how far a proof of it reaches", queries.WitnessQuestion,
             witnesses.WitnessPage, lambda study, asked: study.views.witnesses.page(
                 study.annotations, text=asked.text, name=asked.property, size=asked.size)),
    Endpoint(Method.GET, "/api/thresholds", "What the monitor's threshold guarantees and costs", queries.Nothing,
             live.ThresholdCurve, lambda study, _: study.views.watched.curve()),
    Endpoint(Method.POST, "/api/live", "A picture from outside, judged by model and monitor", queries.PictureFile,
             live.LiveVerdict, lambda study, asked: study.views.live.judge(asked.content)),
    Endpoint(Method.GET, "/api/compare", "What changed since the earlier study", queries.Nothing,
             compared_views.ComparedStudies, lambda study, _: study.views.compared.page()),
    Endpoint(Method.GET, "/api/compare/images", "Images that changed sides", queries.ChangedListing,
             compared_views.ChangedImages, lambda study, asked: study.views.compared.changed(
                 study.annotations, side=asked.side, label=asked.label, offset=asked.offset, limit=asked.limit)),
    Endpoint(Method.GET, "/api/compare/heatmap", "Heatmaps of a class before and after, cell by cell", queries.OneClass,
             compared_views.HeatmapDifference, lambda study, asked: study.views.compared.heatmap(asked.label)),
    Endpoint(Method.GET, "/api/compare/swap", "Which part of the model broke since: heads and encoders exchanged",
             queries.Nothing, localization.SwapTest, lambda study, _: study.views.compared.swap()),
    Endpoint(Method.GET, "/api/suspects", "Suspect labels, most suspect first", queries.Page, records.SuspectQueue,
             lambda study, asked: study.suspects(offset=asked.offset, limit=asked.limit)),
    Endpoint(Method.POST, "/api/decide", "Keep, relabel or drop an image", records.LabelDecision, records.Recount,
             lambda study, asked: study.decide(asked)),
    Endpoint(Method.POST, "/api/undecide", "Forget a decision", queries.OneImage, records.Recount,
             lambda study, asked: study.undecide(asked.id)),
    Endpoint(Method.POST, "/api/tag", "Tag images", queries.TagChange, records.Done,
             lambda study, asked: study.tag(asked.ids, asked.tag, remove=asked.remove)),
    Endpoint(Method.POST, "/api/show", "Files of images, shown in the file manager", queries.SeveralImages, records.ShownFiles,
             lambda study, asked: study.show(asked.ids)),
    Endpoint(Method.POST, "/api/concepts/add", "Words made concepts of the study: the lines, or their writing",
             queries.NewConcepts, additions.ConceptAddition,
             lambda study, asked: study.add_concepts(asked.words, asked.shares, write=asked.write)),
    Endpoint(Method.POST, "/api/specification/check", "What is wrong with a specification, and what it says in English",
             queries.SpecificationText, records.CheckedText, lambda study, asked: study.proving.check(asked.text)),
    Endpoint(Method.POST, "/api/specification/verify", "A verdict for each property of a specification",
             queries.SpecificationText, records.Verdicts, lambda study, asked: study.proving.verify(asked.text)),
)  # fmt: skip


def endpoint_at(method: str, path: str) -> Endpoint[Any]:
    """The endpoint that answers `path`. Raises UserError EXPLORE005 where there is none, or not for this method."""
    known = [endpoint for endpoint in ENDPOINTS if endpoint.path == path]
    if not known:
        paths = ", ".join(endpoint.path for endpoint in ENDPOINTS)
        raise user_error("EXPLORE005", f"nothing is asked at {path[:100]!r}", f"ask at one of: {paths}")
    for endpoint in known:
        if endpoint.method.value == method:
            return endpoint
    raise user_error("EXPLORE005", f"{path} is not asked by {method[:20]}", f"ask by {known[0].method.value}")


def read_query(endpoint: Endpoint[Query], text: str, path: str | None = None) -> Query:
    """The question in the query string of an address, at `path` where not at the endpoint's own.

    Raises UserError EXPLORE002 naming the value that is wrong.
    """
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=False, max_num_fields=50)
    values = {key: value for key, value in pairs if value != ""}
    if len(values) != len([pair for pair in pairs if pair[1] != ""]):
        raise user_error("EXPLORE002", "a value is given twice", "give each once")
    try:
        return msgspec.convert(values, endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(endpoint, error, path) from error


def read_body(endpoint: Endpoint[Query], body: bytes) -> Query:
    """The question in a body: JSON, or an image file as it is. Raises UserError EXPLORE002 naming the value that is wrong."""
    if endpoint.query is queries.PictureFile:
        return endpoint.query(body)
    try:
        return msgspec.json.decode(body, type=endpoint.query)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refused(endpoint, error) from error


def answered(study: Exploration, address: str, body: bytes | None = None) -> bytes:
    """The JSON answer to "/api/images?label=truck": what the page gets.

    `body`: of a POST. Raises UserError EXPLORE001 to EXPLORE011, and what the question itself raises.
    """
    parts = urlsplit(address)
    endpoint = endpoint_at((Method.GET if body is None else Method.POST).value, parts.path)
    query = read_query(endpoint, parts.query) if body is None else read_body(endpoint, body)
    return msgspec.json.encode(endpoint.answer(study, query))


def table(study: Exploration, text: str) -> str:
    """All images that pass the filter in an address's query string, as CSV. Raises as `answered` does."""
    asked = read_query(endpoint_at(Method.GET.value, IMAGES), text, TABLE)
    return study.csv(asked.filter(), asked.order)


def _refused(endpoint: Endpoint[Any], error: Exception, path: str | None = None) -> Exception:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(endpoint.query)}
    unknown = _WRONG_NAME.fullmatch(str(error))
    if unknown is not None and unknown["field"] in fields:
        type_of_field = fields[unknown["field"]]
        names: list[str] = []
        for kind in (type_of_field, *get_args(type_of_field)):
            names += [str(member.value) for member in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []
        problem = f"{unknown['field']} cannot be {unknown['value'][:100]!r}"
        return user_error("EXPLORE002", problem, f"it is one of: {', '.join(names)}")
    takes = ", ".join(fields) or "nothing"
    return user_error("EXPLORE002", f"{path or endpoint.path}: {str(error)[:300]}", f"it takes: {takes}")
