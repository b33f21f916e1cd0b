"""The prompt field of notebook 09's widgets: word completion, and remarks on what is not understood."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

import traitlets

# prompt -> sentences about parts of it that are not understood
Remarks = Callable[[str], list[str]]


class PromptField(traitlets.HasTraits):
    """The prompt field of a widget: `prompt` is the last request, None for no field.

    `words`: vocabulary for completion. `notes`: the remarks on `prompt`.
    """

    prompt = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _remarks: Remarks | None = None

    def _prompt_with_notes(self) -> str | None:
        """Update `notes` and return the prompt."""
        self.notes = [] if self._remarks is None or self.prompt is None else list(self._remarks(self.prompt))
        return self.prompt


def shortened(prompt: str) -> str:
    """A prompt in quotation marks, shortened to one line."""
    return "\u201c" + textwrap.shorten(prompt, 90, placeholder=" ...") + "\u201d"


def plain(text: str) -> str:
    """A text escaped for Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|$~-])", r"\\\1", text)
