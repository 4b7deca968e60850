"""What a property claims, in plain English: the claim itself, its region, its quantifier, and what it does not say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from conspect.core.terminal import on_one_line
from conspect.language.meaning.expansion import expand, nodes
from conspect.language.syntax.tree import (
    ORDINARY,
    And,
    Chain,
    ConceptDeclaration,
    Each,
    Focus,
    ForAll,
    ForImage,
    ForImageNear,
    Formula,
    ForShare,
    ForShareNear,
    HasAll,
    HasConcept,
    Iff,
    Images,
    Implies,
    Module,
    Near,
    Not,
    Or,
    Predict,
    Property,
    Specification,
    Stronger,
)

_SHAPES = {
    None: "whose shape is chosen when the property is verified (a box, unless told otherwise)",
    "box": "a box with a side for each dimension of the embedding",
    "ellipsoid": "an ellipsoid that follows how the embeddings of the class vary together",
    "pca-box": "a box along the principal axes of the class's embeddings",
    "span": "inside when the numbers that the property reads lie in an ellipsoid around their mean",
    "band": "inside when each pair of the numbers that the property reads differs by no less than it usually does",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One property in plain English."""

    name: str
    line: int | None
    claim: str
    quantifier: str
    region: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.name} (line {self.line})" if self.line else self.name
        rows = [head, f"  claims: {self.claim}", f"  how often: {self.quantifier}", f"  where: {self.region}"]
        return "\n".join(map(on_one_line, [*rows, *(f"  note: {note}" for note in self.notes)]))


def explain(specification: Specification) -> tuple[Explanation, ...]:
    """Each property of a specification, in source order; those of a module as `module.name`."""
    phrases = {i.name: i.phrases for i in specification.items if isinstance(i, ConceptDeclaration) and i.phrases}
    explanations: list[Explanation] = []
    for item in specification.items:
        if isinstance(item, Property):
            explanations.append(explain_property(item, phrases))
        elif isinstance(item, Module):
            explanations += [explain_property(part, phrases, item) for part in item.properties]
    return tuple(explanations)


def explain_property(
    item: Property, phrases: dict[str, tuple[str, ...]] | None = None, module: Module | None = None
) -> Explanation:
    """One property; `phrases` tells the phrases a concept is read by, `module` the module it stands in."""
    quantifier, region = _quantifier(item, module)
    name = f"{module.name}.{item.name}" if module else item.name
    claim = phrase(item.formula)
    line = item.span.line if item.span else None
    return Explanation(name, line, claim[0].upper() + claim[1:] + ".", quantifier, region, _notes(item, phrases or {}))


def _quantifier(item: Property, module: Module | None) -> tuple[str, str]:
    if module is not None:
        region = f"{_region(Focus(module.class_name))} The module speaks of the network '{module.network}', "
        return _EVERY, f"{region}read through the representation '{module.rep}'."
    match item.quantifier:
        case ForAll(region_):
            return _EVERY, _region(region_)
        case ForShare(share, over):
            percent = _percent(share)
            how = (
                f"for at least {percent} of all images like these; an exact binomial test on the images at hand "
                "decides, so too few images give 'unknown'."
            )
            return how, _images(over)
        case ForImage(image_id):
            return "for this one image; it is evaluated, there is nothing to prove.", f"the image '{image_id}'."
        case ForShareNear() | ForImageNear():
            return _around(item.quantifier)
        case _:
            how = "not said: the formula is bare, and whoever verifies it chooses a region or a data set."
            return how, "not said."


def _around(quantifier: ForShareNear | ForImageNear) -> tuple[str, str]:
    where = _neighbourhood(quantifier.near)
    if isinstance(quantifier, ForImageNear):
        how = "without exception: for every point of the neighbourhood of this one image."
        return how, f"the image '{quantifier.image_id}'. {where}"
    how = (
        f"for at least {_percent(quantifier.share)} of all images like these, without exception in the whole neighbourhood "
        "of each; an exact binomial test on the images with a proof, or with a counterexample, decides."
    )
    return how, f"{_images(quantifier.images)} {where}"


_EVERY = "without exception: for every point of the region, also for points that no real image has."


def _region(region: Focus) -> str:
    parts = [f"embeddings around the mean of class '{region.class_name}', {_SHAPES[region.shape]}"]
    if region.gamma is not None:
        parts.append(f"reaching {_decimal(region.gamma)} standard deviations to each side")
    elif region.coverage is not None:
        parts.append(f"as small as covers {_percent(region.coverage)} of the held-out images of the class")
    else:
        parts.append("as large as is chosen when the property is verified")
    if region.cut:
        parts.append(f"cut down to the points that the model assigns to '{region.class_name}'")
    end = "It is a set of embeddings, not of images: read the verdict together with the coverage printed beside it."
    return f"{', '.join(parts)}. {end}"


def _neighbourhood(near: Near) -> str:
    which = "the ordinary changes that the study names" if near.changes == ORDINARY else f"the change '{near.changes}'"
    return (
        f"A neighbourhood holds the image and {_percent(near.share)} of the pictures that {which} make of an image (a new "
        "one, on average); it is an ellipsoid of embeddings, so also points that no picture has."
    )


def _images(over: Images) -> str:
    of = f"the images of class '{over.class_name}'" if over.class_name else "the images of all classes"
    split = f" in the split '{over.split}'" if over.split else ", held out from calibration"
    return f"{of}{split}."


def _notes(item: Property, phrases: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    parts = nodes(expand(item.formula))
    notes: list[str] = []
    if any(isinstance(node, Stronger) for node in parts):
        notes.append("'stronger' compares how close two concepts are to the input; at a tie neither is stronger.")
    if any(isinstance(node, HasConcept) for node in parts):
        notes.append("'present' means stronger than the concept's threshold, which is calibrated on held-out images.")
    if any(isinstance(node, Predict) for node in parts):
        notes.append("'assigns' means the highest logit, alone; where two classes share the top, none is assigned.")
    if any(isinstance(node, Predict) and node.lead for node in parts):
        notes.append("a lead is the highest logit minus the next one.")
    if isinstance(item.formula, Implies):
        notes.append("where the condition after 'if' fails, nothing is claimed.")
    names = dict.fromkeys(
        name
        for node in parts
        for name in ((node.left, node.right) if isinstance(node, Stronger) else _present(node))
        if name in phrases
    )
    for name in names:
        notes.append(f"'{name}' is read as: {'; '.join(phrases[name])}.")
    return tuple(notes)


def _present(node: Formula) -> tuple[str, ...]:
    return (node.concept,) if isinstance(node, HasConcept) else ()


def phrase(formula: Formula) -> str:  # noqa: PLR0911 (one return for each kind of node)
    """A formula as an English clause."""
    match formula:
        case Predict(class_name, lead):
            return f"the model assigns '{class_name}'{_lead(lead)}"
        case Stronger(left, right):
            return f"'{left}' is stronger than '{right}'"
        case HasConcept(concept):
            return f"'{concept}' is present"
        case HasAll(concepts):
            return f"{_and([repr_name(name) for name in concepts])} are present"
        case Chain(concepts):
            return ", which is stronger than ".join(
                [f"'{concepts[0]}' is stronger than '{concepts[1]}'", *(f"'{name}'" for name in concepts[2:])]
            )
        case Each(left_names, right_names):
            left_side = _side(left_names)
            return f"{left_side} is stronger than {_side(right_names)}"
        case Not(operand):
            return _denied(operand)
        case And(operands):
            return _join("and", [_inside(part) for part in operands])
        case Or(operands):
            return _join("or", [_inside(part) for part in operands])
        case Implies(left_formula, right_formula):
            return f"if {_inside(left_formula)}, then {_inside(right_formula)}"
        case Iff(left_formula, right_formula):
            return f"{_inside(left_formula)} exactly when {_inside(right_formula)}"


def _lead(lead: Fraction) -> str:
    return f" by a lead of {float(lead):g} or more" if lead else ""


def _side(names: tuple[str, ...]) -> str:
    return repr_name(names[0]) if len(names) == 1 else f"each of {_and([repr_name(name) for name in names])}"


def _denied(formula: Formula) -> str:
    match formula:
        case Predict(class_name, lead):
            return f"the model does not assign '{class_name}'{_lead(lead)}"
        case Stronger(left, right):
            return f"'{left}' is not stronger than '{right}'"
        case HasConcept(concept):
            return f"'{concept}' is not present"
        case _:
            return f"it is not so that {_inside(formula)}"


def _inside(formula: Formula) -> str:
    """A clause that stands inside another; in brackets when it is made of clauses itself."""
    text = phrase(formula)
    return f"({text})" if isinstance(formula, (And, Or, Implies, Iff)) else text


def _join(word: str, clauses: list[str]) -> str:
    """Two clauses with 'and' or 'or' between; 'either' is not used, because more than one may hold."""
    if not clauses:
        return "nothing is excluded" if word == "and" else "nothing is allowed"
    return f"{', '.join(clauses[:-1])}, {word} {clauses[-1]}" if len(clauses) > 1 else clauses[0]


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def repr_name(name: str) -> str:
    """A name in single quotes."""
    return f"'{name}'"


def _percent(share: Fraction) -> str:
    return f"{_decimal(share * 100)}%"


def _decimal(value: Fraction) -> str:
    return f"{float(value):g}"
