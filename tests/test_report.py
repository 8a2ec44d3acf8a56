"""The page: whole, self-contained, escaped, and without rooms that have nothing to show.

The figures in here are made up to exercise the page; none is a measurement.
"""

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pushforward.auditing import Audit, audit
from pushforward.errors import InputError
from pushforward.evidence import Kind, LogLikelihood
from pushforward.report import FamilyRecord, ReportData, render, table, write
from pushforward.report.plots import axis, histogram
from pushforward.report.rooms.learning import duration

NASTY = '<script>alert("&")</script>'
VOID = {"meta", "link", "img", "br", "input"}


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 200, 3))
    return real, fake * [1.0, 2.0, 1.0]


@pytest.fixture(scope="module")
def table_audit(rows: tuple[np.ndarray, np.ndarray]) -> Audit:
    return audit(*rows, columns=("age", NASTY, "score"))


def metrics(*players: str) -> list[dict[str, object]]:
    return [
        {
            "step": 10 * i,
            "time": 0.5 * i,
            "losses": {p: float("nan") if i == 3 else 5.0 / (i + 1) + j for j, p in enumerate(players)},
            "held_out": -100.0 + i if i % 5 == 0 else None,
            "event": f"alarm {NASTY}" if i == 20 else None,
        }
        for i in range(600)
    ]


def compared(rows: tuple[np.ndarray, np.ndarray], result: Audit) -> ReportData:
    real, fake = rows
    families = [
        FamilyRecord("flow", fake, LogLikelihood(-112.3, 0.9, 90, Kind.EXACT, 3), True, result, metrics("model")),
        FamilyRecord("vae", fake, LogLikelihood(-118.0, 1.0, 90, Kind.LOWER_BOUND, 3, 50), True, result),
        FamilyRecord("gan", fake, None, False, result, metrics("generator", "discriminator"), {"width": 8}),
    ]
    return ReportData(
        "people",
        f"rows of {NASTY}",
        {"train": 1000, "test": 90},
        0,
        real,
        families,
        ("age", NASTY, "score"),
        result,
        {"command": f"pushforward compare '{NASTY}'", "versions": {"torch": "2.13"}, "page": "report.html"},
        {"figure": float("nan"), "text": NASTY},
        [f"a note {NASTY}"],
    )


@pytest.fixture(scope="module")
def data(rows: tuple[np.ndarray, np.ndarray], table_audit: Audit) -> ReportData:
    return compared(rows, table_audit)


@pytest.fixture(scope="module")
def page(data: ReportData) -> str:
    return render(data)


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.images_without_text = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.images_without_text += tag == "img" and not given.get("alt")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """``<path/>`` opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def parsed(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_page_is_balanced_and_described(page: str) -> None:
    parser = parsed(page)
    assert len(set(parser.ids)) == len(parser.ids)
    assert parser.images_without_text == 0
    assert [i for i in parser.ids if i in ROOMS] == ROOMS


ROOMS = ["verdict", "look", "ladder", "differences", "learning", "provenance"]


def test_the_page_needs_no_network_and_is_small(page: str) -> None:
    assert re.findall(r"https?://|src=\"(?!data:)|@import|url\(", page) == []
    assert len(page.encode()) < 1_000_000


def test_everything_is_escaped(page: str) -> None:
    assert NASTY not in page
    assert "&lt;script&gt;alert" in page
    assert page.count("<script") == 2


def test_the_json_parses_and_holds_no_nan(page: str) -> None:
    (text,) = re.findall(r'<script type="application/json" id="everything">(.*?)</script>', page, re.S)
    assert json.loads(text) == {"figure": None, "text": NASTY}


def test_figures_carry_their_kind(page: str) -> None:
    assert "≥ −118.0 ± 1.0" in page and "a lower bound, k = 50" in page
    assert "has no density" in page and "not asked" not in page
    assert "bits per dimension, smaller is better" in page
    assert "four times in five" in page


def test_alarms_and_both_players_are_shown(page: str) -> None:
    assert "generator&#39;s loss" in page or "generator's loss" in page
    assert "discriminator" in page and "▲ step 200: alarm" in page


def test_rooms_without_content_vanish(rows: tuple[np.ndarray, np.ndarray], table_audit: Audit) -> None:
    files = ReportData(
        "a against b", "", {}, 0, rows[0], [FamilyRecord("b", rows[1], audit=table_audit)], ("x", "y", "z")
    )
    page = render(files)
    assert [i for i in parsed(page).ids if i in ROOMS] == ["verdict", "look", "differences", "provenance"]
    assert "density" not in page.split("</style>")[1] and 'id="everything"' not in page
    bare = render(ReportData("a", "", {}, 0, rows[0], [FamilyRecord("b", rows[1])], ("x", "y", "z")))
    assert [i for i in parsed(bare).ids if i in ROOMS] == ["look", "provenance"]


def test_pictures_of_any_size_make_a_page_of_bounded_size() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, size=(2, 60, 150, 130, 3), dtype=np.uint8)
    families = [FamilyRecord(str(i), fake) for i in range(9)]
    page = render(ReportData("noise", "", {}, 0, real, families))
    parsed(page)
    assert page.count("data:image/png;base64") == 10
    assert len(page.encode()) < 5_000_000


def test_grey_pictures_show_the_samples_most_easily_found_out() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 60, 8, 8))
    result = audit(real, fake + 3)
    page = render(ReportData("p", "", {}, 0, real, [FamilyRecord("flow", fake + 3, audit=result)]))
    assert "flow: the samples most easily found out" in page and page.count('alt="a sample"') == 12


def test_an_impossible_pattern_is_said_in_words(rows: tuple[np.ndarray, np.ndarray]) -> None:
    family = FamilyRecord("flow", rows[1], LogLikelihood(-np.inf, np.nan, 5, Kind.EXACT))
    assert "impossible under it" in render(ReportData("a", "", {}, 0, rows[0], [family], ("x", "y", "z")))


def test_constant_columns_and_single_readings_make_a_page() -> None:
    x = np.ones((60, 2))
    family = FamilyRecord("f", x, LogLikelihood(-1.0, 0.0, 1, Kind.EXACT), metrics=[{"step": 0, "losses": {"m": 1.0}}])
    parsed(render(ReportData("a", "", {}, 0, x, [family], ("x", "y"))))


def test_writing_replaces_whole_files_only(
    data: ReportData, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    assert write(data, path).read_text() == page
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
    path.write_text("the old page")
    with pytest.raises(InputError, match="no space left"):
        write(data, path)
    assert path.read_text() == "the old page" and list(tmp_path.iterdir()) == [path]


def printed(data: ReportData) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table(data))
    return console.export_text()


def test_the_terminal_shows_each_figure_with_its_kind(data: ReportData) -> None:
    text = printed(data)
    assert re.search(r"flow\s+−112\.3 ± 0\.9\s+exact", text)
    assert re.search(r"vae\s+≥ −118\.0 ± 1\.0\s+bound, k=50", text)
    assert re.search(r"gan\s+none\s+it has no density", text)
    assert text.count("told apart") == 1 and "it would have noticed" in text
    assert "The page: report.html" in text and NASTY in text


def test_the_terminal_drops_a_column_nobody_asked(rows: tuple[np.ndarray, np.ndarray], table_audit: Audit) -> None:
    text = printed(ReportData("a", "", {}, 0, rows[0], [FamilyRecord("b", rows[1], audit=table_audit)]))
    assert "log p(x)" not in text and "density" not in text and "told apart" in text


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 17), (1e-7, 2e-7), (-5e8, 1e9), (2, 2), (0, 0)])
def test_an_axis_has_few_round_ticks_inside(low: float, high: float) -> None:
    ticks = axis(low, high).ticks
    assert 2 <= len(ticks) <= 8
    assert all(0 <= t.at <= 100 for t in ticks)
    assert len({t.label for t in ticks}) == len(ticks)


def test_a_histogram_counts_what_lies_outside_in_its_total() -> None:
    heights = histogram(np.array([0.1, 0.2, 0.7, 9.0]), np.array([0.0, 0.5, 1.0]))
    assert list(heights) == [1.0, 0.5]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (9.96, "10 s"), (59.7, "1 min"), (60, "1 min"), (3599, "59 min 59 s"), (7200, "2 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
