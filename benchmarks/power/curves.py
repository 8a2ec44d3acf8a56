"""Power curves as one small drawing: a panel for each alternative, ours in front of the others."""

from __future__ import annotations

from benchmarks.power.alternatives import ALTERNATIVES, Point
from benchmarks.power.contestants import OURS, TESTS
from benchmarks.power.running import Lines
from benchmarks.power.tables import row

__all__ = ["curves"]

WIDTH, HEIGHT, GAP, TOP = 230, 150, 46, 40
COLOURS = {"ours": "#0b6bcb", "sbi": "#b5541c", "hyppo": "#3d8b4f", "scipy": "#8a8f98"}
"""Of each package; both colour schemes show them."""


def curves(lines: Lines) -> str:
    """An SVG of power against the size of the effect, n = m = 200 in five columns, with intervals of ours."""
    panels = [_panel(lines, k, name) for k, name in enumerate(ALTERNATIVES)]
    width, height = 3 * (WIDTH + GAP) + GAP, TOP + 2 * (HEIGHT + GAP + 14)
    legend = "".join(
        f'<g transform="translate({at} 14)" fill="{colour}"><circle r="5"/><text x="10" y="4">{name}</text></g>'
        for at, (name, colour) in zip(range(GAP, width, 100), COLOURS.items(), strict=False)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11" fill="#7a7f87">{legend}{"".join(panels)}</svg>\n'
    )


def _panel(lines: Lines, k: int, name: str) -> str:
    effects = ALTERNATIVES[name][1]
    found = [row(lines, Point(name, effect))["tests"] for effect in effects]
    x, y = GAP + k % 3 * (WIDTH + GAP), TOP + 10 + k // 3 * (HEIGHT + GAP + 14)
    places = [10 + (WIDTH - 20) * j / (len(effects) - 1) for j in range(len(effects))]
    parts = [f'<text x="0" y="-6" font-weight="bold">{name}</text>']
    for share in (0.0, 0.5, 1.0):
        h = HEIGHT * (1 - share)
        parts.append(f'<path d="M0 {h:.1f}H{WIDTH}" stroke="#7a7f87" stroke-width=".4"/>')
        parts.append(f'<text x="-6" y="{h + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>')
    parts += [
        f'<text x="{place:.1f}" y="{HEIGHT + 15}" text-anchor="middle">{effect:g}</text>'
        for place, effect in zip(places, effects, strict=True)
    ]
    drawn = [test for test in reversed(TESTS) if ": kernels" not in test and ": classifiers" not in test]
    parts += [_curve(test, [(p, f[test]) for p, f in zip(places, found, strict=True) if test in f]) for test in drawn]
    return f'<g transform="translate({x} {y})">{"".join(parts)}</g>'


def _curve(test: str, points: list[tuple[float, dict[str, float]]]) -> str:
    """One test's powers, with a title on hovering; ours thick and with its intervals."""
    colour, ours = COLOURS[test.split(":")[0]], test == OURS
    at = " ".join(f"{x:.1f},{HEIGHT * (1 - share['power']):.1f}" for x, share in points)
    bars = "".join(
        f'<path d="M{x:.1f} {HEIGHT * (1 - share["low"]):.1f}V{HEIGHT * (1 - share["high"]):.1f}" stroke="{colour}"/>'
        for x, share in points
        if ours
    )
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{HEIGHT * (1 - share["power"]):.1f}" r="2" fill="{colour}"/>' for x, share in points
    )
    line = f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="{2.6 if ours else 1.1}"/>'
    return f"<g><title>{test}</title>{line}{dots}{bars}</g>"
