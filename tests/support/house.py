"""The house as its imports draw it: `make house` prints every room, and says what is out of order.

A folder holds at most nine modules, no import goes in a circle or up, Config is a parameter of
configuration, jobs and command line alone, and no function is longer than sixty lines, docstring
included, but for tables of declarations.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("clvmodels", "pipelines")
MOST_MODULES = 9
MOST_LINES = 60
MOST_DECLARED = 3
"""A function of so few statements, none of which holds a block, is a table of declarations."""

TAKE_CONFIG = ("pipelines.config", "pipelines.jobs", "pipelines.cli")

# Until their folders are in order too; to be removed.
STILL_TAKE_CONFIG = (
    "pipelines.sources",
    "pipelines.data.checks",
    "pipelines.data.consent",
    "pipelines.data.customer_days",
    "pipelines.data.lines",
    "pipelines.data.preview",
    "pipelines.data.privacy",
    "pipelines.report",
)
STILL_LONG = ("clvmodels", "pipelines.sources", "pipelines.data.customer_days", "pipelines.report")


@cache
def modules() -> dict[str, ast.Module]:
    """Dotted name to syntax tree, packages by their own name."""
    found = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(file.read_text(encoding="utf-8"))
    return found


@cache
def imports(name: str) -> frozenset[str]:
    """Modules of this project that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom) and node.module:
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {one if one in modules() else node.module for one in named}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(one for one in found if one in modules() and one != name)


def folders() -> dict[str, list[str]]:
    """Package to the modules that lie in it, not below it."""
    packages = {name.rpartition(".")[0] for name in modules()} - {""}
    return {
        package: [
            name
            for name in modules()
            if name.rpartition(".")[0] == package and name not in packages
        ]
        for package in sorted(packages)
    }


def line(name: str) -> str:
    """First line of a module's docstring."""
    return (ast.get_docstring(modules()[name]) or "").split("\n")[0]


def _rooms(package: str) -> dict[str, set[str]]:
    """What each child of a package imports of the others."""
    depth = package.count(".") + 2
    found: dict[str, set[str]] = defaultdict(set)
    for name in modules():
        if not name.startswith(f"{package}."):
            continue
        child = ".".join(name.split(".")[:depth])
        found[child] |= {
            ".".join(other.split(".")[:depth])
            for other in imports(name)
            if other.startswith(f"{package}.")
        } - {child}
    return found


def floors(package: str) -> tuple[list[list[str]], list[str]]:
    """Children of a package from the ground up, and those that import each other in a circle."""
    rest, found = dict(_rooms(package)), []
    while rest:
        low = sorted(name for name, above in rest.items() if not above & set(rest))
        if not low:
            return found, sorted(rest)
        found.append(low)
        rest = {name: above for name, above in rest.items() if name not in low}
    return found, []


def config_parameters() -> Iterator[str]:
    """Functions outside configuration, jobs and command line that take the whole Config.

    And classes that hold one.
    """
    for name, tree in modules().items():
        if _lies_in(name, TAKE_CONFIG):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                kinds = [one.annotation for one in every]
            elif isinstance(node, ast.ClassDef):
                kinds = [one.annotation for one in node.body if isinstance(one, ast.AnnAssign)]
            else:
                continue
            if any(re.search(r"\bConfig\b", ast.unparse(kind)) for kind in kinds if kind):
                yield f"{name}.{node.name}"


def long_functions() -> Iterator[str]:
    """Functions of more than so many lines, with their length; not tables of declarations."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MOST_LINES and not _declares(node):
                    yield f"{name}.{node.name} ({length})"


def _declares(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is a table: a few assignments and what it returns, however long."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return len(body) <= MOST_DECLARED and not any(hasattr(one, "body") for one in body)


def _lies_in(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def layers() -> dict[str, list[str]]:
    """The layers contracts of pyproject.toml: package to children, top first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    return {
        contract["containers"][0]: contract["layers"]
        for contract in contracts
        if contract["type"] == "layers" and "containers" in contract
    }


def faults() -> list[str]:
    """All that is out of order, a line each."""
    found = [
        f"{package} holds {len(inside)} modules; at most {MOST_MODULES}"
        for package, inside in folders().items()
        if len(inside) > MOST_MODULES
    ]
    found += [f"{name} has no line that says what it is" for name in modules() if not line(name)]
    for package in folders():
        _, circle = floors(package)
        if circle:
            found.append(f"imports go in a circle: {', '.join(circle)}")
    found += [
        f"{name} takes the whole Config"
        for name in config_parameters()
        if not _lies_in(name, STILL_TAKE_CONFIG)
    ]
    found += [
        f"{name} lines: at most {MOST_LINES}"
        for name in long_functions()
        if not _lies_in(name, STILL_LONG)
    ]
    return found


def main() -> int:
    for package, inside in folders().items():
        print(f"\n{package}: {line(package)}")
        for name in inside:
            print(f"    {name.rpartition('.')[2]:18} {line(name)}")
        ground_up, _ = floors(package)
        storeys = (" | ".join(name.rpartition(".")[2] for name in storey) for storey in ground_up)
        print(f"    from the ground up: {' < '.join(storeys)}")
    takes, long = list(config_parameters()), list(long_functions())
    print(f"\nbelow the jobs, what takes or holds the whole Config: {len(takes)}")
    print(f"functions of more than {MOST_LINES} lines: {len(long)}")
    wrong = faults()
    print("\n".join(["", *wrong]) if wrong else "\nnothing is out of order")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
