"""The real pretrained models of the cells "At full scale": what models.toml says of them; are they still there?"""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from course_utils import runtime

HUB = "huggingface.co"
_FILE = Path(__file__).with_name("models.toml")


@dataclass(frozen=True)
class Model:
    """An entry of models.toml; download and memory in GB."""

    name: str
    id: str
    licence: str
    download: float
    memory: float
    opens: str
    notebook: str
    checked: date
    gate: str = ""
    host: str = HUB
    page: str = ""

    @property
    def address(self) -> str:
        """Where the model describes itself."""
        return self.page or f"https://{HUB}/{self.id}"


@cache
def models() -> dict[str, Model]:
    """All real models of the course, by the short name that the notebooks use."""
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: Model(**entry) for name, entry in entries.items()}


def model(name: str) -> Model:
    """The model of a short name, such as "dit". ValueError, with all names, for an unknown one."""
    if name not in models():
        raise ValueError(f"There is no model {name!r} in models.toml; there are {', '.join(models())}.")
    return models()[name]


def need(name: str) -> str:
    """The id of a model, for `from_pretrained`; RuntimeError, with a sentence, when it cannot be loaded."""
    wanted = model(name)
    what = f"{wanted.name} (about {wanted.download:g} GB, licence: {wanted.licence})"
    runtime.need_hub(what, host=wanted.host, repo=wanted.id if wanted.host == HUB else None)
    return wanted.id


def requirements(*names: str) -> str:
    """A sentence that says what a cell needs which opens these models together."""
    chosen = [model(name) for name in names]
    gigabytes = f"{sum(one.download for one in chosen):g} GB from {chosen[0].host}"
    gates = [one.gate for one in chosen if one.gate]
    *listed, last = [f"an NVIDIA GPU with {max(one.memory for one in chosen):g} GB of memory", gigabytes, *gates]
    return f"This needs {', '.join(listed)}{',' * (len(listed) > 1)} and {last}. On Colab choose a T4."


def table() -> str:
    """All models as a table in Markdown, which stands in the README."""
    gated = {True: "; must be accepted", False: ""}
    rows = [f"| [{one.name}]({one.address}) | {one.licence}{gated[bool(one.gate) and one.host == HUB]} "
            f"| {one.download:g} GB | {one.memory:g} GB | `{one.opens.rpartition('.')[2]}` | {one.notebook} "
            f"| {one.checked} |" for one in models().values()]
    return "\n".join(["| model | licence | download | GPU | opened by | notebook | checked |",
                      "|---|---|---|---|---|---|---|", *rows])


def check() -> int:
    """Ask the hub for each model and print a line about it; 1 if one is gone, or is gated otherwise than noted.

    Raises RuntimeError when the hub is switched off or does not answer."""
    from huggingface_hub import HfApi, get_session
    from huggingface_hub.errors import RepositoryNotFoundError

    runtime.need_hub("What is known of the models")
    failed = False
    for one in models().values():
        said = ""
        if one.host != HUB:
            answer = get_session().head(one.address, timeout=10).status_code
            said = f"{one.address} answers {answer}" if answer >= 400 else ""
        else:
            try:
                gated = bool(HfApi().model_info(one.id, timeout=10).gated)
                said = f"{'is' if gated else 'is not'} gated" if gated != bool(one.gate) else ""
            except RepositoryNotFoundError:
                said = "is gone"
        failed |= bool(said)
        print(f"[{'FAIL' if said else 'OK'}] {one.id}, notebook {one.notebook}{': ' * bool(said)}{said}")
    return int(failed)
