"""What the widgets of notebook 09 share: a field for a sentence, whose words are completed and remarked on."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

import traitlets

# A caption -> sentences about what of it is not understood
Remarks = Callable[[str], list[str]]


class PromptField(traitlets.HasTraits):
    """The part of a widget that is a field for a sentence: `prompt` is what was asked last, None for no field.

    `words` complete it. `notes` are the remarks on it.
    """

    prompt = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _remarks: Remarks | None = None

    def _noted(self) -> str | None:
        """The prompt, remarked on."""
        self.notes = [] if self._remarks is None or self.prompt is None else list(self._remarks(self.prompt))
        return self.prompt


def shortened(prompt: str) -> str:
    """A prompt in quotation marks, at most a line long."""
    return "\u201c" + textwrap.shorten(prompt, 90, placeholder=" ...") + "\u201d"


def plain(text: str) -> str:
    """A text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|$~-])", r"\\\1", text)
