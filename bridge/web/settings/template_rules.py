"""What a template typed into the console may not do, beyond the sandbox: take the machine's time or memory.

A file of the operator's is trusted and not looked at here. The rules bound how much a template can repeat: loops
run over lists that we pass, two deep; nothing multiplies text; what is set holds at most one thing set before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from bridge.errors import ConfigError

LONGEST = 20_000
DEEPEST = 2
FILTERS = frozenset(
    {
        "abs", "capitalize", "count", "default", "d", "escape", "e", "fence", "first", "harmless", "int", "join",
        "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "round", "select",
        "selectattr", "sort", "string", "title", "trim", "truncate", "unique", "upper", "wordcount",
    }
)  # fmt: skip
METHODS = frozenset({"startswith", "endswith", "strip", "lower", "upper", "get", "items", "keys", "values"})
REFUSED: Mapping[type[nodes.Node], str] = {
    nodes.Include: "include is not possible in the console; put the text here",
    nodes.Extends: "extends is not possible in the console",
    nodes.Import: "import is not possible in the console",
    nodes.FromImport: "import is not possible in the console",
    nodes.Macro: "macros are not possible in the console",
    nodes.CallBlock: "call blocks are not possible in the console",
    nodes.FilterBlock: "filter blocks are not possible in the console; use | behind a value",
    nodes.AssignBlock: "set needs a value: {% set name = … %}",
    nodes.With: "with is not possible in the console; use set",
    nodes.Mul: "multiplying is not possible in the console",
    nodes.Pow: "powers are not possible in the console",
    nodes.Mod: "% between values is not possible in the console",
}


def broken(text: str, sample: Mapping[str, Any]) -> list[ConfigError]:
    """Return what a text breaks, by line; syntax is judged elsewhere."""
    if len(text) > LONGEST:
        return [ConfigError(f"is longer than {LONGEST} characters")]
    try:
        tree = Environment(autoescape=True).parse(text)
    except (TemplateSyntaxError, RecursionError):
        return []
    lists = {name for name, value in sample.items() if isinstance(value, list | tuple)}
    found = [*_nodes(tree), *_loops(tree, lists, ()), *_sets(tree)]
    return [ConfigError(message, line=line) for line, message in sorted(set(found))]


def _nodes(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    for node in tree.find_all(nodes.Node):
        message = REFUSED.get(type(node))
        if message:
            yield node.lineno, message
        elif isinstance(node, nodes.Filter):
            yield from _filter(node)
        elif isinstance(node, nodes.Call) and not _is_harmless(node):
            yield node.lineno, "this call is not possible in the console"


def _filter(node: nodes.Filter) -> Iterator[tuple[int, str]]:
    named = node.args[0] if node.name == "map" and node.args else nodes.Const(None)
    if node.name not in FILTERS:
        yield node.lineno, f"the filter {node.name} is not possible in the console"
    elif not isinstance(named, nodes.Const) or named.value not in FILTERS | {None}:
        yield node.lineno, "map takes the name of a simple filter here, or attribute="
    elif node.name == "join" and any(found.name == "join" for found in _inside(node, nodes.Filter)):
        yield node.lineno, "join within join is not possible in the console"


def _is_harmless(node: nodes.Call) -> bool:
    what = node.node
    if isinstance(what, nodes.Getattr):
        return what.attr in METHODS or (what.attr == "cycle" and _root(what) == "loop")
    return isinstance(what, nodes.Name) and what.name == "namespace"


def _loops(tree: nodes.Node, lists: set[str], around: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    for child in tree.iter_child_nodes():
        inside = around
        if isinstance(child, nodes.For):
            targets = {name.name for name in child.target.find_all(nodes.Name)}
            targets |= {child.target.name} if isinstance(child.target, nodes.Name) else set()
            root = _root(child.iter)
            if root not in lists and root not in around:
                yield (
                    child.lineno,
                    f"for runs over a list only: {', '.join(sorted(lists)) or 'there is none here'}",
                )
            if len(around) >= DEEPEST or child.recursive:
                yield child.lineno, f"loops within loops are possible {DEEPEST} deep"
            inside = (*around, *targets)
        yield from _loops(child, lists, inside)


def _sets(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    loops = {
        name.name
        for loop in tree.find_all(nodes.For)
        for name in (loop.target, *loop.target.find_all(nodes.Name))
        if isinstance(name, nodes.Name)
    }
    for node in tree.find_all(nodes.Assign):
        names = [found.name for found in _inside(node, nodes.Name)]
        target = [node.target, *node.target.find_all(nodes.Name)]
        if loops & {name.name for name in target if isinstance(name, nodes.Name)}:
            yield node.lineno, "the name of a loop cannot be set; take another one"
        if sum(name in assigned - loops for name in names) > 1:
            yield node.lineno, "a value that is set may hold only one value that was set before"
        if any(found.name == "join" for found in _inside(node, nodes.Filter)):
            yield node.lineno, "join is not possible within set; use it where the text is written"


def _inside(node: nodes.Assign | nodes.Filter, kind: type[nodes.Node]) -> list[Any]:
    below = node.node
    return [] if below is None else [found for found in (below, *below.find_all(kind)) if isinstance(found, kind)]


def _root(node: nodes.Node | None) -> str:
    """Return the name at the beginning of `name.attribute | filter`."""
    while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Filter | nodes.Call):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else ""
