"""Random syntax trees, for round trips and for laws of the semantics."""

from fractions import Fraction
from typing import get_args

from hypothesis import strategies as st

from conspect.language.syntax.tree import (
    And,
    Chain,
    ClassDeclaration,
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
    ImageConcepts,
    Images,
    Implies,
    Item,
    Module,
    NameDeclaration,
    Near,
    Not,
    Or,
    Predict,
    Property,
    RegionShape,
    Specification,
    Stronger,
)

plain = st.sampled_from(
    ["metallic", "ears", "wheels", "long-snout", "truck", "x", "v", "not", "each", "for", "E", "class", "é"]
)
odd = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda text: text.strip())
names = st.one_of(plain, plain, odd)
several = st.lists(names, min_size=2, max_size=4).map(tuple)
any_number = st.lists(names, min_size=1, max_size=3).map(tuple)


def formulas(name: st.SearchStrategy[str] = names, *, notation: bool = True) -> st.SearchStrategy[Formula]:
    group = st.lists(name, min_size=2, max_size=4).map(tuple)
    atoms: list[st.SearchStrategy[Formula]] = [
        st.builds(Predict, name),
        st.builds(Stronger, name, name),
        st.builds(HasConcept, name),
    ]
    if notation:
        side = st.lists(name, min_size=1, max_size=3).map(tuple)
        atoms += [
            st.builds(HasAll, group),
            st.builds(Chain, st.lists(name, min_size=3, max_size=4).map(tuple)),
            st.builds(Each, side, side),
        ]

    def extend(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            st.builds(Not, inner),
            st.builds(And, parts),
            st.builds(Or, parts),
            st.builds(Implies, inner, inner),
            st.builds(Iff, inner, inner),
        )

    return st.recursive(st.one_of(atoms), extend, max_leaves=12)


shares = st.fractions(min_value=Fraction(1, 1000), max_value=1, max_denominator=1000)
sizes = st.fractions(min_value=0, max_value=10, max_denominator=1000)
shapes = st.sampled_from([None, *get_args(RegionShape)])
regions = st.one_of(
    st.builds(Focus, names, gamma=st.none() | sizes, shape=shapes, cut=st.booleans()),
    st.builds(Focus, names, coverage=shares, shape=shapes, cut=st.booleans()),
)
nears = st.builds(Near, names, st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000))
images = st.builds(Images, st.none() | names, st.none() | names)
quantifiers = st.one_of(
    st.builds(ForAll, regions),
    st.builds(ForShare, shares, images),
    st.builds(ForImage, odd),
    st.builds(ForShareNear, shares, images, nears, st.sampled_from(["w", "image", "every"])),
    st.builds(ForImageNear, odd, nears),
)
variables = st.sampled_from(["x", "y", "z1", "all", "least"])
properties = st.one_of(
    st.builds(Property, names, quantifiers, formulas(), variables),
    st.builds(Property, st.sampled_from(["formula_1", "formula_2", "p"]), st.none(), formulas()),
)
modules = st.builds(
    Module,
    names,
    names,
    names,
    names,
    st.lists(st.builds(Property, names, st.none(), formulas()), max_size=3).map(tuple),
)
items: st.SearchStrategy[Item] = st.one_of(
    st.builds(ClassDeclaration, names),
    st.builds(ConceptDeclaration, names, st.lists(odd, max_size=2).map(tuple)),
    st.builds(NameDeclaration, st.sampled_from(["network", "rep", "img"]), names),
    st.builds(ImageConcepts, names, any_number),
    properties,
    modules,
)
specifications = st.builds(Specification, st.lists(items, max_size=5).map(tuple))


CLASSES = ("truck", "car", "ship")
CONCEPTS = ("metallic", "ears", "wheels", "wet")


def names_of_classes(formula: Formula) -> Formula:  # noqa: PLR0911
    """Turns the concept names in Predict nodes into class names."""
    match formula:
        case Predict(name):
            return Predict(CLASSES[CONCEPTS.index(name) % 3])
        case Not(operand):
            return Not(names_of_classes(operand))
        case And(operands):
            return And(tuple(map(names_of_classes, operands)))
        case Or(operands):
            return Or(tuple(map(names_of_classes, operands)))
        case Implies(left, right):
            return Implies(names_of_classes(left), names_of_classes(right))
        case Iff(left, right):
            return Iff(names_of_classes(left), names_of_classes(right))
        case _:
            return formula
