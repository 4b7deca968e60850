"""Finds tests that pass when nothing was seen: every assertion stands in a loop or branch that need not be entered, or is
about all of what may be nothing; or there is no assertion, neither in the test nor in what it calls of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# What yields as many elements as it is given, or refuses.
KEEPING = {"enumerate", "zip", "reversed", "sorted", "list", "tuple", "set", "product", "permutations"}
# Functions of the tests whose names say that they assert.
ASSERTING = ("assert", "require", "check", "expect", "fail", "refus", "same", "replay", "agree", "walk")


def never_empty(iterable: ast.expr, known: frozenset[str]) -> bool:  # noqa: PLR0911
    """Whether a loop over it is entered whatever happens: a display, a constant of the module, `range` of a number, or a
    local name of `known`."""
    match iterable:
        case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
            return any(not isinstance(part, ast.Starred) or never_empty(part.value, known) for part in elements)
        case ast.Dict(keys, values):
            return any(key is not None or never_empty(value, known) for key, value in zip(keys, values, strict=True))
        case ast.Constant(value):
            return bool(value)
        case ast.Name(name) | ast.Attribute(attr=name):
            return name.isupper() or name in known
        case ast.Call(ast.Name("range"), [ast.Constant(int(end))]):
            return end > 0
        case ast.Call(ast.Name("range"), [ast.Constant(int(start)), ast.Constant(int(end))]):
            return end > start
        case ast.Call(ast.Name(name) | ast.Attribute(attr=name), given) if name in KEEPING:
            return bool(given) and all(never_empty(part, known) for part in given)
        case ast.Call(ast.Attribute(mapping, "items" | "values" | "keys" | "split")):
            return never_empty(mapping, known)
    return False


def full_locals(test: ast.FunctionDef) -> frozenset[str]:
    """Names of a test that hold a display with something in it."""
    names: set[str] = set()
    for node in ast.walk(test):
        match node:
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), value=ast.expr() as value):
                if never_empty(value, frozenset(names)):
                    names.add(name)
    return frozenset(names)


def sees(test: ast.expr, known: frozenset[str]) -> bool:
    """Whether an assertion is about something whatever happens: `all` of nothing is true, and so is `not any` of nothing."""
    match test:
        case ast.Call(ast.Name("all"), [ast.GeneratorExp(generators=loops) | ast.ListComp(generators=loops)]):
            return all(not loop.ifs and never_empty(loop.iter, known) for loop in loops)
        case ast.Call(ast.Name("all"), [ast.Call(ast.Name("map"), [_, *given]) | given]):
            return all(never_empty(part, known) for part in (given if isinstance(given, list) else [given]))
        case ast.UnaryOp(ast.Not(), ast.Call(ast.Name("any"), given)):
            return sees(ast.Call(ast.Name("all"), given, []), known)
        case ast.BoolOp(ast.And(), parts):
            return any(sees(part, known) for part in parts)
        case ast.BoolOp(ast.Or(), parts):
            return all(sees(part, known) for part in parts)
    return True


def reached(node: ast.AST, known: frozenset[str]) -> Iterator[bool]:
    """For each assertion under `node`, whether it is surely come to and about something."""
    match node:
        case ast.Assert(test):
            yield sees(test, known)
            return
        case ast.If(body=body, orelse=orelse):
            branches = [[sure for part in branch for sure in reached(part, known)] for branch in (body, orelse)]
            if any(map(any, branches)):
                yield all(map(any, branches))
            return
        case ast.FunctionDef() | ast.Lambda():
            return  # runs when it is called, if ever
        case ast.With(items):
            yield from (True for item in items if "raises" in ast.unparse(item.context_expr))
        case ast.Call(called) if ast.unparse(called).split(".")[-1].lstrip("_").startswith(ASSERTING):
            yield True
    sure = not isinstance(node, ast.Match | ast.While) and not (
        isinstance(node, ast.For) and not never_empty(node.iter, known)
    )
    for child in ast.iter_child_nodes(node):
        for inner in reached(child, known):
            yield inner and sure


def asserts(function: ast.FunctionDef) -> bool:
    """Whether it asserts anything anywhere, or runs an example of a page, which asserts by raising."""
    return any(
        any(reached(node, frozenset())) or ast.unparse(node).startswith("exec(")
        for node in ast.walk(function)
        if isinstance(node, ast.Assert | ast.With | ast.Call)
    )


def unseeing_tests(source: str) -> list[str]:
    """Names of the tests of a module that assert nothing, or nothing that they surely come to."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    asserting = {function.name for function in functions if asserts(function)}
    names = []
    for test in functions:
        if not test.name.startswith("test_"):
            continue
        assertions = [sure for part in test.body for sure in reached(part, full_locals(test))]
        called = {ast.unparse(node.func).split(".")[-1] for node in ast.walk(test) if isinstance(node, ast.Call)}
        if not any(assertions) if assertions else test.name not in asserting and not called & asserting:
            names.append(test.name)
    return names
