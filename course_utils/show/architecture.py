"""A diagram of a network, drawn from one forward pass: its modules in the order of execution, and their skips."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from course_utils.show.figures import WIDTH, draw_image, figure, plt, sizes, styled

# A fill for each kind of part, light enough for black text; in greyscale prints the names tell them apart
FILLS = {"Conv2d": "#DCEAF5", "ResidualBlock": "#FBE3CF", "TransformerBlock": "#D3EFE4", "TimeEmbedding": "#F6E3EE"}
CONDITIONED = "#CC79A7"  # the dot on parts that take the time embedding
TEXT = "#009E73"  # the arrows from the text encoder
HIGH, GAP, ARM = 0.44, 0.16, 2.02  # inches: height of a box, space between two, width of a box on the arms


def parts(network: nn.Module, name: str = "") -> dict[str, nn.Module]:
    """The network's parts by name: a module that holds a ModuleList is split up, any other is one part."""
    found = {}
    for child, module in network.named_children():
        inside = [module, *module.children()]
        if any(isinstance(part, nn.ModuleList) for part in inside):
            found |= parts(module, f"{name}{child}.")
        else:
            found[name + child] = module
    return found


def trace(network: nn.Module, *inputs, **conditions) -> list[dict]:
    """A row for each module of one forward pass, in the order they finished; the last row is the whole network.

    A row has name, kind, parameters, inputs and outputs (lists of tensors). Modules inside a part (see `parts`) have
    no row.
    """
    rows, shown = [], parts(network)
    opened = {name: module for name, module in network.named_modules() if any(p.startswith(name) for p in shown)}

    def note(name: str):
        def hook(module, inputs, outputs):
            count = sum(p.numel() for p in module.parameters())
            rows.append({"name": name, "kind": type(module).__name__, "parameters": count,
                         "inputs": _tensors(inputs), "outputs": _tensors(outputs)})
        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in (opened | shown).items()]
    try:
        with torch.no_grad():
            network(*inputs, **conditions)
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def architecture(rows: list[dict], caption: str, alt: str | None = None, text_encoder: Sequence[dict] = ()) -> None:
    """Draw a U-Net from the rows of `trace`: a box for each part, an arrow for each skip connection.

    A box is placed at the level of its output's resolution; a dot marks a part that takes the time embedding.
    `text_encoder` holds the rows of the network whose tokens the middle attends to; it is drawn below the middle, and
    its summary is added to the time embedding. `alt` is derived from the rows when it is not given.
    """
    drawing = _U(rows, text_encoder)
    figure(drawing.draw(), caption, alt or drawing.describe())


def shape(row: dict) -> str:
    """The output shape of a row's part for one image, as text: "16 x 16 x 64", "64 tokens x 192", "192"."""
    output = row["outputs"][0][0]
    return f"{len(output)} tokens x {output.shape[1]}" if output.ndim == 2 else sizes(output)


class _U:
    """The layout of the boxes: levels from the highest resolution down, with a left arm, a right arm and a middle."""

    def __init__(self, rows: list[dict], text_encoder: Sequence[dict] = ()):
        self.text_encoder = [row for row in text_encoder if row["name"] and row["outputs"][0].ndim == 3]
        names = [row["name"] for row in rows]
        inner = [row for row in rows if not any(other.startswith(row["name"] + ".") for other in names)]
        self.boxes = [row for row in inner if row["name"] and row["outputs"][0].ndim > 2]
        self.beside = [row for row in inner if row["name"] and row["outputs"][0].ndim == 2]
        self.whole = next((row for row in rows if not row["name"]), None)
        self.skips = self._skips([row for row in rows if row not in inner])
        self._levels()

    def _skips(self, opened: list[dict]) -> list[tuple[dict, dict]]:
        """Pairs (from, to): the output of one box that a module other than the next takes unchanged."""
        found = []
        for whole in opened:
            inside = [i for i, box in enumerate(self.boxes) if box["name"].startswith(whole["name"] + ".")]
            for i, box in enumerate(self.boxes[: inside[0]] if whole["name"] and inside else ()):
                used = any(given is taken for given in box["outputs"] for taken in whole["inputs"])
                if used and i < inside[0] - 1:
                    # It is concatenated where the resolutions agree: after the upsampling
                    same = [j for j in inside if self._size(j) == self._size(i)]
                    found.append((box, self.boxes[(same or inside)[0]]))
        return found

    def _size(self, i: int) -> int:
        """Height of the output of box i; for tokens, that of the last feature map before them."""
        while self.boxes[i]["outputs"][0].ndim < 4:
            i -= 1
        return self.boxes[i]["outputs"][0].shape[-2]

    def _levels(self) -> None:
        sizes = [self._size(i) for i in range(len(self.boxes))]
        lowest = min(sizes)
        last = len(sizes) - 1 - sizes[::-1].index(lowest)
        tokens = [i for i, box in enumerate(self.boxes) if box["outputs"][0].ndim == 3]
        # Without a transformer, the lowest level runs down to its last box
        turn = tokens[0] if tokens else last
        self.middle = [self.boxes[i] for i in tokens]
        self.places, self.sizes, y = {}, sorted(set(sizes), reverse=True), 0.0
        for depth, size in enumerate(self.sizes):
            left = [i for i in range(len(sizes)) if sizes[i] == size and i < turn]
            right = [i for i in range(len(sizes)) if sizes[i] == size and i >= turn and i not in tokens]
            y += max(len(left), len(right), 1) * (HIGH + GAP) + 0.26
            for side, stack in (("left", left[::-1]), ("right", right)):
                for k, i in enumerate(stack):
                    self.places[self.boxes[i]["name"]] = (side, depth, y - k * (HIGH + GAP))
        self.bottom = y

    def draw(self):
        """The figure."""
        step = min(0.28, 1.0 / max(1, len(self.sizes)))
        top = 1.12 if self.whole else 0.3
        height = self.bottom + top + (1.72 if self.text_encoder else 0.12)
        with styled({"figure.constrained_layout.use": False}):
            fig = plt.figure(figsize=(WIDTH, height))
            axis = fig.add_axes((0, 0, 1, 1))
            axis.set(xlim=(0, WIDTH), ylim=(height, 0))
            axis.axis("off")
        self.axis, self.where = axis, {}
        for box in self.boxes:
            if box["name"] in self.places:
                side, depth, y = self.places[box["name"]]
                x = 0.08 + step * depth if side == "left" else WIDTH - 0.08 - step * depth - ARM
                self._box(box, x, y + top - HIGH, ARM, HIGH)
        self._middle(top, step * (len(self.sizes) - 1))
        for before, after in zip(self.boxes, self.boxes[1:]):
            self._flow(before, after)
        for start, end in self.skips:
            self._skip(start, end)
        for k, box in enumerate(self.beside):
            y = 0.34 + k * (HIGH + GAP)
            self._box(box, (WIDTH - ARM) / 2, y, ARM, HIGH)
            axis.plot((WIDTH - ARM) / 2 - 0.16, y + HIGH / 2, "o", color=CONDITIONED, ms=7)
        if self.text_encoder:
            self._draw_text_encoder(self.bottom + top)
        if self.beside:
            axis.text(WIDTH / 2, 0.24, "input to every part with a dot:", ha="center", fontsize=8.5)
        self._images(fig, height)
        return fig

    def _middle(self, top: float, indent: float) -> None:
        """The transformer blocks, side by side between the arms; as one box where there is no room."""
        left, right = 0.08 + indent + ARM + GAP, WIDTH - 0.08 - indent - ARM
        wide, high = (right - left) / max(1, len(self.middle)), 0.86
        if wide - GAP < 0.6 and self.middle:
            self._box(self.middle[0], left, self.bottom + top - high, right - left - GAP, high, of=len(self.middle))
            self.where |= {box["name"]: self.where[self.middle[0]["name"]] for box in self.middle}
            return
        for k, box in enumerate(self.middle):
            self._box(box, left + k * wide, self.bottom + top - high, wide - GAP, high, of=1)

    def _draw_text_encoder(self, floor: float) -> None:
        """The text encoder's boxes below the middle, and the arrows of its tokens and of its summary."""
        places = [self.where[box["name"]] for box in self.middle]
        left, right = places[0][0], places[-1][0] + places[-1][2] + GAP
        wide, high = (right - left) / len(self.text_encoder), 0.86
        for k, box in enumerate(self.text_encoder):
            self._box(box, left + k * wide, floor + 0.74, wide - GAP, high, of=1)
            if k:
                self._arrow((left + k * wide - GAP, floor + 1.17), (left + k * wide, floor + 1.17))
        level, last = floor + 0.36, right - GAP - (wide - GAP) / 2
        ends = sorted({x + w / 2 for x, _, w, _ in places})
        self.axis.plot([last, last, ends[0]], [floor + 0.74, level, level], color=TEXT, lw=2.0)
        for x in ends:
            self._arrow((x, level), (x, floor), TEXT, 2.0)
        look = {"fontsize": 8.5, "va": "center", "color": TEXT}
        self.axis.text(left, floor + 0.55, f"{shape(self.text_encoder[-1])}, beside the keys and values", **look)
        for box in self._summary_parts():
            x, y, w, h = self.where[box["name"]]
            self._arrow((x + w / 2, y + h + 0.36), (x + w / 2, y + h), TEXT, 2.0)
            self.axis.text(x + w / 2 + 0.1, y + h + 0.27, f"pooled embedding: {_vectors(box)[0].shape[1]}", **look)

    def _summary_parts(self) -> list[dict]:
        """The parts, other than the time embedding, that take a vector: the text encoder's summary."""
        return [box for box in self.beside if _vectors(box)]

    def _box(self, row: dict, x: float, y: float, wide: float, high: float, of: int = 0) -> None:
        """The box of a part: two lines of text, or narrow in the middle, for `of` parts in one box."""
        self.where[row["name"]] = (x, y, wide, high)
        look = {"facecolor": FILLS.get(row["kind"], "#EEEEEE"), "edgecolor": "#333333", "linewidth": 0.9}
        self.axis.add_patch(plt.Rectangle((x, y), wide, high, **look))
        kind, size = row["kind"], min(8.0, 9.3 * wide / 0.86) if of else 8.0
        title, text = row["name"], f"{kind}: {shape(row)}, {_count(row['parameters'])}"
        if of == 1:
            title, text = row["name"], "\n".join([kind.replace("Block", "\nBlock"), shape(row).replace(" tokens", ""),
                                                  _count(row["parameters"])])
        if of > 1:
            title = f"{row['name']} to {self.middle[-1]['name']}"
            text = f"{of} x {kind},\neach {shape(row)}, {_count(row['parameters'])}"
        look = {"ha": "center", "va": "center", "linespacing": 1.15}
        self.axis.text(x + wide / 2, y + 0.12, title, fontsize=size, fontweight="bold", **look)
        self.axis.text(x + wide / 2, y + (0.53 if of else 0.31), text, fontsize=size - 0.6, **look)
        if row["outputs"][0].ndim > 2 and _vectors(row):
            self.axis.plot(x, y, "o", color=CONDITIONED, ms=6.5)

    def _flow(self, before: dict, after: dict) -> None:
        (x, y, w, h), (u, v, _, q) = self.where[before["name"]], self.where[after["name"]]
        if (x, y) == (u, v):
            return
        if abs(y + h - v - q) < 0.5 * HIGH:
            level = max(y + h, v + q) - HIGH / 2
            self._arrow((x + w, level), (u, level))
        elif v > y:
            self._arrow((max(x, u) + ARM / 2, y + h), (max(x, u) + ARM / 2, v))
        else:
            middle = min(x, u) + ARM / 2
            self._arrow((middle, y), (middle, v + q))
            times = _height(after["inputs"]) // max(1, _height(before["outputs"]))
            if times > 1:
                self.axis.text(middle + 0.08, (y + v + q) / 2, f"x {times}", va="center", fontsize=8.5)

    def _skip(self, start: dict, end: dict) -> None:
        (x, y, w, h), (u, v, _, q) = self.where[start["name"]], self.where[end["name"]]
        self._arrow((x + w, y + h / 2), (u, v + q / 2), "#0072B2", 2.0)
        text = f"skip: {shape(start)}, concatenated: {end['inputs'][0].shape[1]} channels"
        self.axis.text((x + w + u) / 2, (y + v + h) / 2 - 0.06, text, ha="center", va="bottom", fontsize=8.5,
                       color="#0072B2")

    def _arrow(self, start, end, colour="#333333", width=1.1) -> None:
        look = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
        self.axis.annotate("", end, start, arrowprops=look)

    def _images(self, fig, height: float) -> None:
        """The input and output images, above the arms."""
        tall = 0.95
        for side, key, box in (("in", "inputs", self.boxes[0]), ("out", "outputs", self.boxes[-1])):
            image = self.whole[key][0][0] if self.whole else None
            if image is None or image.ndim != 3 or image.shape[0] not in (1, 3):
                continue
            x, y, w, _ = self.where[box["name"]]
            middle, entering = x + w / 2, box[key][0][0]
            axis = fig.add_axes(((middle - tall / 2) / WIDTH, 1 - (0.08 + tall) / height, tall / WIDTH, tall / height))
            draw_image(axis, image)
            look = {"fontsize": 8.5, "va": "center", "ha": "left" if side == "in" else "right"}
            aside = 1 if side == "in" else -1
            self.axis.text(middle + aside * (tall / 2 + 0.08), 0.08 + tall / 2, f"{side}:\n{sizes(image)}", **look)
            ends = ((middle, 0.1 + tall), (middle, y))
            self._arrow(*(ends if side == "in" else ends[::-1]))
            if entering.shape != image.shape:
                how = "unshuffled" if side == "in" else "to be shuffled"
                self.axis.text(middle + 0.08 * aside, (0.1 + tall + y) / 2, f"{how}: {sizes(entering)}", **look)

    def describe(self) -> str:
        """The alt text of the drawing."""
        skips = [f"from {start['name']} to {end['name']}" for start, end in self.skips]
        runs = [f"{', '.join(names)} at {size} x {size}" for size, names in self._runs()]
        summary = [box["name"] for box in self._summary_parts()]
        below = (f" Below, {', '.join(row['name'] for row in self.text_encoder)}, with arrows up into "
                 f"{' and '.join(['the middle', *summary])}.")
        return (f"A U of {len(self.boxes)} boxes, from upper left down and up again: {'; '.join(runs)}. "
                f"Arrows across the U: {', '.join(skips) or 'none'}.{below if self.text_encoder else ''}")

    def _runs(self):
        indexed = [(self._size(i), box["name"]) for i, box in enumerate(self.boxes)]
        for size, group in groupby(indexed, key=lambda pair: pair[0]):
            yield size, [name for _, name in group]


def _tensors(values) -> list[Tensor]:
    """The tensors among a module's inputs or outputs."""
    values = values if isinstance(values, (tuple, list)) else (values,)
    return [value for value in values if isinstance(value, Tensor)]


def _vectors(row: dict) -> list[Tensor]:
    """The inputs of a part that are one vector for each image (B, n), such as the time embedding."""
    return [taken for taken in row["inputs"] if taken.ndim == 2 and taken.is_floating_point()]


def _height(tensors: list[Tensor]) -> int:
    """Height of the first image (B, C, H, W) among them; 0 when there is none."""
    return next((x.shape[-2] for x in tensors if x.ndim == 4), 0)


def _count(n: int) -> str:
    """A number of parameters, abbreviated."""
    return f"{n / 1e6:.2f}M" if n >= 1e6 else f"{n / 1e3:.0f}k" if n >= 1e4 else f"{n / 1e3:.1f}k"
