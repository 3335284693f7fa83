"""Mutants of right answers: the same text with one small change, always the same ones.

A change is an edit of the source between two positions of its syntax tree, so that all else keeps
its text and a difference can be read. What does not compile, has the syntax tree of the original,
or has been made already, is left out.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from unblocked.course import Room

Function = ast.FunctionDef | ast.AsyncFunctionDef
Block = ast.With | ast.AsyncWith


@dataclass(frozen=True)
class Mutant:
    """A right answer with one change."""

    slug: str
    answer: str
    operator: str
    line: int
    number: int
    """Of those that this operator makes on this line, from 1."""
    source: str
    diff: str
    """The lines that went, each behind a `-`, those that came, each behind a `+`.

    Where nothing went, the lines above and below stand around it, each behind a space.
    """

    @property
    def id(self) -> str:
        """Its name, the same in every run: SLUG/answer/operator/line/n."""
        return f"{self.slug}/{self.answer}/{self.operator}/{self.line}/{self.number}"

    @cached_property
    def digest(self) -> str:
        """Of its source: what was marked under this name was the same text."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:12]


class Edit(NamedTuple):
    """Bytes from `start` to `end` give way to `new`."""

    start: int
    end: int
    new: str


class Answer:
    """The text of an answer and its syntax tree, with positions in bytes."""

    def __init__(self, source: str) -> None:
        self.data = source.encode()
        self.tree = ast.parse(source)
        self.lines = [0]
        for line in self.data.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.nodes = list(ast.walk(self.tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.texts = {id(text) for text in self._no_code()}

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self.lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.data[self.start(node) : self.end(node)].decode()

    def to(self, node: ast.expr | ast.stmt, new: str) -> Edit:
        """Something else where this node stands."""
        return Edit(self.start(node), self.end(node), new)

    def before(self, statement: ast.stmt, new: str) -> Edit:
        """A statement before this one."""
        at = self.start(statement)
        return Edit(at, at, f"{new}\n{' ' * statement.col_offset}")

    def without(self, start: int, end: int) -> Edit:
        """One of several things between commas is gone, with its comma."""
        if after := re.match(rb"\s*,[ \t]*", self.data[end:]):
            return Edit(start, end + after.end(), "")
        before = re.search(rb",\s*$", self.data[:start])
        return Edit(before.start() if before else start, end, "")

    def changed(self, edit: Edit) -> str:
        """The whole text after an edit."""
        return (self.data[: edit.start] + edit.new.encode() + self.data[edit.end :]).decode()

    def around(self, edit: Edit) -> tuple[int, str, str]:
        """Where the statements of the module begin that an edit touches, and both their texts."""
        touched = [(a, b) for a, b in self.outermost if a <= edit.end and edit.start <= b]
        start, end = touched[0][0], touched[-1][1]
        before, after = self.data[start : edit.start], self.data[edit.end : end]
        new = (before + edit.new.encode() + after).decode()
        return start, self.data[start:end].decode(), new

    @cached_property
    def outermost(self) -> list[tuple[int, int]]:
        """From where to where the statements of the module go, with their decorators."""
        return [
            (
                min(
                    (self.lines[d.lineno - 1] for d in getattr(one, "decorator_list", [])),
                    default=self.start(one),
                ),
                self.end(one),
            )
            for one in self.tree.body
        ]

    def line(self, position: int) -> int:
        """The number of the line at a position, from 1."""
        return self.data.count(b"\n", 0, position) + 1

    def every(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in self.nodes if isinstance(node, kinds))

    def _no_code(self) -> Iterator[ast.AST]:
        """Constants that say nothing to the machine: docstrings, annotations."""
        for node in self.nodes:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                yield node.value
            for name in ("annotation", "returns"):
                if isinstance(hint := getattr(node, name, None), ast.AST):
                    yield from ast.walk(hint)
            if isinstance(node, ast.JoinedStr):
                yield from node.values

    @cached_property
    def lifespans(self) -> set[str]:
        """Names of what is given to an app as its lifespan: it may block."""
        given = (
            node.value
            for node in self.nodes
            if (isinstance(node, ast.keyword) and node.arg == "lifespan")
            or (isinstance(node, ast.Assign) and "lifespan" in ast.unparse(node.targets[0]))
        )
        return {name.id for name in given if isinstance(name, ast.Name)}

    def is_lifespan(self, node: ast.AST) -> bool:
        """Whether this lies in an app's lifespan."""
        while parent := self.parents.get(node):
            if isinstance(node, Function | ast.ClassDef) and node.name in self.lifespans:
                return True
            node = parent
        return False


OPERATORS: dict[str, Callable[[Answer], Iterator[Edit]]] = {}


def _operator(name: str) -> Callable[..., Callable[[Answer], Iterator[Edit]]]:
    def register(make: Callable[[Answer], Iterator[Edit]]) -> Callable[[Answer], Iterator[Edit]]:
        OPERATORS[name] = make
        return make

    return register


def _bodies(answer: Answer) -> Iterator[list[ast.stmt]]:
    for node in answer.nodes:
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                yield body


_KEPT = (*Function.__args__, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Global, ast.Pass)


def _code(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements of a body that do something: no imports, definitions or docstrings."""
    return [
        one
        for one in body
        if not isinstance(one, _KEPT)
        and not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        and not (isinstance(one, ast.AnnAssign) and one.value is None)
    ]


@_operator("finally dropped")
def _finally(answer: Answer) -> Iterator[Edit]:
    for node in answer.every(ast.Try, ast.TryStar):
        assert isinstance(node, ast.Try | ast.TryStar)
        if last := node.finalbody:
            yield Edit(answer.start(last[0]), answer.end(last[-1]), "pass")


@_operator("statement dropped")
def _statements(answer: Answer) -> Iterator[Edit]:
    for body in _bodies(answer):
        for statement in _code(body):
            if not isinstance(statement, ast.With | ast.AsyncWith | ast.Try | ast.TryStar):
                yield answer.to(statement, "pass")


@_operator("statements swapped")
def _swapped(answer: Answer) -> Iterator[Edit]:
    for body in _bodies(answer):
        for one, two in pairwise(body):
            if one in _code(body) and two in _code(body):
                start, middle = answer.start(one), answer.data[answer.end(one) : answer.start(two)]
                new = answer.text(two) + middle.decode() + answer.text(one)
                yield Edit(start, answer.end(two), new)


def _constants(answer: Answer, kind: type) -> Iterator[ast.Constant]:
    for node in answer.every(ast.Constant):
        assert isinstance(node, ast.Constant)
        if type(node.value) is kind and id(node) not in answer.texts:
            yield node


def _is_status(value: object) -> bool:
    return type(value) is int and 200 <= value < 600


@_operator("number moved")
def _numbers(answer: Answer) -> Iterator[Edit]:
    for node in _constants(answer, int):
        if not _is_status(node.value):
            assert isinstance(node.value, int)
            others = (node.value + 1, node.value - 1, node.value * 10)
            yield from (answer.to(node, str(value)) for value in others if value >= 0)
    for node in _constants(answer, float):
        assert isinstance(node.value, float)
        yield from (answer.to(node, str(value)) for value in (node.value * 10, node.value / 10))
    for node in _constants(answer, type(None)):
        if isinstance(answer.parents[node], ast.keyword):
            yield answer.to(node, "1")


@_operator("status moved")
def _statuses(answer: Answer) -> Iterator[Edit]:
    others = {200: (201, 500), 400: (401, 500), 404: (400, 403, 500), 502: (500, 503, 504)}
    others |= {503: (429, 502), 504: (502, 408)}
    for node in _constants(answer, int):
        if _is_status(node.value):
            assert isinstance(node.value, int)
            yield from (
                answer.to(node, str(value)) for value in others.get(node.value, (node.value + 1,))
            )


def _items(answer: Answer) -> Iterator[tuple[Block, int]]:
    for node in answer.every(ast.With, ast.AsyncWith):
        assert isinstance(node, Block)
        yield from ((node, number) for number in range(len(node.items)))


def _rewritten(answer: Answer, block: Block, number: int, first: str) -> Edit:
    """The `with` without one of its items, and a statement before it."""
    last = block.items[-1]
    colon = answer.data.index(b":", answer.end(last.optional_vars or last.context_expr))
    others = [ast.unparse(item) for item in block.items if item is not block.items[number]]
    keyword = "async with" if isinstance(block, ast.AsyncWith) else "with"
    header = f"{keyword} {', '.join(others)}" if others else "if True"
    first = f"{first}\n{' ' * block.col_offset}" if first else ""
    return Edit(answer.start(block), colon, first + header)


@_operator("with never left")
def _never_left(answer: Answer) -> Iterator[Edit]:
    for block, number in _items(answer):
        item = block.items[number]
        entered = f"({ast.unparse(item.context_expr)}).__enter__()"
        if isinstance(block, ast.AsyncWith):
            entered = f"await {entered.replace('.__enter__()', '.__aenter__()')}"
        if item.optional_vars:
            entered = f"{ast.unparse(item.optional_vars)} = {entered}"
        yield _rewritten(answer, block, number, entered)


@_operator("with dropped")
def _with_dropped(answer: Answer) -> Iterator[Edit]:
    for block, number in _items(answer):
        item = block.items[number]
        context = ast.unparse(item.context_expr)
        bound = f"{ast.unparse(item.optional_vars)} = {context}" if item.optional_vars else ""
        yield _rewritten(answer, block, number, bound)


@_operator("keyword dropped")
def _keywords(answer: Answer) -> Iterator[Edit]:
    for node in answer.every(ast.Call):
        assert isinstance(node, ast.Call)
        for keyword in node.keywords:
            yield answer.without(answer.start(keyword), answer.end(keyword))


@_operator("argument dropped")
def _arguments(answer: Answer) -> Iterator[Edit]:
    for node in answer.every(ast.Call):
        assert isinstance(node, ast.Call)
        named = ast.unparse(node.func).rpartition(".")[2]
        if len(node.args) > 1 or (node.args and named[:1].isupper()):
            yield answer.without(answer.start(node.args[-1]), answer.end(node.args[-1]))


@_operator("element dropped")
def _elements(answer: Answer) -> Iterator[Edit]:
    for node in answer.nodes:
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                start = answer.start(key) if key else answer.start(value) - 2
                yield answer.without(start, answer.end(value))
        elif isinstance(node, ast.Tuple | ast.List | ast.Set) and isinstance(
            getattr(node, "ctx", ast.Load()), ast.Load
        ):
            yield from (answer.without(answer.start(e), answer.end(e)) for e in node.elts)


@_operator("decorator dropped")
def _decorators(answer: Answer) -> Iterator[Edit]:
    for node in answer.nodes:
        for one in getattr(node, "decorator_list", []):
            start = answer.data.rindex(b"@", 0, answer.start(one))
            yield Edit(start, answer.end(one), "")


_HTTPX = (
    "httpx.ConnectError",
    "httpx.HTTPStatusError",
    "(httpx.ConnectError, httpx.HTTPStatusError)",
)
_AIOHTTP = ("aiohttp.ClientConnectorError", "aiohttp.ClientResponseError")
NARROWER = {
    "httpx.HTTPError": (
        *_HTTPX,
        f"({', '.join(_HTTPX)})",
        "httpx.TransportError",
        "httpx.TimeoutException",
    ),
    "httpx.TransportError": ("httpx.ConnectError", "httpx.ReadError", "httpx.TimeoutException"),
    "httpx.RequestError": ("httpx.ConnectError", "httpx.ReadError", "httpx.TimeoutException"),
    "httpx.TimeoutException": ("httpx.ConnectTimeout", "httpx.PoolTimeout"),
    "httpx.ReadTimeout": ("httpx.ConnectTimeout",),
    "httpx.PoolTimeout": ("httpx.ConnectTimeout",),
    "aiohttp.ClientError": (*_AIOHTTP, f"({', '.join(_AIOHTTP)})"),
    "Exception": ("ValueError", "OSError"),
    "BaseException": ("Exception", "ValueError"),
    "TimeoutError": ("BlockingIOError",),
    "OSError": ("ConnectionResetError", "ValueError"),
    "ExceptionGroup": ("ValueError",),
    "SystemExit": ("ValueError",),
}


def _handlers(answer: Answer) -> Iterator[ast.ExceptHandler]:
    for node in answer.every(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        yield node


@_operator("except narrowed")
def _narrowed(answer: Answer) -> Iterator[Edit]:
    for handler in _handlers(answer):
        if handler.type is not None:
            for kind in NARROWER.get(ast.unparse(handler.type), ()):
                yield answer.to(handler.type, kind)
            if isinstance(handler.type, ast.Tuple):
                for one in handler.type.elts:
                    yield answer.to(handler.type, ast.unparse(one))


@_operator("except widened")
def _widened(answer: Answer) -> Iterator[Edit]:
    for handler in _handlers(answer):
        if handler.type is not None:
            name = ast.unparse(handler.type)
            yield answer.to(handler.type, "Exception")
            if name in ("httpx.PoolTimeout", "httpx.ReadTimeout"):
                yield answer.to(handler.type, "httpx.TimeoutException")


@_operator("failure not handled")
def _passed_on(answer: Answer) -> Iterator[Edit]:
    for handler in _handlers(answer):
        yield answer.before(handler.body[0], "raise")


_OTHER = {
    ast.GtE: (">", "=="),
    ast.Gt: (">=", "<="),
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Eq: ("!=", ">="),
    ast.NotEq: ("==", ">"),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
}


_COMPARES = re.compile(r"[<>=!]+|not in|is not|in|is")


@_operator("comparison moved")
def _comparisons(answer: Answer) -> Iterator[Edit]:
    for node in answer.every(ast.Compare):
        assert isinstance(node, ast.Compare)
        sides = [node.left, *node.comparators]
        for (left, right), operator in zip(pairwise(sides), node.ops, strict=True):
            start, end = answer.end(left), answer.start(right)
            between = answer.data[start:end].decode()
            for other in _OTHER[type(operator)]:
                yield Edit(
                    start, end, re.sub(r"[<>=!]+|not in|is not|in|is", other, between, count=1)
                )


@_operator("condition changed")
def _conditions(answer: Answer) -> Iterator[Edit]:
    for node in answer.nodes:
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            tests = [node.test]
        else:
            tests = node.ifs if isinstance(node, ast.comprehension) else []
        for test in tests:
            yield answer.to(test, f"not ({answer.text(test)})")
            if not isinstance(node, ast.While):
                yield answer.to(test, "True")
                yield answer.to(test, "False")
    for node in answer.every(ast.BoolOp):
        assert isinstance(node, ast.BoolOp)
        yield from (answer.to(node, answer.text(one)) for one in node.values)
        join = " or " if isinstance(node.op, ast.And) else " and "
        yield answer.to(node, f"({join.join(answer.text(one) for one in node.values)})")
    for node in answer.every(ast.UnaryOp):
        assert isinstance(node, ast.UnaryOp)
        yield answer.to(node, answer.text(node.operand))


_BLOCKING = ("import time; time.sleep(0.02)", "import threading; threading.Event().wait(0.02)")


@_operator("blocking call")
def _blocking(answer: Answer) -> Iterator[Edit]:
    """At the top of each coroutine and before each `await`, except in a lifespan, which may."""
    for function in answer.every(ast.AsyncFunctionDef):
        assert isinstance(function, ast.AsyncFunctionDef)
        if answer.is_lifespan(function):
            continue
        for number, statement in enumerate(_blocked(function)):
            calls = _BLOCKING if number == 0 else _BLOCKING[number % 2 :][:1]
            yield from (answer.before(statement, call) for call in calls)


def _blocked(function: ast.AsyncFunctionDef) -> Iterator[ast.stmt]:
    """The first statement of a coroutine, then the others that await."""
    top = next(s for s in function.body if not isinstance(s, ast.Global | ast.Nonlocal))
    yield top
    yield from (one for one in _awaiting(function.body) if one is not top)


def _awaits(node: ast.AST) -> bool:
    """Whether a statement itself awaits: not in a body of its own, not in a function inside."""
    if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
        return True
    if isinstance(node, Function | ast.ClassDef | ast.Lambda):
        return False
    inner = (
        c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.stmt | ast.ExceptHandler)
    )
    return any(map(_awaits, inner))


def _awaiting(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """The statements that await, at any depth, of this function alone."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            continue
        if isinstance(node, ast.stmt) and _awaits(node) and not isinstance(node, ast.If):
            yield node
        yield from _awaiting(
            c for c in ast.iter_child_nodes(node) if isinstance(c, ast.stmt | ast.ExceptHandler)
        )


_METHODS = {
    "get": ("post", "head"),
    "post": ("get", "put"),
    "GET": ("POST", "HEAD"),
    "POST": ("GET", "PUT"),
}


_OF_CLIENTS_AND_ROUTES = re.compile(r"(client|session|app|router)(\(\))?$")


@_operator("another method")
def _methods(answer: Answer) -> Iterator[Edit]:
    for node in answer.every(ast.Call):
        assert isinstance(node, ast.Call)
        name = node.func
        if not (isinstance(name, ast.Attribute) and name.attr in ("get", "post")):
            continue
        if _OF_CLIENTS_AND_ROUTES.search(ast.unparse(name.value)):
            for other in _METHODS[name.attr]:
                yield Edit(answer.end(name) - len(name.attr), answer.end(name), other)
    for text in _constants(answer, str):
        for other in _METHODS.get(str(text.value), ()):
            yield answer.to(text, f'"{other}"')


@_operator("one after the other")
def _sequential(answer: Answer) -> Iterator[Edit]:
    """`await asyncio.gather(…)` becomes one `await` after the other."""
    for node in answer.every(ast.Await):
        assert isinstance(node, ast.Await)
        call = node.value
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("gather"):
            each = [
                f"*[await one for one in {answer.text(one.value)}]"
                if isinstance(one, ast.Starred)
                else f"await {answer.text(one)}"
                for one in call.args
            ]
            yield answer.to(node, f"[{', '.join(each)}]")


@_operator("flag flipped")
def _flags(answer: Answer) -> Iterator[Edit]:
    for node in _constants(answer, bool):
        yield answer.to(node, str(not node.value))
    for call in answer.every(ast.Call):
        assert isinstance(call, ast.Call)
        names = [keyword.arg for keyword in call.keywords]
        if ast.unparse(call.func).endswith("gather") and "return_exceptions" not in names:
            yield Edit(answer.end(call) - 1, answer.end(call), ", return_exceptions=True)")


@_operator("text changed")
def _texts(answer: Answer) -> Iterator[Edit]:
    for node in _constants(answer, str):
        yield answer.to(node, repr(f"{node.value!s}x"))
    for joined in answer.every(ast.JoinedStr):
        assert isinstance(joined, ast.JoinedStr)
        for number, part in enumerate(joined.values):
            others = joined.values[:number], joined.values[number + 1 :]
            if isinstance(part, ast.Constant):
                longer = ast.Constant(f"{part.value!s}x")
                whole = ast.JoinedStr([*others[0], longer, *others[1]])
                yield answer.to(joined, ast.unparse(whole))
            yield answer.to(joined, ast.unparse(ast.JoinedStr([*others[0], *others[1]])))


@_operator("await dropped")
def _no_await(answer: Answer) -> Iterator[Edit]:
    for node in answer.every(ast.Await):
        assert isinstance(node, ast.Await)
        yield answer.to(node, answer.text(node.value))


@_operator("value dropped")
def _values(answer: Answer) -> Iterator[Edit]:
    """What is returned or yielded becomes nothing; a cut of a text or list becomes the whole."""
    for node in answer.every(ast.Return, ast.Yield):
        assert isinstance(node, ast.Return | ast.Yield)
        if node.value is not None:
            yield answer.to(node.value, "None")
    for node in answer.every(ast.Subscript):
        assert isinstance(node, ast.Subscript)
        if isinstance(node.slice, ast.Slice):
            yield answer.to(node, answer.text(node.value))


@_operator("call dropped")
def _calls(answer: Answer) -> Iterator[Edit]:
    """`f(x)` becomes `x` (no quoting, no timeout, no shield, no task), `x.f()` becomes `x`."""
    for node in answer.every(ast.Call):
        assert isinstance(node, ast.Call)
        parent = answer.parents[node]
        if isinstance(parent, ast.Expr) or node in getattr(parent, "decorator_list", []):
            continue
        if node.args and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
            yield answer.to(node, f"({answer.text(node.args[0])})")
        elif not node.args and isinstance(node.func, ast.Attribute):
            yield answer.to(node, answer.text(node.func.value))


@_operator("sum changed")
def _sums(answer: Answer) -> Iterator[Edit]:
    for node in answer.every(ast.BinOp):
        assert isinstance(node, ast.BinOp)
        yield from (answer.to(node, answer.text(side)) for side in (node.left, node.right))
    for step in answer.every(ast.AugAssign):
        assert isinstance(step, ast.AugAssign)
        start, end = answer.end(step.target), answer.start(step.value)
        yield Edit(start, end, " = ")
        if isinstance(step.op, ast.Add | ast.Sub):
            yield Edit(start, end, " -= " if isinstance(step.op, ast.Add) else " += ")


def mutants_of(slug: str, answer: str, source: str) -> list[Mutant]:
    """All mutants of one answer, in the order of the operators, each once."""
    text = Answer(source)
    seen: set[tuple[int, str]] = set()
    numbers: Counter[tuple[str, int]] = Counter()
    made = []
    for operator, make in OPERATORS.items():
        for edit in make(text):
            start, old, new = text.around(edit)
            shape = (start, _shape(new))
            if not shape[1] or shape in seen or shape[1] == _shape(old):
                continue
            seen.add(shape)
            line = text.line(edit.start)
            numbers[operator, line] += 1
            mutant = Mutant(
                slug,
                answer,
                operator,
                line,
                numbers[operator, line],
                text.changed(edit),
                difference(old, new),
            )
            made.append(mutant)
    return made


@functools.lru_cache(maxsize=10_000)
def _shape(source: str) -> str:
    """The syntax tree, or '' of what does not compile."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(source, "answer", "exec")
            return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError):
        return ""


def difference(old: str, new: str) -> str:
    """The lines that differ, without indentation; of what only came, also the lines around it."""
    before, after = _code_lines(old), _code_lines(new)
    above, below = "", ""
    while before and after and before[0] == after[0]:
        above = before.pop(0)
        del after[0]
    while before and after and before[-1] == after[-1]:
        below = before.pop()
        del after[-1]
    lines = [f"-{one.strip()}" for one in before] + [f"+{one.strip()}" for one in after]
    if not before:
        lines = [f" {above.strip()}", *lines, f" {below.strip()}"]
    return "\n".join(line for line in lines if line != " ")


def _code_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def mutants(rooms: Iterable[Room]) -> list[Mutant]:
    """The mutants of all right answers, in an order of which every beginning is spread.

    It takes one after the other of each exercise and operator, as far as there are any.
    """
    made = []
    for room in rooms:
        for path in (room.solution, *room.right):
            made += mutants_of(room.slug, path.stem, path.read_text(encoding="utf-8"))
    return spread(made)


def spread(made: Iterable[Mutant]) -> list[Mutant]:
    """The same mutants, one after the other of each exercise and operator."""
    ordered = sorted(made, key=lambda one: hashlib.sha256(one.id.encode()).hexdigest())
    turns: Counter[tuple[str, str]] = Counter()
    placed = []
    for one in ordered:
        turns[one.slug, one.operator] += 1
        placed.append((turns[one.slug, one.operator], one))
    return [one for _, one in sorted(placed, key=lambda turn: turn[0])]
