"""Small mistakes made in the project's code, one at a time: a mutant is a file with one of them in it.

Another operator, a condition turned round, a number off by one. `tests.mutants` draws some and sees whether a test fails.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "conspect"

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Mod: ast.FloorDiv,
}  # fmt: skip
NAMED = {"min": "max", "max": "min", "all": "any", "any": "all", "minimum": "maximum", "maximum": "minimum"}
# What a strict zip becomes.
LOOSE = "a strict zip for a loose one"
Change = Callable[[], None]


@dataclass(frozen=True)
class Mutant:
    """One mistake: in a file under src/conspect, on a line, the `number`th place of the file; `what` says it in words.

    `place`: which of the same mistakes on that line it is, from 1.
    """

    file: str
    line: int
    number: int
    what: str
    place: int = 1


def places(tree: ast.Module) -> Iterator[tuple[int, str, Change]]:
    """Every place where one mistake can be made: its line, the mistake, and what makes it in the tree."""
    messages = {id(node) for raised in ast.walk(tree) if isinstance(raised, ast.Raise) for node in ast.walk(raised)}
    strict = {id(word.value) for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg == "strict"}
    for node in _code(tree):
        if id(node) in strict and isinstance(node, ast.Constant) and node.value is True:
            yield node.lineno, LOOSE, _setting(node, "value", False)
        elif id(node) not in messages:
            yield from _mistakes(node)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """All that is run: no annotations, docstrings or decorators, nor what stands there for the type checker alone."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"} or _for_types(node):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (
                isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            ):
                yield child
                yield from _code(child)


def _for_types(node: ast.AST) -> bool:
    match node:
        case ast.If(test) if ast.unparse(test) == "TYPE_CHECKING":
            return True
        case ast.AnnAssign(annotation=ast.Name("TypeAlias")):
            return True
    return False


def _mistakes(node: ast.AST) -> Iterator[tuple[int, str, Change]]:
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARED:
            other = COMPARED[type(op)]
            yield node.lineno, f"{_name(op)} for {other.__name__}", _setting(node, "ops", [other(), *node.ops[1:]])
        case ast.BinOp(op=sign) if type(sign) in COMPUTED and not _text(node):
            yield (
                node.lineno,
                f"{_name(sign)} for {COMPUTED[type(sign)].__name__}",
                _setting(node, "op", COMPUTED[type(sign)]()),
            )
        case ast.BoolOp(op=word):
            swapped = ast.Or() if isinstance(word, ast.And) else ast.And()
            yield node.lineno, f"{_name(word)} for {_name(swapped)}", _setting(node, "op", swapped)
        case ast.UnaryOp(op=ast.USub()):
            yield node.lineno, "a sign lost", _setting(node, "op", ast.UAdd())
        case ast.If() | ast.IfExp() | ast.While() if not _for_types(node):
            turned = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
            yield node.test.lineno, "a condition turned round", _setting(node, "test", turned)
        case ast.Constant(value=bool(value)):
            yield node.lineno, f"{value} for {not value}", _setting(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)) if value + 1 != value:
            yield node.lineno, f"{value} for {value + 1}", _setting(node, "value", value + 1)
        case ast.Name(id=name) if name in NAMED:
            yield node.lineno, f"{name} for {NAMED[name]}", _setting(node, "id", NAMED[name])
        case ast.Attribute(attr=name) if name in NAMED:
            yield node.lineno, f"{name} for {NAMED[name]}", _setting(node, "attr", NAMED[name])


def _setting(node: ast.AST, name: str, value: object) -> Change:
    return lambda: setattr(node, name, value)


def _name(node: ast.AST) -> str:
    return type(node).__name__


def _text(node: ast.BinOp) -> bool:
    """Formatting, or types joined by |."""
    sides = (node.left, node.right)
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and not isinstance(side.value, int | float))
        for side in sides
    )


@dataclass(frozen=True)
class Extent:
    """The lines of a statement without those of statements inside it; `at_import`: it runs when the module is imported."""

    lines: frozenset[int]
    at_import: bool


def extents(tree: ast.Module) -> dict[int, Extent]:
    """Line to the innermost statement that it belongs to."""
    innermost: dict[int, Extent] = {}

    def walk(node: ast.AST, at_import: bool) -> frozenset[int]:
        inside = at_import and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        children = [
            walk(child, inside if isinstance(node, ast.stmt) else at_import) for child in ast.iter_child_nodes(node)
        ]
        below = frozenset[int]().union(*children)
        if not isinstance(node, ast.stmt):
            return below
        every = frozenset(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        own = Extent(every - below, at_import)
        innermost.update(dict.fromkeys(own.lines, own))
        return every

    walk(tree, True)
    return innermost


def mutants_of(file: Path) -> list[Mutant]:
    """All mutants of one file."""
    name = file.relative_to(SOURCES).as_posix()
    mistakes = places(ast.parse(file.read_text(encoding="utf-8")))
    seen: Counter[tuple[int, str]] = Counter()
    mutants = []
    for number, (line, what, _) in enumerate(mistakes):
        seen[line, what] += 1
        mutants.append(Mutant(name, line, number, what, seen[line, what]))
    return mutants


def mutated(mutant: Mutant) -> CodeType:
    """The file's code with the mistake in it."""
    path = SOURCES / mutant.file
    tree = ast.parse(path.read_text(encoding="utf-8"))
    list(places(tree))[mutant.number][2]()
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


def module_of(path: Path) -> str:
    """The name that a file of the sources is imported by."""
    parts = path.relative_to(SOURCES.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module of the project from the mutant's code, and all others as ever."""

    def __init__(self, mutant: Mutant) -> None:
        self.path, self.code = SOURCES / mutant.file, mutated(mutant)
        self.module = module_of(self.path)
        self.imported = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.module:
            return None
        package = self.path.name == "__init__.py"
        return importlib.util.spec_from_file_location(
            name,
            self.path,
            loader=self,
            submodule_search_locations=[str(self.path.parent)] if package else None,
        )

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self.imported = True
        exec(self.code, module.__dict__)


def text_of(mutant: Mutant) -> str:
    """The line without its indentation."""
    return (SOURCES / mutant.file).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()
