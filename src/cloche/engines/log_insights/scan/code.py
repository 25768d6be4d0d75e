"""Expressions as Python text, so that the loop over the events has no calls where plain operators do.

Nothing of the query's text becomes code: names, texts and patterns are bound to names of the program's own.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from cloche.engines.log_insights.language.syntax import (
    Among,
    Call,
    Expression,
    Field,
    Like,
    Literal,
    Operation,
    Period,
)
from cloche.engines.log_insights.scan import functions, values

TIME, TRUTH, ANY = "time", "truth", "any"
"""Kinds: shown as a date; ``True`` or ``False`` and never missing; whatever it turns out to be."""
_MIRRORED: Final = {">": "<", ">=": "<="}
_COMPARED: Final = {"=": "equal", "<": "less", "<=": "less_or_equal"}
_PYTHON: Final = {"=": "==", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Scope(Protocol):
    """Where a field's value comes from."""

    def resolve(self, field: Field) -> tuple[str, str]:
        """(a name of the program that holds it, its kind). May add lines that fetch it."""
        ...


class Code:
    def __init__(self, now_ms: int) -> None:
        self.lines: list[str] = []
        self.depth = 1
        self.now_ms = now_ms
        self._variables = 0
        self.names: dict[str, Any] = {
            "NUMBERS": values.NUMBERS,
            "NESTED": values.NESTED,
            "number": values.number,
            "text": values.text,
            "truth": values.truth,
            "equal": values.equal,
            "less": values.less,
            "less_or_equal": values.less_or_equal,
            "natural": values.natural,
            "discovered": values.discovered,
            "inside": values.inside,
            "has": functions.has,
            "found": functions.found,
            "floor_date": functions.floor_date,
            "ceil_date": functions.ceil_date,
        }

    def line(self, text: str) -> None:
        for each in text.split("\n"):
            self.lines.append("    " * self.depth + each)

    def bind(self, value: Any) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def assign(self, text: str) -> str:
        name = self.variable()
        self.line(f"{name} = {text}")
        return name

    def function(self, head: str, tail: str) -> Any:
        """What has been written, as the body of a function."""
        source = "\n".join([f"def program({head}):", *self.lines, f"    {tail}"])
        exec(compile(source, "<query>", "exec"), self.names)  # noqa: S102
        return self.names["program"]


class Translator:
    def __init__(self, code: Code, scope: Scope) -> None:
        self.code, self.scope = code, scope

    def value(self, expression: Expression) -> tuple[str, str]:
        """(text, kind)."""
        match expression:
            case Literal(value):
                return (repr(value) if not isinstance(value, str) else self.code.bind(value)), ANY
            case Period(milliseconds, months):
                return repr(milliseconds or months * 30 * 86_400_000), ANY
            case Field():
                return self.scope.resolve(expression)
            case Call():
                return self._call(expression)
            case Operation("-", (operand,)):
                return f"{self.code.bind(functions.negative)}({self.value(operand)[0]})", ANY
            case Operation(sign, (left, right)) if sign in "+-*/%^":
                return self._arithmetic(sign, left, right), ANY
            case _:
                return self.condition(expression), TRUTH

    def condition(self, expression: Expression) -> str:
        match expression:
            case Operation("and" | "or" as word, operands):
                return "(" + f" {word} ".join(self.condition(operand) for operand in operands) + ")"
            case Operation("not", (operand,)):
                return f"(not {self.condition(operand)})"
            case Operation("!=", (left, right)):
                return f"(not {self._compared('=', left, right)})"
            case Operation("=" | "<" | "<=" | ">" | ">=" as sign, (left, right)):
                return self._compared(sign, left, right)
            case Like():
                return self._like(expression)
            case Among(subject, items, negated):
                alike = [self._compared("=", subject, item) for item in items]
                return f"({'not ' if negated else ''}({' or '.join(alike)}))"
            case _:
                found, kind = self.value(expression)
                return found if kind == TRUTH else f"truth({found})"

    def held(self, expression: Expression) -> str:
        """A variable with the value."""
        found, _ = self.value(expression)
        return found if found.isidentifier() and found[0] != "k" else self.code.assign(found)

    def _arithmetic(self, sign: str, left: Expression, right: Expression) -> str:
        one, other = self.value(left)[0], self.value(right)[0]
        return f"{self.code.bind(functions.OPERATIONS[sign])}({one}, {other})"

    def _compared(self, sign: str, left: Expression, right: Expression) -> str:
        if isinstance(left, Literal) and not isinstance(right, Literal):
            left, right = right, left
            sign = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign, sign)
        if isinstance(right, Literal) and isinstance(left, Field):
            return self._with_literal(sign, self.scope.resolve(left)[0], right.value)
        one, other = self.value(left)[0], self.value(right)[0]
        if sign in _MIRRORED:
            one, other, sign = other, one, _MIRRORED[sign]
        return f"{_COMPARED[sign]}({one}, {other})"

    def _with_literal(self, sign: str, held: str, literal: int | float | str) -> str:
        """Where the field is of the literal's type, Python compares."""
        as_number = values.number(literal)
        slow = _MIRRORED.get(sign, sign)
        bound = self.code.bind(literal)
        called = f"{bound}, {held}" if sign in _MIRRORED else f"{held}, {bound}"
        if as_number is None:
            if sign == "=" and literal not in ("true", "false"):
                return f"({held} == {bound})"
            return f"{_COMPARED[slow]}({called})"
        fast = f"{held} {_PYTHON[sign]} {self.code.bind(as_number)}"
        return f"({fast} if {held}.__class__ in NUMBERS else {_COMPARED[slow]}({called}))"

    def _like(self, like: Like) -> str:
        held = self.held(like.subject)
        if like.literal is not None:
            part = self.code.bind(like.literal)
            found = f"({part} in {held} if {held}.__class__ is str else has({held}, {part}))"
        else:
            assert like.pattern is not None
            search = self.code.bind(like.pattern.search)
            found = f"({search}({held}) is not None if {held}.__class__ is str else found({search}, {held}))"
        return f"(not {found})" if like.negated else found

    def _call(self, call: Call) -> tuple[str, str]:
        match call:
            case Call("bin", (Period() as period,)):
                return self._bin(period)
            case Call("datefloor" | "dateceil" as name, (at, Period(milliseconds, months))):
                which = "floor_date" if name == "datefloor" else "ceil_date"
                return f"{which}({self.value(at)[0]}, {milliseconds}, {months})", TIME
            case Call("now"):
                return repr(self.code.now_ms // 1000), ANY
            case Call("frommillis", (value,)):
                return f"number({self.value(value)[0]})", TIME
            case Call("if", (condition, then, otherwise)):
                one, other = self.value(then), self.value(otherwise)
                return f"({one[0]} if {self.condition(condition)} else {other[0]})", one[1] if one == other else ANY
            case _:
                found = [self.value(argument) for argument in call.arguments]
                text = f"{self.code.bind(functions.FUNCTIONS[call.name])}({', '.join(each[0] for each in found)})"
                times = call.name in ("coalesce", "greatest", "least", "unmask") and all(
                    kind == TIME for _, kind in found
                )
                return text, TIME if times else TRUTH if call.name in functions.TRUTHS else ANY

    def _bin(self, period: Period) -> tuple[str, str]:
        at, _ = self.scope.resolve(Field("@timestamp", ("@timestamp",)))
        if period.months or at != "ts":
            return f"floor_date({at}, {period.milliseconds}, {period.months})", TIME
        return f"ts // {period.milliseconds} * {period.milliseconds}", TIME
