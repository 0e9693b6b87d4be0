"""A sheet of paper photographed: on a desk, bent, lit unevenly, not quite sharp. All sizes are in pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quality.page import Page, as_jpeg
from tests.pictures import degrade
from tests.pictures.render import Picture

_CELL = 48  # the sheet is bent in squares of this size

Levels = NDArray[np.float32]
Bend = NDArray[np.float64]


@dataclass(frozen=True)
class Hardship:
    """How bad a photograph is.

    `size` is its longer side, and `margin` the share of it that shows the desk at each side.
    `tilt` is the largest turn in degrees.
    `perspective` is the largest shift of a corner, and `waves` of a point of bent paper, as shares of the size.
    `light` is the share of brightness lost in the darkest corner, `shadow` the chance of a shadow.
    `creases` is the depth of the folds' shading, in levels.
    `blur` and `motion` are in pixels, `noise` in levels.
    """

    size: int
    margin: float = 0.05
    tilt: float = 3.0
    perspective: float = 0.03
    waves: float = 0.0
    light: float = 0.4
    shadow: float = 0.5
    creases: float = 0.0
    blur: float = 1.0
    motion: float = 0.0
    noise: float = 6.0
    quality: tuple[int, int] = (55, 85)


def photograph(picture: Picture, rng: Random, hardship: Hardship) -> Page:
    """A JPEG in colour."""
    image = _on_desk(picture.image, rng, hardship)
    image = degrade.uneven_light(image, rng.randrange(2**31), loss=hardship.light * rng.uniform(0.5, 1))
    if rng.random() < hardship.shadow:
        image = _shadow(image, rng)
    image = degrade.blur(image, rng.randrange(2**31), radius=hardship.blur * rng.uniform(0.6, 1.1))
    if hardship.motion:
        image = _moved(image, rng.uniform(0, hardship.motion), rng.uniform(0, math.pi))
    image = degrade.noise(image, rng.randrange(2**31), deviation=hardship.noise * rng.uniform(0.5, 1))
    tints = (1.0, rng.uniform(0.94, 1.0), rng.uniform(0.8, 1.0))
    bands = [image.point([round(level * tint) for level in range(256)]) for tint in tints]
    coloured = Picture(Image.merge("RGB", bands), picture.text, picture.dpi)
    return as_jpeg(coloured, rng.randrange(*hardship.quality))


def _on_desk(sheet: Image.Image, rng: Random, hardship: Hardship) -> Image.Image:
    inner = hardship.size * (1 - 2 * hardship.margin)
    scale = inner / max(sheet.size)
    width, height = round(sheet.width * scale), round(sheet.height * scale)
    edge = round(hardship.size * hardship.margin)
    size = (width + 2 * edge, height + 2 * edge)
    paper = sheet.resize((width, height), Image.Resampling.LANCZOS)
    if hardship.creases:
        paper = _creased(paper, rng, hardship.creases)
    flat = Image.new("L", size, 0)
    flat.paste(paper, (edge, edge))
    covered = Image.new("L", size, 0)
    covered.paste(255, (edge, edge, edge + width, edge + height))
    bend = _bend(size, rng, hardship)
    sheet_there, covered_there = (_transformed(one, bend) for one in (flat, covered))
    return Image.composite(sheet_there, _desk(size, rng), covered_there)


def _desk(size: tuple[int, int], rng: Random) -> Image.Image:
    """Wood: dark or middle grey with grain along one side."""
    grain = np.random.default_rng(rng.randrange(2**31))
    grey = rng.uniform(50, 150)
    lines = _smooth((size[1], 1), grain, 5)[:, :1] * 14
    spots = _smooth((size[1], size[0]), grain, 90) * 10
    return _image(grey + lines + spots)


def _bend(
    size: tuple[int, int], rng: Random, hardship: Hardship
) -> list[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """For Pillow's mesh: for each square of the photograph, the corners to copy from."""
    width, height = size
    shift = hardship.perspective * max(size)
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    seen = [(x + rng.uniform(-shift, shift), y + rng.uniform(-shift, shift)) for x, y in corners]
    a, b, c, d, e, f, g, h = degrade.coefficients(corners, seen)
    angle = math.radians(rng.uniform(-hardship.tilt, hardship.tilt))
    depth = hardship.waves * max(size)
    phases = [rng.uniform(0, 2 * math.pi) for _ in range(2)]
    lengths = [max(size) * rng.uniform(0.3, 0.8) for _ in range(2)]

    def source(x: float, y: float) -> tuple[float, float]:
        u, v = x - width / 2, y - height / 2
        u, v = u * math.cos(angle) - v * math.sin(angle), u * math.sin(angle) + v * math.cos(angle)
        u, v = u + width / 2, v + height / 2
        below = g * u + h * v + 1
        u, v = (a * u + b * v + c) / below, (d * u + e * v + f) / below
        u += 0.5 * depth * math.sin(2 * math.pi * v / lengths[0] + phases[0])
        v += depth * math.sin(2 * math.pi * u / lengths[1] + phases[1])
        return u, v

    mesh = []
    for top in range(0, height, _CELL):
        for left in range(0, width, _CELL):
            right, bottom = min(left + _CELL, width), min(top + _CELL, height)
            quad = [*source(left, top), *source(left, bottom), *source(right, bottom), *source(right, top)]
            mesh.append(((left, top, right, bottom), tuple(quad)))
    return mesh


def _transformed(
    image: Image.Image, mesh: list[tuple[tuple[int, int, int, int], tuple[float, ...]]]
) -> Image.Image:
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def _creased(paper: Image.Image, rng: Random, depth: float) -> Image.Image:
    """Crumpled paper: folds with a light and a dark side."""
    levels = np.asarray(paper, dtype=np.float32).copy()
    across, down = np.meshgrid(np.arange(paper.width, dtype=np.float32), np.arange(paper.height, dtype=np.float32))
    for _ in range(rng.randrange(4, 9)):
        angle = rng.uniform(0, math.pi)
        through = (rng.uniform(0, paper.width), rng.uniform(0, paper.height))
        distance = (across - through[0]) * math.cos(angle) + (down - through[1]) * math.sin(angle)
        reach = rng.uniform(0.05, 0.25) * paper.width
        levels += depth * rng.uniform(-1, 1) * np.sign(distance) * np.exp(-np.abs(distance) / reach)
    grain = np.random.default_rng(rng.randrange(2**31))
    levels += depth * 0.5 * _smooth(levels.shape, grain, paper.width / 8)
    return _image(levels)


def _shadow(image: Image.Image, rng: Random) -> Image.Image:
    """The shadow of a hand or a telephone: one side of a line, with a soft edge."""
    angle = rng.uniform(0, 2 * math.pi)
    through = (rng.uniform(0.25, 0.75) * image.width, rng.uniform(0.25, 0.75) * image.height)
    across = (np.arange(image.width, dtype=np.float32) - through[0]) * math.cos(angle)
    down = (np.arange(image.height, dtype=np.float32) - through[1]) * math.sin(angle)
    softness = rng.uniform(0.005, 0.04) * max(image.size)
    share = 1 / (1 + np.exp(-np.clip((across[np.newaxis, :] + down[:, np.newaxis]) / softness, -30, 30)))
    return _image(np.asarray(image, dtype=np.float32) * (1 - rng.uniform(0.15, 0.4) * share))


def _moved(image: Image.Image, length: float, angle: float) -> Image.Image:
    """Blurred along a line of this many pixels."""
    steps = max(2, math.ceil(2 * length))
    total = np.zeros((image.height, image.width), np.float32)
    for step in range(steps):
        along = length * (step / (steps - 1) - 0.5)
        moved = image.transform(
            image.size,
            Image.Transform.AFFINE,
            (1, 0, along * math.cos(angle), 0, 1, along * math.sin(angle)),
            Image.Resampling.BILINEAR,
        )
        total += np.asarray(moved, dtype=np.float32)
    return _image(total / steps)


def _smooth(shape: tuple[int, ...], grain: np.random.Generator, length: float) -> Levels:
    """Noise of deviation 1 that varies over `length` pixels; `shape` is height and width."""
    small = (max(2, math.ceil(shape[0] / length)), max(2, math.ceil(shape[1] / length)))
    noise = Image.fromarray(grain.standard_normal(small, dtype=np.float32))
    large = noise.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32)


def _image(levels: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.rint(levels).clip(0, 255).astype(np.uint8))
