"""The game: the page in a browser, and the pooling, against scipy and by enumeration."""

import base64
import importlib.util
import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact, norm

from pushforward.errors import InputError
from pushforward.report.answers import FORMAT, error_interval, p_of_guessing, pool_answers
from pushforward.report.game import write_game

CHROMIUM = Path("/usr/bin/chromium")
needs_browser = pytest.mark.skipif(
    importlib.util.find_spec("playwright") is None or not CHROMIUM.exists(),
    reason="the page is played in a browser: playwright and Chromium are not both installed",
)


def pictures(n: int, seed: int, low: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, 256, (n, 8, 6, 3)).astype(np.uint8)


def game(path: Path, n: int = 20, seed: int = 0, **options: Any) -> Path:
    return write_game(pictures(n, 1), pictures(n + 5, 2, low=40), path, np.random.default_rng(seed), **options)


def content(page: Path) -> dict[str, Any]:
    found = re.search(r'id="content">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def truth_of(page: Path) -> np.ndarray:
    key = np.frombuffer(base64.b64decode(content(page)["key"]), np.uint8)
    return np.unpackbits(key[:, None], axis=1).sum(1) % 2 == 1


def letters(real: np.ndarray) -> str:
    return "".join(np.where(real, "R", "G"))


def saved(path: Path, name: str, answers: np.ndarray, truth: np.ndarray, game: str = "g") -> Path:
    path.write_text(
        json.dumps({**FORMAT, "game": game, "name": name, "truth": letters(truth), "answers": letters(answers)})
    )
    return path


def test_the_page_holds_both_kinds_in_a_veiled_order_and_needs_nothing_else(tmp_path: Path) -> None:
    page = game(tmp_path / "game.html", each=12, names=("<faces>", "a model"))
    text, data = page.read_text(), content(page)
    assert len(data["pictures"]) == 24 and truth_of(page).sum() == 12
    assert not re.search(r'https?://|src="(?!data:)|<link|@import', text)
    assert "&lt;faces&gt;" in text and "<faces>" not in text
    assert letters(truth_of(page)) not in text
    again = game(tmp_path / "again.html", each=12, names=("<faces>", "a model"))
    other = game(tmp_path / "other.html", each=12, seed=1)
    assert again.read_bytes() == page.read_bytes()
    assert content(other)["game"] != data["game"]


def test_the_pictures_are_those_given_and_labelled_as_they_came(tmp_path: Path) -> None:
    from PIL import Image

    real, fake = np.full((6, 4, 4), 10, np.uint8), np.full((9, 4, 4), 200.0)
    page = write_game(real, fake, tmp_path / "game.html", np.random.default_rng(0))
    for i, (source, is_real) in enumerate(zip(content(page)["pictures"], truth_of(page), strict=True)):
        (tmp_path / f"{i}.png").write_bytes(base64.b64decode(source.split(",")[1]))
        assert (np.asarray(Image.open(tmp_path / f"{i}.png")) == (10 if is_real else 200)).all()


def test_pictures_of_any_range_run_over_the_real_ones_range(tmp_path: Path) -> None:
    real, fake = np.random.default_rng(0).normal(size=(2, 8, 5, 5))
    assert len(content(write_game(real, fake, tmp_path / "g.html", np.random.default_rng(0)))["pictures"]) == 16


def test_heavy_pictures_are_averaged_until_the_page_stays_small(tmp_path: Path) -> None:
    real, fake = np.random.default_rng(0).integers(0, 256, (2, 20, 256, 250, 3)).astype(np.uint8)
    page = write_game(real, fake, tmp_path / "game.html", np.random.default_rng(0))
    assert page.stat().st_size < 5_000_000
    assert content(page)["factor"] == 2 and content(page)["size"] == "256 × 250"


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (np.zeros((50, 5)), np.zeros((50, 5)), "folder or zip of pictures"),
        (np.zeros((50, 8, 8)), np.zeros((50, 3, 8, 8)), "fake samples came in shape"),
        (np.zeros((50, 8, 8)), np.zeros((50, 8, 9)), "one size"),
        (np.zeros((50, 8, 8)), np.zeros((50, 8, 8, 3)), "one size"),
        (np.zeros((3, 8, 8)), np.zeros((50, 8, 8)), "at least 4"),
        (np.zeros((50, 8, 8)), np.full((50, 8, 8), np.nan), "not finite"),
    ],
)
def test_what_is_no_game_is_refused_with_a_remedy(
    real: np.ndarray, fake: np.ndarray, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        write_game(real, fake, tmp_path / "game.html", np.random.default_rng(0))
    assert not (tmp_path / "game.html").exists()


@pytest.mark.parametrize("errors", [0, 1, 37, 100])
def test_one_players_interval_is_clopper_and_pearsons(errors: int) -> None:
    oracle = binomtest(errors, 100).proportion_ci(0.95, method="exact")
    assert error_interval(np.arange(100)[None] < errors) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


@pytest.mark.parametrize(("right_real", "said_real"), [(4, 8), (7, 9), (0, 5), (10, 20)])
def test_one_players_p_value_is_fishers(right_real: int, said_real: int) -> None:
    truth = np.arange(20) < 10
    answers = np.r_[np.arange(10) < right_real, np.arange(10) < said_real - right_real]
    table = [[right_real, 10 - right_real], [said_real - right_real, 10 - said_real + right_real]]
    assert p_of_guessing(answers[None], truth) == pytest.approx(fisher_exact(table).pvalue)


def test_several_players_p_value_is_that_of_all_labellings() -> None:
    rng = np.random.default_rng(3)
    truth = np.arange(10) < 5
    answers = rng.random((4, 10)) < np.where(truth, 0.7, 0.4)
    votes = answers.sum(0)
    law = np.array([votes[list(real)].sum() for real in combinations(range(10), 5)])
    far = np.abs(2 * law - votes.sum()) >= abs(2 * votes[truth].sum() - votes.sum())
    assert 0 < p_of_guessing(answers, truth) < 1
    assert p_of_guessing(answers, truth) == pytest.approx(far.mean())


def test_a_thousand_pictures_do_not_overflow() -> None:
    truth = np.arange(1100) < 550  # the ways to label them are more than the greatest float
    answers = (np.arange(1100) < 14) | (np.arange(1100) > 1093)
    oracle = fisher_exact([[14, 536], [6, 544]]).pvalue
    assert p_of_guessing(answers[None], truth) == pytest.approx(oracle)


def test_the_pooled_interval_covers_where_players_and_pictures_differ() -> None:
    """The naive interval over all answers covers 60 % here; ours is conservative for few players."""
    rng = np.random.default_rng(0)
    covered = naive = 0
    truth = norm.cdf(-0.5 / np.sqrt(1 + 0.3**2 + 0.6**2))
    for _ in range(400):
        latent = -0.5 + 0.3 * rng.normal(size=(6, 1)) + 0.6 * rng.normal(size=(1, 100)) + rng.normal(size=(6, 100))
        low, high = error_interval(latent > 0)
        covered += low <= truth <= high
        low, high = error_interval((latent > 0).reshape(1, -1))
        naive += low <= truth <= high
    assert covered / 400 >= 0.93
    assert naive / 400 < 0.75


def test_players_are_pooled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.permutation(40) < 20
    answers = truth ^ (rng.random((3, 40)) < 0.3)
    files = [saved(tmp_path / f"{i}.json", name, answers[i], truth) for i, name in enumerate(["Ada", "Ben", "Cy"])]
    pool = pool_answers(files)
    wrong = answers != truth
    assert pool.error.value == pytest.approx(wrong.mean()) and pool.error.n == 120
    assert pool.error.p_value == pytest.approx(p_of_guessing(answers, truth))
    assert pool.on_real.value == pytest.approx(wrong[:, truth].mean())
    assert pool.on_fake.value == pytest.approx(wrong[:, ~truth].mean())
    oracle = binomtest(int(wrong[1].sum()), 40).proportion_ci(0.95)
    assert (pool.people["Ben"].low, pool.people["Ben"].high) == pytest.approx((oracle.low, oracle.high))
    assert json.loads(json.dumps(pool.to_json()))["people"]["Cy"]["n"] == 40
    assert "3 players" in str(pool)


def test_answers_that_cannot_be_pooled_are_refused(tmp_path: Path) -> None:
    truth = np.arange(8) < 4
    good = saved(tmp_path / "good.json", "Ada", truth, truth)
    with pytest.raises(InputError, match="no answers"):
        pool_answers([])
    with pytest.raises(InputError, match=r"b.json holds the answers of ADA, who is in the pool already"):
        pool_answers([good, saved(tmp_path / "b.json", " ADA ", truth, truth)])
    with pytest.raises(InputError, match="another game"):
        pool_answers([good, saved(tmp_path / "c.json", "Cy", truth, truth, game="h")])
    with pytest.raises(InputError, match="no complete answers"):
        pool_answers([good, saved(tmp_path / "d.json", "Di", truth[:7], truth)])
    with pytest.raises(InputError, match="cannot be read"):
        pool_answers([tmp_path / "absent.json"])
    for text, words in (("{", "not JSON"), ("[1]", "no complete answers"), ('{"name": "Ada"}', "no complete answers")):
        (tmp_path / "e.json").write_text(text)
        with pytest.raises(InputError, match=words):
            pool_answers([tmp_path / "e.json"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or faults.append(request.url)
    )
    yield page
    context.close()
    assert faults == []


def shown_picture(tab: Any, data: dict[str, Any]) -> int:
    return int(data["pictures"].index(tab.get_attribute("#picture", "src")))


def row(tab: Any, where: str, i: int) -> dict[str, float]:
    values = tab.locator(f"{where} .answer:not(.head)").nth(i).evaluate("row => ({...row.dataset})")
    return {key: float(value) for key, value in values.items() if value}


@needs_browser
def test_a_whole_game_is_played_saved_and_pooled(tab: Any, tmp_path: Path) -> None:
    page = game(tmp_path / "game.html")
    data, truth = content(page), truth_of(page)
    answers = truth ^ (np.random.default_rng(5).random(40) < 0.25)
    tab.goto(page.as_uri())
    tab.click("#begin")
    for at in range(40):
        assert tab.inner_text("#progress") == f"{at + 1} of 40"
        assert not tab.is_visible("#result")
        real = answers[shown_picture(tab, data)]
        if at == 7:
            tab.keyboard.press("g" if real else "ArrowLeft")  # a slip
            tab.keyboard.press("Backspace")
        if at == 20:
            tab.reload()
            assert tab.inner_text("#progress") == "21 of 40"
        if at % 2:
            tab.click("#real" if real else "#generated")
        else:
            tab.keyboard.press("r" if real else "ArrowRight")
    assert not tab.is_visible("#result")
    tab.click("#reveal")
    tab.reload()
    assert tab.is_visible("#result")

    wrong = answers != truth
    for i, part in enumerate([wrong, wrong[truth], wrong[~truth]]):
        oracle = binomtest(int(part.sum()), len(part)).proportion_ci(0.95)
        figures = row(tab, "#figures", i)
        assert figures["value"] == pytest.approx(part.mean())
        assert (figures["low"], figures["high"]) == pytest.approx((oracle.low, oracle.high), abs=1e-8)
    table = [[(answers & truth).sum(), (~answers & truth).sum()], [(answers & ~truth).sum(), (~answers & ~truth).sum()]]
    assert row(tab, "#figures", 0)["p"] == pytest.approx(fisher_exact(table).pvalue)
    assert "told them apart" in tab.inner_text("#sentence")

    tab.fill("#name", "Ada  Lovelace")
    with tab.expect_download() as download:
        tab.click("#saving button")
    assert download.value.suggested_filename == "answers-ada-lovelace.json"
    ada = tmp_path / "ada.json"
    download.value.save_as(ada)
    assert pool_answers([ada]).error.value == pytest.approx(wrong.mean())

    rng = np.random.default_rng(6)
    others = [
        saved(tmp_path / f"{i}.json", f"player {i}", truth ^ (rng.random(40) < rate), truth, data["game"])
        for i, rate in enumerate([0.1, 0.5])
    ]
    twice = saved(tmp_path / "twice.json", "ADA Lovelace", answers, truth, data["game"])
    foreign = saved(tmp_path / "foreign.json", "Cy", answers, truth, "another")
    short = saved(tmp_path / "short.json", "Di", answers[1:], truth, data["game"])
    (tmp_path / "broken.json").write_text("{")
    tab.set_input_files("#files", [ada, *others, twice, foreign, short, tmp_path / "broken.json"])
    tab.wait_for_selector("#pooled:not([hidden])")
    refused = tab.inner_text("#refused").splitlines()
    for name, words in (
        ("twice", "already"),
        ("foreign", "another game"),
        ("short", "incomplete"),
        ("broken", "no answers"),
    ):
        assert any(text.startswith(f"{name}.json") and words in text for text in refused)

    pool = pool_answers([ada, *others])
    for i, estimate in enumerate([pool.error, pool.on_real, pool.on_fake, *pool.people.values()]):
        figures = row(tab, "#pooled-figures", i)
        ours = (estimate.value, estimate.low, estimate.high)
        assert (figures["value"], figures["low"], figures["high"]) == pytest.approx(ours, abs=1e-7)
        assert figures.get("p") == (None if estimate.p_value is None else pytest.approx(estimate.p_value))


@needs_browser
@pytest.mark.parametrize("always_real", [True, False])
def test_a_habit_of_one_answer_shows_nothing(tab: Any, tmp_path: Path, always_real: bool) -> None:
    tab.goto(game(tmp_path / "game.html", each=4).as_uri())
    tab.click("#begin")
    for _ in range(8):
        tab.keyboard.press("r" if always_real else "g")
    tab.click("#reveal")
    assert "Not shown to be told apart: 4 wrong of 8" in tab.inner_text("#sentence")
    assert "No number of errors would have shown it" in tab.inner_text("#sentence")
    assert (row(tab, "#figures", 1)["value"], row(tab, "#figures", 2)["value"]) == (not always_real, always_real)
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.click("#again")
    assert tab.is_visible("#begin") and not tab.is_visible("#result")


@needs_browser
def test_a_result_that_shows_nothing_says_what_would_have(tab: Any, tmp_path: Path) -> None:
    page = game(tmp_path / "game.html", each=10)
    data, truth = content(page), truth_of(page)
    right = np.r_[np.arange(10) < 5, np.arange(10) < 5]
    answers = truth.copy()
    answers[np.r_[np.flatnonzero(truth), np.flatnonzero(~truth)]] ^= ~right
    tables = {e: [[10 - e // 2, e // 2], [e // 2, 10 - e // 2]] for e in range(0, 10, 2)}
    told = max(errors for errors, table in tables.items() if fisher_exact(table).pvalue <= 0.05)
    tab.goto(page.as_uri())
    tab.click("#begin")
    for _ in range(20):
        tab.keyboard.press("r" if answers[shown_picture(tab, data)] else "g")
    tab.click("#reveal")
    assert f"It would have taken at most {told} errors to show it." in tab.inner_text("#sentence")
