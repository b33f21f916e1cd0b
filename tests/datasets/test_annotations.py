"""Scenes are annotated exactly: boxes, masks, depth, normals, edges, keypoints."""

import numpy as np
import pytest
import torch

from course_utils.datasets.annotations import annotate
from course_utils.datasets.grounds import paint
from course_utils.datasets.scene import Scene, corner, make_scene, render
from course_utils.datasets.sprites import concept, cutout


@pytest.mark.parametrize("size", [32, 64, 128])
def test_boxes_fit_what_is_drawn_within_a_pixel(size, some):
    for scene in some:
        for placed in scene.objects:
            assert 0 <= min(placed.box) and max(placed.box) <= 1, "nothing is cropped by the rim"
            left, top, side = corner(placed, size)
            cut = cutout(scene.style, placed.concept, side, placed.flipped)
            drawn = np.argwhere(cut.keep < 236) + (top + cut.top, left + cut.left)
            found = [*drawn.min(axis=0)[::-1], *(drawn.max(axis=0)[::-1] + 1)]
            assert np.abs(np.array(placed.box) * size - found).max() <= 1, (placed, scene.style)


@pytest.mark.parametrize("size", [32, 128])
def test_masks_depth_and_labels_tell_one_story(size, some):
    for scene in some[:150]:
        known = annotate(scene, size)
        masks, visible = known.masks.numpy(), known.visible.numpy()
        assert visible.sum(axis=0).max() <= 1, "visible masks are disjoint"
        hidden_by = np.zeros((size, size), bool)
        for k in reversed(range(len(scene.objects))):
            assert np.array_equal(visible[k], masks[k] & ~hidden_by)
            assert visible[k].any(), "no object is hidden altogether"
            hidden_by |= masks[k]
            assert (known.depth.numpy()[visible[k]] == k + 1).all()
            label = concept(scene.objects[k].concept).index + 1
            assert np.array_equal(known.semantic.numpy() == label, visible[k])
        assert (known.depth.numpy()[~hidden_by] == 0).all()


def test_masks_are_where_the_picture_differs_from_its_ground(some):
    for scene in some[:60]:
        gap = np.abs(render(scene, 64).astype(int) - paint(scene.ground, 64)).max(axis=0)
        covered = annotate(scene, 64).masks.any(dim=0).numpy()
        # A few pixels may have the colour of the ground, and the soft edge reaches a pixel further
        assert (gap[covered] > 0).mean() > 0.97
        near = covered.copy()
        for axis in (0, 1):
            near |= np.roll(near, 1, axis) | np.roll(near, -1, axis)
        assert (gap[~near] == 0).mean() > 0.99


def test_normals_are_unit_vectors_that_lean_outwards(some):
    for scene in some[:60]:
        known = annotate(scene, 64)
        normals = known.normals
        assert torch.allclose(normals.norm(dim=0), torch.ones(64, 64), atol=1e-5)
        assert (normals[2] > 0).all()
        assert (normals[:, known.depth == 0].T == torch.tensor([0.0, 0.0, 1.0])).all()
    ball = annotate(make_scene("soccer ball", "flat", "blue"), 64)
    inside = ball.masks[0]
    rows, columns = torch.nonzero(inside, as_tuple=True)
    x, y = columns - columns.float().mean(), rows - rows.float().mean()
    # On a ball the normal points away from the middle: to the right on the right, up (positive) at the top
    assert torch.corrcoef(torch.stack([x, ball.normals[0][inside]]))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([y, ball.normals[1][inside]]))[0, 1] < -0.9


def test_flipping_mirrors_every_map():
    scene = make_scene("fire engine", "glossy", "blue")
    (placed,) = scene.objects
    l, t, r, b = placed.box
    turned = Scene(
        (type(placed)(placed.concept, placed.x, placed.y, placed.size, True, (1 - r, t, 1 - l, b)),),
        scene.ground, scene.style, scene.caption,
    )  # fmt: skip
    assert np.array_equal(render(turned, 64), render(scene, 64)[:, :, ::-1])
    one, other = annotate(scene, 64), annotate(turned, 64)
    assert torch.equal(other.masks, one.masks.flip(-1))
    assert torch.allclose(other.normals[0], -one.normals[0].flip(-1), atol=1e-5)
    mirrored = one.keypoints[0, [0, 1, 3, 2, 4]] * torch.tensor([-1.0, 1, 1]) + torch.tensor([1.0, 0, 0])
    assert torch.allclose(other.keypoints[0], mirrored, atol=1e-6)


def test_edges_are_thin_lines_between_zero_and_one(some):
    for scene in some[:60]:
        known = annotate(scene, 64)
        edges = known.edges
        assert 0 <= edges.min() and edges.max() == 1
        assert (edges[known.depth == 0] == 0).all(), "patterns of the ground are no edges"
        assert (edges > 0).float().mean() < 0.5
        # Each object is outlined: on its way out of a visible mask a row crosses an edge
        for mask in known.visible:
            rows, columns = torch.nonzero(mask, as_tuple=True)
            first = columns[rows == rows.min()].min()
            if rows.min() > 0 and known.depth[rows.min() - 1, first] < known.depth[rows.min(), first]:
                assert edges[rows.min(), first] == 1


def test_keypoints_are_on_their_box_and_know_whether_they_are_seen(some):
    for scene in some:
        small, large = annotate(scene, 32), annotate(scene, 128)
        assert torch.equal(small.keypoints, large.keypoints) and torch.equal(small.boxes, large.boxes)
        for k, (l, t, r, b) in enumerate(large.boxes.tolist()):
            points = large.keypoints[k]
            x, y, seen = points.T
            slack = 4 / 128
            assert ((x >= l) & (x <= r) & (y >= t) & (y <= b)).all()
            assert abs(y[0] - t) < slack and abs(y[1] - b) < slack
            assert abs(x[2] - l) < slack and abs(x[3] - r) < slack
            for (px, py), flag in zip((points[:, :2] * 128).long().tolist(), seen):
                nearer = large.masks[k + 1 :, py, px].any()
                around = large.masks[k + 1 :, max(0, py - 1) : py + 2, max(0, px - 1) : px + 2]
                # At the rim of a nearer object a rounded pixel may say otherwise
                assert bool(flag) != bool(nearer) or around.any() != around.all()
