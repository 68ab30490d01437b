"""The small real sets: exact facts, splits without leaks, and planted leaks that are found."""

import gzip
import hashlib
import importlib.util
import re
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from simmim_lite import datasets
from simmim_lite.datasets import DataError, _files, _larger, find_leaks
from simmim_lite.datasets._applications import LANGUAGES
from simmim_lite.entropy import sample_entropy

TABLES = ("mammography", "heart", "alzheimer", "credit")

pytestmark = pytest.mark.usefixtures("empty_cache")


def both(load, *arguments):
    return load(*arguments, "train"), load(*arguments, "test")


def plain(texts: list[str]) -> list[str]:
    """Letters and digits only: texts that differ in nothing else are duplicates."""
    return [re.sub(r"[^a-z0-9]+", "", text.lower()) or text for text in texts]


def test_all_embedded_files_are_small():
    added = ("emoji", "glosses", "tables", "tweets", "visual_questions")
    sizes = [_files.embedded(f"{name}.npz.xz").stat().st_size for name in added]
    assert sum(sizes) < 5_000_000


# --- emoji ---------------------------------------------------------------------------------


def test_emoji_have_the_promised_shapes_and_counts():
    train, test = both(datasets.load_emoji)
    everything = datasets.load_emoji("all")
    assert (len(train.codes), len(test.codes), len(everything.codes)) == (1529, 377, 1906)
    assert everything.codes == train.codes + test.codes
    for emoji in (train, test):
        for sprites in emoji.sprites.values():
            assert sprites.shape == (len(emoji.codes), 32, 32, 4)
            assert sprites.dtype == np.uint8
            assert not sprites[sprites[..., 3] == 0].any()
        assert emoji.labels.dtype == emoji.families.dtype == np.int64
        assert tuple(emoji.names) == LANGUAGES
        assert len(emoji.tags) == len(emoji.subcategories) == len(emoji.labels)
    assert train.categories == test.categories
    assert len(set(everything.subcategories)) == 98
    assert np.bincount(everything.labels).tolist() == [85, 159, 270, 131, 264, 386, 169, 224, 218]
    assert sample_entropy(everything.labels) == pytest.approx(2.118, abs=5e-4)
    shares = np.bincount(test.labels) / np.bincount(everything.labels)
    assert (abs(shares - 0.2) < 0.015).all()


def test_names_of_emoji_tell_them_apart_in_every_language():
    emoji = datasets.load_emoji("all")
    assert {len(set(names)) for names in emoji.names.values()} == {1906}
    place = emoji.codes.index("1F34E")
    named = {language: names[place] for language, names in emoji.names.items()}
    assert (named["en"], named["de"], named["zh"]) == ("red apple", "roter Apfel", "红苹果")
    assert emoji.categories[emoji.labels[place]] == "Food & Drink"
    assert "fruit" in emoji.tags[place]


def test_pictures_are_the_sprites_on_their_ground():
    emoji = datasets.load_emoji("test")
    for design in ("noto", "twemoji"):
        white, black = (emoji.pictures(design, ground=ground) for ground in (255, 0))
        opacity = emoji.sprites[design][..., 3]
        assert white.shape == (377, 32, 32, 3)
        assert (white[opacity == 0] == 255).all()
        assert not black[opacity == 0].any()
        solid = opacity == 255
        np.testing.assert_array_equal(white[solid], emoji.sprites[design][solid][:, :3])
        difference = white.astype(int) - black  # the ground that shines through
        assert abs(difference - (255 - opacity[..., None].astype(int))).max() <= 1
    # An apple is red in the middle: the channels are in their order.
    everything = datasets.load_emoji("all")
    red, green, blue = everything.sprites["noto"][everything.codes.index("1F34E"), 18, 16, :3]
    assert red > 150 > max(green, blue)


def emoji_leaks(train: datasets.Emoji, test: datasets.Emoji) -> dict[str, int]:
    """How many test emoji share a family, a code, a name or a picture with a training emoji."""
    kinds = [
        {"family": e.families, "code": e.codes, **e.names, **{d: e.pictures(d) for d in e.sprites}}
        for e in (train, test)
    ]
    return {kind: len(rows) for kind, rows in find_leaks(*kinds).items()}


def test_emoji_split_has_no_leak_of_family_or_design():
    train, test = both(datasets.load_emoji)
    assert set(emoji_leaks(train, test).values()) == {0}
    for design in ("noto", "twemoji"):
        ours, theirs = (e.pictures(design).reshape(len(e.codes), -1) / 255 for e in (train, test))
        assert cdist(theirs, ours, "cityblock").min() / 3072 > 0.0195  # 0.02 before rounding
    together = {name: {} for name in ("o’clock", "health worker", "heart", "flag: France")}
    everything = datasets.load_emoji("all")
    for name, family in zip(everything.names["en"], everything.families, strict=True):
        for word in together:
            if name.endswith(word):
                together[word][name] = family
    assert len(together["o’clock"]) == 12
    assert {"man health worker", "woman health worker"} < set(together["health worker"])
    for word in ("o’clock", "health worker"):
        assert len(set(together[word].values())) == 1
    families = dict(zip(everything.names["en"], everything.families, strict=True))
    alike = ("flag: France", "flag: St. Martin", "flag: Clipperton Island")
    assert len({families[name] for name in alike}) == 1  # one picture in both designs
    assert families["red heart"] == families["blue heart"]
    assert families["red apple"] != families["deciduous tree"]


def test_planted_leaks_of_emoji_are_found():
    train, test = both(datasets.load_emoji)
    test.families[5] = train.families[7]  # a man and a woman of one profession
    test.names["ja"][9] = train.names["ja"][0]
    test.sprites["twemoji"][3] = train.sprites["twemoji"][2]  # one picture under two codes
    found = emoji_leaks(train, test)
    assert {kind: count for kind, count in found.items() if count} == {
        "family": 1, "ja": 1, "twemoji": 1,
    }  # fmt: skip


# --- texts ---------------------------------------------------------------------------------


def test_tweets_have_the_promised_shapes_and_counts():
    tweets = datasets.load_tweets("all")
    assert len(tweets.texts) == len(tweets.ratings) == len(tweets.scores) == 4200
    counts = Counter(len(ratings) for ratings in tweets.ratings)
    assert counts[20] == 3200
    assert min(counts) == 20
    assert max(counts) == 99
    everyone = np.concatenate(tweets.ratings)
    assert (everyone.min(), everyone.max()) == (-4, 4)
    row = tweets.texts.index("Yay. Another good phone interview.")
    assert tweets.scores[row] == pytest.approx(2.262626262)  # as its line of ratings says
    np.testing.assert_allclose(tweets.scores, [r.mean() for r in tweets.ratings])
    assert not any("&amp;" in text or "Â" in text for text in tweets.texts)
    signs = np.select([tweets.scores >= 0.5, tweets.scores <= -0.5], [1, -1])
    assert Counter(signs.tolist()) == {1: 2345, -1: 1087, 0: 768}


def test_ratings_of_tweets_agree_as_published():
    tweets = datasets.load_tweets("all")
    first = [ratings[0] for ratings in tweets.ratings]
    others = [ratings[1:].mean() for ratings in tweets.ratings]
    assert np.corrcoef(first, others)[0, 1] == pytest.approx(0.86, abs=0.03)


def test_glosses_have_the_promised_shapes_and_counts():
    train, test = both(datasets.load_glosses)
    assert np.bincount(train.labels).tolist() == [480] * 19
    assert np.bincount(test.labels).tolist() == [120] * 19
    assert train.kinds == test.kinds
    for rows in (train, test):
        kinds = dict(zip(map(tuple, rows.words), rows.labels, strict=True))
        for words, kind in ((("rambler",), "person"), (("backfield",), "group")):
            assert words not in kinds or rows.kinds[kinds[words]] == kind
    words = [{word.lower() for word in row} for glosses in (train, test) for row in glosses.words]
    assert sum(map(len, words)) == len(set().union(*words))
    assert not any('"' in text or not text.strip() for text in train.texts + test.texts)


@pytest.mark.parametrize("load", [datasets.load_tweets, datasets.load_glosses])
def test_no_text_is_in_both_halves_and_a_planted_one_is_found(load):
    train, test = both(load)
    assert not find_leaks({"text": plain(train.texts)}, {"text": plain(test.texts)})["text"].size
    test.texts[11] = train.texts[3].upper() + "!"
    found = find_leaks({"text": plain(train.texts)}, {"text": plain(test.texts)})
    assert found["text"].tolist() == [11]


def likeness(first: list[str], second: list[str]) -> np.ndarray:
    """Words in both texts over words in either, for all pairs; names and addresses left out."""
    masked = ["anonymous", "http", "url", "removed", "rt"]
    counter = CountVectorizer(token_pattern="[a-z0-9]+", binary=True, stop_words=masked)
    both_counted = counter.fit_transform(first + second).astype(np.float32).toarray()
    ours, theirs = np.split(both_counted, [len(first)])
    shared = ours @ theirs.T
    return shared / np.maximum(ours.sum(1)[:, None] + theirs.sum(1) - shared, 1)


def test_variants_of_a_tweet_are_one_group():
    train, test = both(datasets.load_tweets)
    assert find_leaks({"group": train.groups}, {"group": test.groups})["group"].size == 0
    assert likeness(train.texts, test.texts).max() < 0.6
    test.texts[8] = f"Absolutely {train.texts[2]}"
    assert likeness(train.texts, test.texts)[2, 8] > 0.6
    texts, groups = train.texts + test.texts, np.concatenate([train.groups, test.groups])
    assert len(set(groups)) == 3998
    of_phone = {g for t, g in zip(texts, groups, strict=True) if "good phone interview" in t}
    assert len(of_phone) == 1
    assert (groups == of_phone.pop()).sum() == 7


# --- visual questions ----------------------------------------------------------------------


def test_visual_questions_have_the_promised_shapes_and_counts():
    train, test = both(datasets.load_visual_questions)
    for part, images, questions in ((train, 4000, 38575), (test, 1000, 9673)):
        assert part.images.shape == (images, 64, 64, 3)
        assert (len(part.questions), part.labels.shape) == (questions, (questions,))
        assert sorted(set(part.rows.tolist())) == list(range(images))
        assert len(part.answers) == 13
        assert len(set(part.questions)) == 107
    everything = datasets.load_visual_questions("all")
    np.testing.assert_array_equal(everything.rows[38575:], test.rows + 4000)
    np.testing.assert_array_equal(everything.images[4000:], test.images)


def test_the_question_alone_tells_two_thirds_of_the_answers():
    """The best that can be known from the question: its most frequent answer, by counting."""
    train, test = both(datasets.load_visual_questions)
    best: dict[str, Counter] = {}
    for question, label in zip(train.questions, train.labels, strict=True):
        best.setdefault(question, Counter())[label] += 1
    guesses = [best[question].most_common(1)[0][0] for question in test.questions]
    assert np.mean(guesses == test.labels) == pytest.approx(0.670, abs=0.005)


def test_answers_are_those_of_the_picture():
    test = datasets.load_visual_questions("test")
    asked: dict[int, dict[str, str]] = {}
    for row, question, label in zip(test.rows, test.questions, test.labels, strict=True):
        asked.setdefault(row, {})[question] = test.answers[label]
    spreads = {"red": [], "blue": []}
    for row, answers in asked.items():
        color = answers.get("what color is the shape?")
        if color in spreads:
            pixels = test.images[row].reshape(-1, 3).astype(int)
            far = pixels[np.abs(pixels - np.median(pixels, axis=0)).sum(axis=1).argmax()]
            spreads[color].append(far[0] - far[2])
    assert np.median(spreads["red"]) > 50 > -50 > np.median(spreads["blue"])


def test_no_image_is_in_both_halves_and_a_planted_one_is_found():
    train, test = both(datasets.load_visual_questions)
    assert find_leaks({"image": train.images}, {"image": test.images})["image"].size == 0
    test.images[17] = train.images[5]
    assert find_leaks({"image": train.images}, {"image": test.images})["image"].tolist() == [17]


# --- tables --------------------------------------------------------------------------------

COUNTS = {  # rows, test rows, columns, rows of label 1
    "mammography": (829, 248, 5, 402),
    "heart": (270, 81, 13, 120),
    "alzheimer": (333, 99, 130, 91),
    "credit": (4454, 1336, 13, 1254),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_have_the_promised_shapes_and_counts(name):
    table, test = datasets.load_table(name, "all"), datasets.load_table(name, "test")
    positive = int(table.labels.sum())
    assert (len(table.labels), len(test.labels), table.features.shape[1], positive) == COUNTS[name]
    assert abs(test.labels.mean() - table.labels.mean()) < 0.01
    of_modalities = [column for columns in table.modalities.values() for column in columns]
    assert sorted(of_modalities) == sorted(table.features.columns)
    assert table.features.isna().sum().sum() == (455 if name == "credit" else 0)
    kinds = {str(column) for column in table.features.dtypes}
    assert kinds <= {"int64", "float64", "category"}
    assert (test.features.dtypes == table.features.dtypes).all()
    assert set(Counter(table.labels.tolist())) == {0, 1}


@pytest.mark.parametrize("name", TABLES)
def test_no_person_is_in_both_halves_of_a_table_and_a_planted_one_is_found(name):
    train, test = both(datasets.load_table, name)

    def leaks() -> dict[str, list[int]]:
        columns = list(train.features)
        if name == "mammography":
            columns.remove("birads")
        kinds = [
            {"group": part.groups, "row": [str(r) for r in part.features[columns].values.tolist()]}
            for part in (train, test)
        ]
        return {kind: rows.tolist() for kind, rows in find_leaks(*kinds).items()}

    assert leaks() == {"group": [], "row": []}
    test.groups[4] = train.groups[9]
    for column in test.features:
        test.features[column] = test.features[column].where(
            test.features.index != 20, train.features[column][1]
        )
    assert leaks() == {"group": [4], "row": [20]}


def test_the_radiologist_knows_what_the_paper_says():
    table = datasets.load_table("mammography", "all")
    assert roc_auc_score(table.labels, table.features["birads"]) == pytest.approx(0.825, abs=0.03)
    assert set(table.features["birads"]) <= set(range(7))


def test_heart_disease_is_found_by_imaging():
    train, test = both(datasets.load_table, "heart")
    columns = train.modalities["imaging"]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    encoded = [pd.get_dummies(part.features[columns]) for part in (train, test)]
    model.fit(encoded[0], train.labels)
    assert roc_auc_score(test.labels, model.predict_proba(encoded[1])[:, 1]) > 0.7


def test_tables_are_those_that_other_code_read(real_data):
    """The same tables, read from R's store by another program: as many rows of each content."""
    names = {"heart": "heart", "alzheimer": "alzheimer", "credit": "credit_data"}
    for name, file in names.items():
        known = pd.read_csv(real_data / "applications" / "tables" / f"{file}.csv.xz")
        table = datasets.load_table(name, "all")
        assert len(known) == len(table.labels)
        for column in set(table.features) & set(known):
            ours = table.features[column]
            if ours.dtype == "category":
                words = [column.dropna().astype(str) for column in (ours, known[column])]
                assert Counter(words[0]) == Counter(words[1])
            else:
                np.testing.assert_allclose(np.sort(ours), np.sort(known[column]), rtol=1e-5)


# --- what is not embedded ------------------------------------------------------------------


def test_dates_of_prices_and_planted_look_ahead(tmp_path, monkeypatch):
    """Files of the layout of skfolio stand in for it; the real ones are read where it is there."""
    days = pd.date_range("1990-01-02", periods=100, freq="B")
    for name, column in (("sp500_dataset.csv.gz", "AAPL"), ("sp500_index.csv.gz", "SP500")):
        path = tmp_path / "skfolio" / "datasets" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame({column: np.arange(100.0)}, index=days.rename("Date"))
        path.write_bytes(gzip.compress(table.to_csv().encode()))
        monkeypatch.setitem(_larger._SHA256, name, hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(sys.modules, "skfolio", None)
    monkeypatch.setattr(_larger.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("SIMMIM_DATA", str(tmp_path))
    train, test = both(datasets.load_prices)
    assert (train.shape, test.shape, list(train)) == ((70, 2), (30, 2), ["AAPL", "SP500"])
    assert find_leaks({"day": train.index}, {"day": test.index}, times=["day"])["day"].size == 0
    planted = test.index[:5].union(train.index[-2:])
    assert find_leaks({"day": train.index}, {"day": planted}, times=["day"])["day"].size == 2
    path.write_bytes(b"altered")
    with pytest.raises(DataError, match=r"sp500_index\.csv\.gz: expected a file of SHA-256"):
        datasets.load_prices()


def test_prices_of_the_installed_package():
    if importlib.util.find_spec("skfolio") is None:
        pytest.skip("needs the prices in the package skfolio")
    train, test = both(datasets.load_prices)
    assert (len(train), len(test), train.shape[1]) == (5819, 2494, 21)
    assert train.index.is_monotonic_increasing
    assert train["SP500"].iloc[0] == 359.69


def test_missing_sets_are_named_with_their_remedy(monkeypatch):
    monkeypatch.setattr(_larger.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(
        _larger, "fetch", lambda *_: (_ for _ in ()).throw(DataError("a", "b", "c", "d"))
    )
    cases = {
        datasets.load_prices: "sp500_dataset.csv.gz: expected .*no such file. Install it: pip",
        datasets.load_speeches: "speeches.csv.xz: .*no such file. Set SIMMIM_DATA .*fomc",
        datasets.load_xrays: "data.csv.xz: .*no such file. Set SIMMIM_DATA .*covid-19-image",
        datasets.load_visits: "a: expected b, got c. d",
    }
    for load, message in cases.items():
        with pytest.raises(DataError, match=message):
            load()


def test_visits_are_downloaded_once_and_checked(server, empty_cache, monkeypatch):
    lines = ['A,1001,1,"Support ","/support"', 'A,1000,1,"regwiz","/regwiz"']
    content = "\n".join([*lines, 'C,"10001",10001', "V,1000,1", "V,1001,1", 'C,"2",2', "V,1001,1"])
    for name in ("anonymous-msweb.data", "anonymous-msweb.test"):
        server.files[name] = content.encode()
        monkeypatch.setitem(_larger._SHA256, name, hashlib.sha256(content.encode()).hexdigest())
    monkeypatch.setattr(_larger, "_MSWEB", (server.url("nothing/"), server.url("")))
    visits, titles = datasets.load_visits("all")
    assert titles == ["regwiz", "Support"]
    assert visits.tolist() == [[True, True], [False, True]] * 2
    requests = server.requests
    datasets.load_visits("train")
    assert server.requests == requests
    (empty_cache / "msweb" / "anonymous-msweb.data").write_text("altered")
    with pytest.raises(DataError, match=r"anonymous-msweb.data: .*Remove it"):
        datasets.load_visits("train")


def test_all_visits_as_published(real_data):
    (visits, titles), (others, _) = both(datasets.load_visits)
    assert (visits.shape, others.shape) == ((32711, 294), (5000, 294))
    assert (visits.sum(), others.sum(), len(titles)) == (98654, 15191, 294)
    assert visits.any(axis=1).all()


def test_xrays_are_split_by_patient_and_a_planted_patient_is_found(real_data):
    (images, records), (others, later) = both(datasets.load_xrays)
    assert (len(images) + len(others), images.shape[1:]) == (243, (112, 112))
    assert (len(images), len(others)) == (len(records), len(later))
    everyone = pd.concat([records, later])
    assert (everyone["patient_id"].nunique(), int(everyone["in_icu"].sum())) == (71, 150)
    assert everyone[everyone["died"]]["patient_id"].nunique() == 5

    def leaks() -> dict[str, list[int]]:
        kinds = [
            {"patient": r["patient_id"].tolist(), "image": i}
            for i, r in ((images, records), (others, later))
        ]
        return {kind: rows.tolist() for kind, rows in find_leaks(*kinds).items()}

    assert leaks() == {"patient": [], "image": []}
    later.loc[2, "patient_id"] = records["patient_id"][0]
    others[4] = images[1]
    assert leaks() == {"patient": [2], "image": [4]}


def test_speeches_are_split_by_time_and_planted_ones_are_found(real_data):
    train, test = both(datasets.load_speeches)
    assert (len(train), len(test)) == (631, 271)

    def leaks(test: pd.DataFrame) -> dict[str, int]:
        kinds = [{"day": part.index, "text": part["text"].tolist()} for part in (train, test)]
        return {kind: len(rows) for kind, rows in find_leaks(*kinds, times=["day"]).items()}

    assert leaks(test) == {"day": 0, "text": 0}
    assert leaks(pd.concat([test, train.tail(1)])) == {"day": 1, "text": 1}


# --- find_leaks ----------------------------------------------------------------------------


def test_leaks_are_found_row_by_row():
    train = {"group": [1, 2, 2], "text": ["a", "b", "c"], "year": [2001, 2003, 2002]}
    test = {"group": [3, 2, 5, 1], "text": ["x", "y", "c", "z"], "year": [2004, 2003, 2002, 2005]}
    found = find_leaks(train, test, times=["year"])
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "group": [1, 3], "text": [2], "year": [1, 2],
    }  # fmt: skip
    images = np.zeros((3, 2, 2), np.uint8)
    images[1:] = np.arange(8).reshape(2, 2, 2)
    assert find_leaks({"i": images[:2]}, {"i": images[1:].astype(float)})["i"].tolist() == [0]
    assert find_leaks({"i": images[:1]}, {"i": -1.0 * images[:1]})["i"].tolist() == [0]  # -0.0


@pytest.mark.parametrize(
    ("train", "test", "times", "error", "message"),
    [
        ({"a": [1]}, {"b": [1]}, [], ValueError, "test, times: expected names of"),
        ({"a": [1]}, {"a": [1]}, ["b"], ValueError, "test, times: expected names of"),
        ({"a": [1]}, {"a": ["1"]}, [], TypeError, "expected labels of one kind"),
    ],
)
def test_bad_names_and_kinds_are_refused(train, test, times, error, message):
    with pytest.raises(error, match=message):
        find_leaks(train, test, times=times)


@pytest.mark.parametrize("name", TABLES)
def test_bad_arguments_are_named(name):
    with pytest.raises(ValueError, match="split: expected one of"):
        datasets.load_table(name, "dev")
    with pytest.raises(ValueError, match="name: expected one of 'mammography'"):
        datasets.load_table(f"{name}s")
    with pytest.raises(ValueError, match="design: expected one of 'noto', 'twemoji', got 'apple'"):
        datasets.load_emoji("test").pictures("apple")
