"""The page: whole, self-contained, escaped, and without rooms that have nothing to show.

The figures in here are made up to exercise the page; none is a measurement.
"""

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pushforward.auditing import Audit, audit
from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.ranking import Before
from pushforward.errors import InputError
from pushforward.evidence import Estimate, Kind, LogLikelihood
from pushforward.report import FamilyRecord, ReportData, render, table, write
from pushforward.report.columns import pairs_by_distance, worst_columns
from pushforward.report.examples import Pictures, Rows
from pushforward.report.figures import frame, shown, value_text
from pushforward.report.pictures import Grey
from pushforward.report.plots import axis, histogram
from pushforward.report.rooms.learning import duration

NASTY = '<script>alert("&")</script>'
VOID = {"meta", "link", "img", "br", "input"}


COLUMNS = ("age", NASTY, "score")


@pytest.fixture(scope="session")
def training() -> np.ndarray:
    return groups(3)


@pytest.fixture(scope="session")
def rows(training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Data in two groups by score, and samples that lack one group, stray and copy."""
    real, fake = groups(1), groups(2)
    fake[:, 2] %= 8
    fake[:25] = training[training[:, 2] < 8][:25]
    fake[25:45, 1] *= 9.0
    return real, fake


def groups(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(240, 3))
    x[:, 2] = rng.uniform(size=240) + np.where(np.arange(240) % 4 == 0, 9.0, 0.0)
    return x


@pytest.fixture(scope="session")
def table_audit(rows: tuple[np.ndarray, np.ndarray], training: np.ndarray) -> Audit:
    return audit(*rows, train_real=training, columns=COLUMNS)


@pytest.fixture(scope="session")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    real, fake = np.random.default_rng(0).normal(size=(2, 60, 8, 8))
    return real, fake + 3


@pytest.fixture(scope="session")
def picture_audit(pictures: tuple[np.ndarray, np.ndarray]) -> Audit:
    return audit(*pictures)


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


def compared(rows: tuple[np.ndarray, np.ndarray], result: Audit, training: np.ndarray) -> ReportData:
    real, fake = rows
    families = [
        FamilyRecord(
            "flow",
            fake,
            LogLikelihood(-112.3, 0.9, 90, Kind.EXACT, 3),
            True,
            result,
            metrics("model"),
            training=training,
        ),
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
        COLUMNS,
        result,
        RANKING,
        {"command": f"pushforward compare '{NASTY}'", "versions": {"torch": "2.13"}, "page": "report.html"},
        {"figure": float("nan"), "text": NASTY},
        [f"a note {NASTY}"],
    )


RANKING = (
    Before("flow", "vae", Estimate("difference", 0.1, 0.04, 0.16, 90, "nats", p_value=0.003)),
    Before("vae", "gan", Estimate("difference", 0.01, -0.04, 0.06, 90, "nats", p_value=0.4)),
)


@pytest.fixture(scope="module")
def data(rows: tuple[np.ndarray, np.ndarray], table_audit: Audit, training: np.ndarray) -> ReportData:
    return compared(rows, table_audit, training)


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


ROOMS = ["verdict", "evidence", "look", "ladder", "differences", "learning", "provenance"]


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
    assert [i for i in parsed(page).ids if i in ROOMS] == ["verdict", "evidence", "look", "differences", "provenance"]
    assert "has no density" not in page and 'id="everything"' not in page
    bare = render(ReportData("a", "", {}, 0, rows[0], [FamilyRecord("b", rows[1])], ("x", "y", "z")))
    assert [i for i in parsed(bare).ids if i in ROOMS] == ["look", "provenance"]
    few = render(ReportData("a", "", {}, 0, rows[0], [FamilyRecord("b", rows[1])], COLUMNS, notes=["too few for it"]))
    assert [i for i in parsed(few).ids if i in ROOMS] == ["verdict", "look", "provenance"]
    assert "No verdict." in few and "too few for it" in few


def test_pictures_of_any_size_make_a_page_of_bounded_size() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, size=(2, 60, 150, 130, 3), dtype=np.uint8)
    families = [FamilyRecord(str(i), fake) for i in range(9)]
    page = render(ReportData("noise", "", {}, 0, real, families))
    parsed(page)
    assert page.count("data:image/png;base64") == 10
    assert len(page.encode()) < 5_000_000


def test_large_noisy_pictures_that_fail_in_every_way_still_make_a_page_under_5_mb(picture_audit: Audit) -> None:
    """The audit's positions suit any 60 pictures; noise is what compresses least."""
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, size=(2, 60, 64, 64, 3), dtype=np.uint8)
    copying = replace(picture_audit.copying, copies=accuracy(0.3, p=0.001))
    every = replace(picture_audit, copying=copying)
    page = render(ReportData("noise", "", {}, 0, real, [FamilyRecord(str(i), fake, audit=every) for i in range(4)]))
    assert section(page, "differences").count("Copied:") == 4
    assert 2_000_000 < len(page.encode()) < 5_000_000


def section(page: str, name: str) -> str:
    (text,) = re.findall(rf'<section id="{name}">(.*?)</section>', page, re.S)
    return re.sub(r"\s+", " ", text.replace("\u00a0", " "))


def test_pictures_show_what_is_missed_what_strays_and_what_is_found_out(
    pictures: tuple[np.ndarray, np.ndarray], picture_audit: Audit
) -> None:
    real, fake = pictures
    page = render(ReportData("p", "", {}, 0, real, [FamilyRecord("flow", fake, audit=picture_audit)]))
    parsed(page)
    shown_there = section(page, "differences")
    assert picture_audit.missed.clusters and "of a missed group" in shown_there
    assert "without support and their nearest real patterns: nearest" in shown_there
    assert shown_there.count('alt="samples found out"') == 1
    assert len(re.findall(r"<span>−?[\d.]+</span>", shown_there.split('class="odds"')[1])) == 12
    assert "resemble most in the data" in shown_there and "samples and their nearest patterns: next" in shown_there


def test_each_family_answers_four_questions_beside_the_law_of_chance(page: str, table_audit: Audit) -> None:
    verdict = section(page, "verdict")
    assert verdict.count('class="card"') == 4 * 4  # three families and the halves of the data
    for question in ("Told apart?", "Missed?", "Without support?", "Copied?"):
        assert verdict.count(question) == 4
    assert verdict.count("line null core") == 3 * 4  # a missed share has no law but 0
    assert [answer.found for answer in table_audit.answers()] == [True] * 4 and verdict.count("◆ yes") == 4 * 4


def test_the_verdict_of_several_names_ranks_and_says_what_would_have_been_noticed(page: str, data: ReportData) -> None:
    verdict = section(page, "verdict")
    assert re.search(r"Told from the data: flow \(p [=<] [.\d]+, a classifier was right on", verdict)
    assert "flow before vae (p = .003), vae and gan in no known order (p = .40)" in verdict
    assert "Copies come from flow" in verdict and "Groups of the data are missed by flow" in verdict
    assert verdict.count("four times in five") == 1
    assert sum(verdict.count(note.replace("'", "&#39;")) > 1 for note in data.families[0].audit.notes) == 0


def test_the_verdict_of_one_is_the_audits_own(rows: tuple[np.ndarray, np.ndarray], table_audit: Audit) -> None:
    page = render(ReportData("a", "", {}, 0, rows[0], [FamilyRecord("b", rows[1], audit=table_audit)], COLUMNS))
    verdict = section(page, "verdict")
    assert table_audit.verdict() in verdict.replace("&lt;", "<") and verdict.count('class="card"') == 4


def test_the_evidence_shows_every_figure_with_its_null(page: str, table_audit: Audit) -> None:
    evidence = section(page, "evidence")
    figures = [*table_audit.kernel.statistics.values(), table_audit.kernel.kid, table_audit.frechet.extrapolated]
    figures += [table_audit.frechet.plain, table_audit.copying.closeness, table_audit.copying.copies]
    figures += [getattr(table_audit.support, name) for name in ("precision", "recall", "density", "coverage")]
    for name in [figure.estimate.name for figure in figures] + list(table_audit.classifiers.each):
        assert evidence.count(name) >= 4, name
    assert evidence.count("<details") == 4 and "no proof of copying" in evidence
    rows = evidence.count('class="evidence"')
    without = 3 * 4  # shares of what is missed have no law but 0
    assert rows == evidence.count('class="law"') and evidence.count("equal laws <span>") == rows - without
    assert f"{100 * table_audit.share_of_log2:.0f} % of log 2" in evidence


def test_tables_show_what_sets_a_missed_group_apart_and_copies_beside_their_originals(
    page: str, table_audit: Audit
) -> None:
    differences = section(page, "differences")
    cluster = table_audit.missed.clusters[0]
    assert f"{100 * cluster.real_share:.1f} % of the data ({cluster.real_count})" in differences
    group = differences[differences.index("Missed:") :]
    assert group.index('<th scope="col">score</th>') < group.index('<th scope="col">age</th>')
    copied = re.search(r"Copied: (.*?)</table>", differences)
    lines = re.findall(r'<tr[^>]*><th scope="row">(sample|nearest)</th>(.*?)</tr>', copied.group(1) if copied else "")
    assert len(lines) == 12
    assert all(lines[i][1] == lines[i + 1][1] for i in range(0, 12, 2))
    assert differences.count("Copied:") == 1  # only the flow's training data are known


def test_it_is_said_that_intervals_are_of_one_column_and_p_values_of_all(page: str, table_audit: Audit) -> None:
    assert "Intervals are of each column alone, while p is corrected for all columns and pairs together" in page
    assert table_audit.table is not None and "each column alone" in table_audit.table.to_json()["intervals"]


def test_columns_and_pairs_stand_worst_first(data: ReportData, page: str) -> None:
    assert worst_columns(data)[0] == 2
    pairs = list(pairs_by_distance(data).values())
    assert len(pairs) == 3 and all(len(found) == 3 for found in pairs)
    ranks = [(not found[0].differs, -found[0].distance) for found in pairs]
    assert ranks == sorted(ranks)
    differences = section(page, "differences")
    assert "Kolmogorov–Smirnov" in differences and "rank correlation of" in differences
    assert differences.count('class="plot bare"') == 3 and section(page, "look").count('class="plot bare"') == 0


def test_rows_are_shown_in_the_columns_where_they_stand_out() -> None:
    real = np.random.default_rng(0).normal(size=(400, 8))
    show = Rows(tuple("abcdefgh"), real)
    group = show.group(real[:24] + 5.0 * (np.arange(8) == 6))
    assert group["head"][0] == "g" and len(group["head"]) == 6
    assert [name for name, _ in group["lines"]] == ["its 24 most central", "all data"]
    matched = show.matched(("sample", "nearest"), (real[:3] + 50.0 * (np.arange(8) == 1), real[:3]))
    assert matched["head"][0] == "b" and [name for name, _ in matched["lines"]] == ["sample", "nearest"] * 3
    assert len(show.matched(("sample",), (real,))["lines"]) == 6
    assert Rows(("a",), np.ones((50, 1))).group(np.ones((3, 1)))["lines"] == [
        ("its 3 most central", ["1 – 1"]),
        ("all data", ["1 – 1"]),
    ]


def test_pictures_that_belong_together_stand_in_one_column() -> None:
    x = np.arange(20 * 16, dtype=float).reshape(20, 4, 4)
    strips = Pictures(Grey.of(x)).matched(("sample", "nearest"), (x, x))["strips"]
    assert [s["name"] for s in strips] == ["sample", "nearest"] and strips[0]["number"] == 12
    assert strips[0]["source"] == strips[1]["source"]


def accuracy(value: float, null: np.ndarray | None = None, p: float | None = None) -> Figure:
    estimate = Estimate("accuracy", value, value - 0.04, value + 0.04, 300, "share", p_value=p)
    return Figure(estimate, None if null is None else Null(null))


def test_a_figure_lies_where_its_value_is_beside_the_hill_of_its_null() -> None:
    null = np.random.default_rng(0).normal(0.5, 0.02, 999)
    on = frame([accuracy(0.6, null), accuracy(0.9, null)])
    assert on.low < 50 < 94 < on.high and len(on.ticks) >= 2 and on.ticks[0].label.endswith(" %")
    view = shown(accuracy(0.6, null, 0.01), 0.05, on=on)
    assert (view.value, view.interval, view.p, view.found) == ("60 %", "[56, 64]", "p = .010", True)
    assert view.null[0] == "50 %" and view.law.at == on.percent(60.0)
    assert (view.law.low, view.law.high) == (on.percent(56.0), on.percent(64.0))
    points = np.array([[float(v) for v in p.split()] for p in view.law.marks[0].path[1:].split("L")])
    peak = points[points[:, 1].argmin()]
    assert peak[0] / 10 == pytest.approx(on.percent(50.0), abs=2.0) and 0 < peak[1] < 100
    core = np.array([float(p.split()[0]) for p in view.law.marks[1].path[1:].split("L")])
    ends = 100 * np.quantile(null, [0.025, 0.975])
    assert [core.min() / 10, core.max() / 10] == pytest.approx([on.percent(e) for e in ends], abs=0.1)


def test_without_a_p_value_the_null_law_decides_and_without_both_nothing_is_found() -> None:
    null = np.linspace(0.4, 0.6, 100)
    assert shown(accuracy(0.7, null), 0.05).found and not shown(accuracy(0.55, null), 0.05).found
    assert not shown(accuracy(0.7), 0.05).found and shown(accuracy(0.7), 0.05).law.marks == ()
    assert len(shown(accuracy(0.5, np.full(99, 0.5)), 0.05).law.marks) == 2


def test_what_is_not_known_is_said_so() -> None:
    view = shown(Figure(Estimate("distance", np.nan, 0.0, 18.3, 100)), 0.05)
    assert (view.value, view.interval, view.law.at) == ("not known", "at most 18", None)


@pytest.mark.parametrize(
    ("value", "low", "high", "units", "text"),
    [
        (0.583, 0.54, 0.62, "share", ("58 %", "[54, 62]")),
        (0.02, 0.001, 0.036, "share", ("2.0 %", "[0.1, 3.6]")),
        (-0.00004, -0.0003, 0.0004, "", ("0.0000", "[−0.0003, 0.0004]")),
        (1234.5, 1200.0, 1260.0, "nats", ("1,234 nats", "[1,200, 1,260]")),
        (1.0, 1.0, 1.0, "", ("1.000", "[1.000, 1.000]")),
    ],
)
def test_figures_have_as_many_decimals_as_their_interval_warrants(
    value: float, low: float, high: float, units: str, text: tuple[str, str]
) -> None:
    assert value_text(Estimate("x", value, low, high, 10, units)) == text


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
    assert re.search(r"gan\s+none\s+no density", text)
    titles = [line for line in text.splitlines() if "told apart" in line]
    assert len(titles) == 1 and re.search(r"told apart +missed +without support +copied", titles[0])
    assert re.search(r"flow.*exact +\d+ % \[\d+, \d+\] +\d+ % \[\d+, \d+\] +[\d.]+ % \[", text)
    assert "Nearer to the data: flow before vae (p = .003), vae and gan in no known order" in text
    assert re.search(r"Of two halves of the data .* with \d+ it would have noticed \d+ %\.", text)
    assert "The page: report.html" in text and NASTY in text
    assert re.search(r"A group of [.\d]+ % of the data without a sample would have been noticed", text)
    assert max(len(line) for line in text.splitlines() if line.startswith(("flow", "vae", "gan"))) <= 120


def test_the_terminal_drops_a_column_nobody_asked(
    pictures: tuple[np.ndarray, np.ndarray], picture_audit: Audit
) -> None:
    text = printed(ReportData("a", "", {}, 0, pictures[0], [FamilyRecord("b", pictures[1], audit=picture_audit)]))
    assert "log p(x)" not in text and "density" not in text and "told apart" in text
    assert not picture_audit.copying.copied and "copied" not in text.split("The samples")[0]


def test_the_terminal_gives_an_interval_where_nothing_is_missed() -> None:
    rows = np.random.default_rng(0).normal(size=(2, 120, 2))
    nothing = audit(*rows)
    text = printed(ReportData("a", "", {}, 0, rows[0], [FamilyRecord("b", rows[1], audit=nothing)], ("x", "y")))
    assert not nothing.missed.clusters
    assert f"{100 * nothing.missed.lost.high:.1f}]" in text.split("told apart")[1].splitlines()[1]


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
