"""What can go wrong when messages are rendered, each with the place where it went wrong."""

from __future__ import annotations


class RenderError(Exception):
    """A prompt could not be rendered.

    `message_index` counts from 0, `line` from 1 within that message's text, `variable` is the name of the
    variable at fault; `column` and `end_column` count characters from 1, the end exclusive. Each is None
    where it is not known. `included` is the way into included prompts where the fault lies in one: (slug,
    version, line) each, while `line` is that of the tag in the message.
    """

    code = "render_failed"

    def __init__(
        self,
        reason: str,
        *,
        message_index: int | None = None,
        line: int | None = None,
        variable: str | None = None,
        column: int | None = None,
        end_column: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.message_index = message_index
        self.line = line
        self.variable = variable
        self.column = column
        self.end_column = end_column
        self.included: tuple[tuple[str, int, int | None], ...] = ()

    @property
    def field(self) -> str:
        """Where the error is, as a field path: `messages[1].content`."""
        return "messages" if self.message_index is None else f"messages[{self.message_index}].content"

    def inside(self, slug: str, version: int) -> RenderError:
        """This error, which happened in an included prompt, as one of the prompt that includes it."""
        self.included = ((slug, version, self.line), *self.included)
        line = "" if self.line is None else f", line {self.line}"
        self.reason = f"in “{slug}” version {version}{line}: {self.reason}"
        self.line = self.column = self.end_column = None
        return self

    def __str__(self) -> str:
        place = "" if self.message_index is None else f"Message {self.message_index + 1}"
        if place and self.line is not None:
            place += f", line {self.line}"
        return f"{place}: {self.reason}" if place else self.reason


class TemplateSyntax(RenderError):
    """The text is not a valid template."""

    code = "template_syntax"


class UndefinedVariable(RenderError):
    """The template uses a variable, or a field of one, that the inputs do not hold."""

    code = "undefined_variable"


class TemplateRefused(RenderError):
    """The template reaches for something that templates may not touch."""

    code = "template_refused"


class TimeLimitExceeded(RenderError):
    """Rendering took longer than its limit and was stopped."""

    code = "render_time_limit"


class SizeLimitExceeded(RenderError):
    """The result, or something made on the way to it, grew past its limit."""

    code = "render_size_limit"


class InvalidInputs(RenderError):
    """The inputs hold something that is not plain JSON, or a placeholder's value is no list of messages."""

    code = "render_inputs"


class TemplateFailed(RenderError):
    """An expression in the template failed, such as adding a number to a text."""

    code = "template_failed"


class IncludeFailed(RenderError):
    """Another prompt cannot be included: there is none, or it would include itself."""

    code = "include_failed"
