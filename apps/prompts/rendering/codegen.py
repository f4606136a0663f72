"""Jinja's compiler, made to write the payments of `Budget` into the code it generates."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import TemplateSyntaxError
from jinja2.idtracking import VAR_LOAD_RESOLVE
from jinja2.visitor import NodeTransformer

from .references import RULE, parse_reference

REFUSED_TAGS: dict[type[nodes.Node], str] = {
    nodes.Extends: "extends",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.Block: "block",
    nodes.EvalContextModifier: "autoescape",
    nodes.ScopedEvalContextModifier: "autoescape",
}


def _code(source: str, lineno: int) -> nodes.Expr:
    """An expression node that is written into the generated module as it stands."""
    node: nodes.InternalName = object.__new__(nodes.InternalName)  # Jinja keeps the constructor to itself
    nodes.Node.__init__(node, source, lineno=lineno)
    return node


def _constant_text(body: list[nodes.Node]) -> int:
    """Characters of plain text that one pass through `body` puts out; inner loops pay for their own."""
    total = 0
    for node in body:
        if isinstance(node, nodes.TemplateData):
            total += len(node.data)
        elif not isinstance(node, nodes.For | nodes.Macro | nodes.CallBlock):
            total += _constant_text(list(node.iter_child_nodes()))
    return total


def check_include(node: nodes.Include) -> str:
    """The reference of an include. Raises TemplateSyntaxError for one that is not told beforehand."""
    name = node.template.value if isinstance(node.template, nodes.Const) else None
    if not isinstance(name, str):
        words = f"the tag “include” takes the name of one prompt between quotation marks: {RULE}"
    elif node.ignore_missing:
        words = "the tag “include” cannot say “ignore missing”: a prompt that is missing is an error"
    elif not node.with_context:
        words = "the tag “include” cannot say “without context”: an included prompt sees the same variables"
    elif parse_reference(name) is None:
        words = f"the tag “include” cannot read “{name[:100]}”: {RULE}"
    else:
        return name
    raise TemplateSyntaxError(words, node.template.lineno)


def refuse_jumps(node: nodes.Node, *, in_loop: bool) -> None:
    """Raises TemplateSyntaxError for a break or continue that stands in no loop."""
    if isinstance(node, nodes.Break | nodes.Continue) and not in_loop:
        tag = type(node).__name__.lower()
        raise TemplateSyntaxError(f"the tag “{tag}” stands inside a “{{% for %}}” only", node.lineno)
    after = node.else_ if isinstance(node, nodes.For) else []
    inside = isinstance(node, nodes.For) or (in_loop and not isinstance(node, nodes.Macro | nodes.CallBlock))
    for child in node.iter_child_nodes():
        beside = any(child is part for part in after)
        refuse_jumps(child, in_loop=in_loop if beside else inside)


class PaymentInserter(NodeTransformer):
    """Makes each turn of a loop and each call of a macro pay, and refuses tags that need other templates."""

    def generic_visit(self, node: nodes.Node, *args: object, **kwargs: object) -> nodes.Node:
        tag = REFUSED_TAGS.get(type(node))
        if tag:
            raise TemplateSyntaxError(f"the tag “{tag}” cannot be used in a prompt", node.lineno)
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if any(isinstance(part, nodes.Include) or part.find(nodes.Include) for part in node.body):
            # Jinja makes `loop` only where it sees it used; an included text may use it.
            uses_loop = nodes.Name("loop", "load", lineno=node.lineno)
            node.body.insert(0, nodes.ExprStmt(uses_loop, lineno=node.lineno))
        self._pay_first(node)
        if node.test is not None:
            node.test = nodes.And(
                _code("context.budget.spend()", node.lineno),
                node.test,
                lineno=node.lineno,
            )
        return self.generic_visit(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        self._pay_first(node)
        return self.generic_visit(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        self._pay_first(node)
        return self.generic_visit(node)

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        check_include(node)
        return node

    @staticmethod
    def _pay_first(node: nodes.For | nodes.Macro | nodes.CallBlock) -> None:
        price = 1 + _constant_text(node.body)
        payment = nodes.ExprStmt(_code(f"context.budget.spend({price})", node.lineno), lineno=node.lineno)
        node.body.insert(0, payment)


class BoundedCodeGenerator(CodeGenerator):
    """Generated code hands every value it makes, and every comparison, to the rendering's budget.

    `asked` are the names that the code asks of the inputs, as `jinja2.meta` finds them, in the same pass.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked: set[str] = set()

    def enter_frame(self, frame: Frame) -> None:
        super().enter_frame(frame)
        for action, name in frame.symbols.loads.values():
            if action == VAR_LOAD_RESOLVE and name is not None and name not in self.environment.globals:
                self.asked.add(name)

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        PaymentInserter().visit(node)
        super().visit_Template(node, frame)

    def visit_Include(self, node: nodes.Include, frame: Frame) -> None:
        assert isinstance(node.template, nodes.Const)
        self.start_write(frame, node)
        self.write(f"context.included({node.template.value!r}, {self.dump_local_context(frame)})")
        self.end_write(frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("context.concatenated((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        self.write("(context.budget.spend() and ")
        super().visit_Compare(node, frame)
        self.write(")")

    def visit_Test(self, node: nodes.Test, frame: Frame) -> None:
        self.write("(context.budget.spend() and ")
        super().visit_Test(node, frame)
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("context.budget.account(context.sliceable(")
        self.visit(node.node, frame)
        self.write(")[")
        self.visit(node.arg, frame)
        self.write("])")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self.write("context.budget.account(")
        super().visit_List(node, frame)
        self.write(")")

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx != "load":  # the targets of an assignment or a loop
            super().visit_Tuple(node, frame)
            return
        self.write("context.budget.account(")
        super().visit_Tuple(node, frame)
        self.write(")")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self.write("context.budget.account(")
        super().visit_Dict(node, frame)
        self.write(")")
