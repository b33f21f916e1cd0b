"""Draw data/emoji/preview.png: sprites in six styles, captioned scenes with bounding boxes, annotations of a scene."""

import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from course_utils.datasets.scenes import Scene, annotate, make_scene, render
from course_utils.datasets.sprites import STYLES, cutout

WIDTH, MARGIN = 1200, 28
SHOWN = (
    "cat", "fox", "penguin", "octopus", "strawberry", "hamburger",
    "sunflower", "snowman", "rocket", "castle", "guitar", "robot",
)  # fmt: skip
INK, FAINT, PAPER = (24, 28, 36), (104, 110, 122), (255, 255, 255)
BOX_COLOURS = ((255, 255, 255), (20, 24, 40), (255, 236, 60))
SIDE = 148


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def examples() -> list[Scene]:
    """Five scenes that show relations, patterns and caption lengths."""
    return [
        make_scene(["cat", "balloon"], "glossy", "blue", relation="left of"),
        make_scene(
            ["ghost", "castle"], "flat", "purple", pattern="dotted", relation="in front of", length="long",
        ),
        make_scene("lion", "shaded", "teal", pattern="wavy", length="long"),
        make_scene(
            ["sun", "sailboat"], "vintage", "navy", pattern="gradient", relation="above", length="long",
        ),
        make_scene(
            ["panda", "umbrella", "cherries"], "outlined", "pink", pattern="striped",
            boxes=[(0.05, 0.45, 0.5, 0.95), (0.06, 0.06, 0.45, 0.42), (0.58, 0.3, 0.96, 0.75)],
        ),
    ]  # fmt: skip


def sprites(sheet: Image.Image, top: int) -> int:
    """Draw twelve concepts, a row for each style; returns the y coordinate below them."""
    draw = ImageDraw.Draw(sheet)
    left, side, pitch = MARGIN + 106, 74, 87
    for column, name in enumerate(SHOWN):
        x = left + column * pitch + side // 2
        draw.text((x, top + 11), name, INK, font(14), anchor="ms")
    for row, style in enumerate(STYLES):
        y = top + 24 + row * (side + 8)
        draw.text((MARGIN, y + side // 2), style, INK, font(19), anchor="lm")
        for column, name in enumerate(SHOWN):
            cut = cutout(style, name, side)
            ground = np.asarray(PAPER, np.float32)[:, None, None] * (cut.keep / 256) + cut.rgb
            tile = Image.fromarray(ground.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
            sheet.paste(tile, (left + column * pitch + cut.left, y + cut.top))
    return top + 24 + len(STYLES) * (side + 8)


def scenes(sheet: Image.Image, top: int) -> int:
    """Draw captioned scenes with the bounding boxes of their objects; returns the y coordinate below them."""
    draw = ImageDraw.Draw(sheet)
    shown = examples()
    side = 212
    pitch = (WIDTH - 2 * MARGIN - side) // (len(shown) - 1)
    for column, scene in enumerate(shown):
        x = MARGIN + column * pitch
        sheet.paste(Image.fromarray(render(scene, side).transpose(1, 2, 0)), (x, top))
        for placed, colour in zip(scene.objects, BOX_COLOURS):
            l, t, r, b = (round(value * side) for value in placed.box)
            draw.rectangle((x + l, top + t, x + r - 1, top + b - 1), outline=colour, width=2)
        draw.multiline_text((x, top + side + 10), textwrap.fill(scene.caption, 30), INK, font(15), spacing=5)
    return top + side + 96


def maps(sheet: Image.Image, top: int) -> int:
    """Draw one scene and its annotations; returns the y coordinate below them."""
    scene = make_scene(
        ["house", "bear", "snowman"], "shaded", "green", pattern="checked",
        boxes=[(0.06, 0.06, 0.62, 0.62), (0.36, 0.44, 0.78, 0.92), (0.66, 0.1, 0.96, 0.45)],
    )  # fmt: skip
    known = annotate(scene, SIDE)
    seen = np.array([(245, 245, 245), (0, 114, 178), (230, 159, 0), (0, 158, 115)], np.uint8)
    image = render(scene, SIDE).transpose(1, 2, 0)
    points = Image.fromarray(image)
    for x, y, visible in known.keypoints.reshape(-1, 3).tolist():
        x, y = x * SIDE, y * SIDE
        fill = (255, 236, 60) if visible else (20, 24, 40)
        ImageDraw.Draw(points).ellipse((x - 3, y - 3, x + 3, y + 3), fill, outline=(20, 24, 40))
    first = (known.masks[0].numpy()[..., None] * seen[1]).astype(np.uint8)
    first[~known.masks[0].numpy()] = seen[0]
    tiles = {
        "scene": Image.fromarray(image),
        "key points": points,
        "visible masks": Image.fromarray(seen[known.depth.numpy()]),
        "a whole mask": Image.fromarray(first),
        "depth order": Image.fromarray((known.depth.numpy() * 85).astype(np.uint8)),
        "edges": Image.fromarray((255 - known.edges.numpy() * 255).astype(np.uint8)),
        "normals": Image.fromarray(((known.normals.numpy().transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8)),
    }
    draw = ImageDraw.Draw(sheet)
    pitch = (WIDTH - 2 * MARGIN - SIDE) // (len(tiles) - 1)
    for column, (name, tile) in enumerate(tiles.items()):
        x = MARGIN + column * pitch
        sheet.paste(tile, (x, top))
        draw.rectangle((x, top, x + SIDE - 1, top + SIDE - 1), outline=(190, 194, 202))
        draw.text((x, top + SIDE + 10), name, INK, font(15))
    return top + SIDE + 34


def draw() -> Image.Image:
    """Draw the whole sheet, from the finished files of data/emoji."""
    sheet = Image.new("RGB", (WIDTH, 2000), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 20), "Emoji scenes", INK, font(30))
    note = "98 things, each drawn in six art styles, become captioned scenes of any size"
    pen.text((MARGIN + 204, 31), note, FAINT, font(17))
    y = sprites(sheet, 78) + 14
    for heading, part in (
        ("Scenes, their captions and the exact boxes of their objects", scenes),
        ("What else is known of a scene, to the pixel", maps),
    ):
        pen.line((MARGIN, y, WIDTH - MARGIN, y), (214, 217, 222))
        pen.text((MARGIN, y + 14), heading, INK, font(20))
        y = part(sheet, y + 52)
    return sheet.crop((0, 0, WIDTH, y + 6))
