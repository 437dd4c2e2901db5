"""
Classes as their source has them.

At run time an interface of zope knows neither the types of its methods nor the order of
what stands in it, and a field read on demand has no type; the source tells all of it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Sequence
from textwrap import indent

from docutils.nodes import Element, Node, Text
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyClasslike, PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from fromcode.writing import written_by

#: What a method is decorated with that is read like an attribute.
_READ = ("property", "once")


def interface(path: str) -> str:
    """Write an interface with all its attributes and methods."""
    tree = _tree(path)
    bases = ", ".join(
        base for base in map(ast.unparse, tree.bases) if base != "Interface"
    )
    return _described("interface", path, f"({bases})" if bases else "", [tree])


def value(path: str, base: str) -> str:
    """Write a class with its attributes and methods, and those of its base."""
    trees = [_tree(path), _tree(f"{path.rpartition('.')[0]}.{base}")]
    return _described("class", path, "", trees)


def _tree(path: str) -> ast.ClassDef:
    module, _, name = path.rpartition(".")
    home = getattr(importlib.import_module(module), name).__module__
    source = inspect.getsource(importlib.import_module(home))
    return next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )


def _described(what: str, path: str, behind: str, trees: Sequence[ast.ClassDef]) -> str:
    lines = [f".. py:{what}:: {path}{behind}", "", _text(trees[0]), ""]
    for tree in trees:
        for member in _members(tree):
            lines += [indent(member, "   "), ""]
    return "\n".join(lines)


def _members(tree: ast.ClassDef) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call):
            yield _attribute(node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield _method(node)


def _method(node: ast.FunctionDef) -> str:
    answer = "" if node.returns is None else ast.unparse(node.returns)
    if any(ast.unparse(each) in _READ for each in node.decorator_list):
        return f".. py:property:: {node.name}\n   :type: {answer}\n\n{_text(node)}"
    given = ast.unparse(node.args).removeprefix("self, ").removeprefix("self")
    head = f".. py:method:: {node.name}({given})"
    return f"{head}{answer and ' -> '}{answer}\n\n{_text(node)}"


def _attribute(node: ast.AnnAssign) -> str:
    assert isinstance(node.target, ast.Name)
    assert isinstance(node.value, ast.Call)
    (text,) = node.value.args
    kind = ast.unparse(node.annotation)
    head = f".. py:attribute:: {node.target.id}\n   :type: {kind}"
    return f"{head}\n\n   {ast.literal_eval(text)}"


def _text(node: ast.ClassDef | ast.FunctionDef) -> str:
    return indent(ast.get_docstring(node) or "", "   ")


class _Interface(PyClasslike):
    """A class that is called an interface."""

    def run(self) -> list[Node]:
        """Be known as a class to whoever refers to it."""
        self.name = "py:class"
        return super().run()

    def get_signature_prefix(self, sig: str) -> list[Node]:
        """Begin the signature."""
        return [Text("interface"), addnodes.desc_sig_space()]


def _by_last_name(
    app: Sphinx, env: BuildEnvironment, node: Element, content: Element
) -> Element | None:
    """Find what is referred to by its last name alone, if only one thing has it."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains["py"]
    assert isinstance(domain, PythonDomain)
    ending = f".{node['reftarget']}"
    found = [each for each in domain.objects.items() if each[0].endswith(ending)]
    if len(found) != 1:
        return None
    name, entry = found[0]
    place = (node["refdoc"], entry.docname, entry.node_id)
    return make_refnode(app.builder, *place, content, name)


def setup(app: Sphinx) -> None:
    """Make the directives known, and let short names be found."""
    app.add_directive_to_domain("py", "interface", _Interface)
    app.add_directive("interface-of", written_by(interface))
    app.add_directive("value-of", written_by(value))
    app.connect("missing-reference", _by_last_name)
