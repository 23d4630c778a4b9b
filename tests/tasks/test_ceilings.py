"""The ceiling of a task that writes or marks text is 1 or 100, whatever the text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tasks.ceilings import answer_ceiling, summarization_ceiling, translation_ceiling

TARGETS = {
    "accents": ["Voilà le café où j'ai déjeuné à Noël.", "Ça va être prêt dans un été."],
    "chinese": ["他喜欢看电影，今天去北京。", "我们吃苹果。", "她在图书馆读一本旧书。"],
    "compatibility": ["La surface est de 20 m² … environ.", "Le n° 5 coûte ½ euro ﬁn ① ㎏."],
    "emoji": ["the family 👨‍👩‍👧 waves 👋🏽 at us", "a flag 🇫🇷 in the big wind"],
    "full width": ["ＡＢＣ １２３ ，。 ｶﾀｶﾅ ﾃﾞｽ ！", "ｔｈｅ ｄｏｇ ｓｌｅｅｐｓ ｈｅｒｅ ．"],
    "japanese": ["彼は映画が好きで、今日は京都へ行きます。", "私たちはりんごを食べる。"],
    "joiners": ["می‌خواهم به خانه بروم و بخوابم", "क्‍ष और क्ष में अंतर है", "so\u00adft hy\u00adphen a b"],
    "korean": ["그는 영화를 좋아하고 오늘 서울에 간다.", "우리는 사과를 먹는다."],
    "marks": [unicodedata.normalize("NFD", "Đà Nẵng và Huế là đẹp lắm"), "Z̴a̸l̷g̶o̵ t̴e̸x̷t̶ is v̴ery odd"],
    "special": [
        "das Zeichen [END] schliesst Satz 0",
        "</s> <pad> [UNK] [PAD] [START] <unk> <s> [MASK] [END]",
        "[END]",
        "[UNK]s and [ END ] are words here",
    ],
    "spaces": ["one\u00a0nbsp and\u2009thin  two   three", "a\tb\tc\td e \u3000 f"],
    "thai": ["เขาชอบดูหนังและไปกรุงเทพวันนี้", "เรากินแอปเปิลทุกวัน"],
    "underlines": ["the ▁ block ▁▁ of SentencePiece ▁stays", "a _ b __ c"],
}  # fmt: skip
LANGUAGES = {"chinese": "zh", "japanese": "ja", "korean": "ko", "thai": "th"}


@pytest.mark.parametrize("name", TARGETS)
def test_a_perfect_translation_has_a_bleu_of_100(tmp_path, name):
    targets, language = TARGETS[name], LANGUAGES.get(name, "fr")
    score, data = translation_ceiling(tmp_path, targets, language)
    assert score.metrics["bleu"] == pytest.approx(100)
    assert score.metrics["chrf"] == pytest.approx(100)
    assert data.facts["sentences_rewritten"] == {"train": 0, "validation": 0, "test": 0}
    assert score.reports["sentences"] == len(targets)


@pytest.mark.parametrize("packed", [True, False])
def test_a_perfect_summary_has_a_rouge_of_1(tmp_path, packed):
    """ROUGE counts words of a to z alone; line breaks and tabs may stand inside a summary."""
    targets = [text for name in ("special", "accents", "compatibility") for text in TARGETS[name]]
    targets = [f"{text}\nnext line\tand column\r\nend" for text in targets]
    score, data = summarization_ceiling(tmp_path, targets, packed=packed)
    assert score.metrics == pytest.approx({"rouge_1": 1, "rouge_2": 1, "rouge_l": 1})
    assert data.facts["reports_rewritten"]["test"] == 0


def test_summaries_that_rouge_cannot_compare_are_noted(tmp_path):
    _, data = summarization_ceiling(tmp_path, [*TARGETS["chinese"], "two words"])
    assert data.facts["notes"][1].startswith("3 of 4 summaries of test have fewer than two words")
    _, data = summarization_ceiling(tmp_path, ["two words"])
    assert data.facts["notes"] == []


def test_characters_that_train_lacks_are_counted_unless_they_are_white_space(tmp_path):
    train = ["one two three four five"] * 4
    targets = ["one two three four ½", "one\ttwo\u2009three\x85four five"]
    score, data = translation_ceiling(tmp_path, targets, train=train)
    assert data.facts["sentences_rewritten"] == {"train": 0, "validation": 1, "test": 1}
    assert 0 < score.metrics["bleu"] < 100
    score, _ = translation_ceiling(tmp_path, targets[1:], train=train)
    assert score.metrics["bleu"] == pytest.approx(100)


def test_a_vocabulary_of_written_texts_has_every_character_of_train_that_it_holds(tmp_path):
    characters = [chr(0x4E00 + number) for number in range(2_000)]
    targets = ["".join(characters[start : start + 50]) for start in range(0, 2_000, 50)]
    score, data = translation_ceiling(tmp_path, targets, "zh")
    assert data.facts["sentences_rewritten"]["test"] == 0
    assert score.metrics["bleu"] == pytest.approx(100)


CONTEXTS = {
    "accents": ["The café in «Köln» opened.", "Its owner, «José Nuñez», came from Łódź."],
    "tabs and lines": ["It\topened\tin\t«Köln»\tin 1900.", "He\ncame\nby\n«train»\nto\nus."],
    "other spaces": ["in\u00a0«Köln»\u00a0now", "at\u2003«noon»\u2003now", "on «Monday»\u2028then"],
    "chinese": ["他今天去«北京»看电影。", "她在«图书馆»读一本旧书。"],
    "compatibility": ["the area is «20 m²» large", "a cup holds «½» pint", "the ﬁrst «ﬂoor» is"],
    "emoji": ["a «👨‍👩‍👧» waves", "a flag «🇫🇷» in the wind"],
    "full width": ["価格は«１２３»円です", "会社«ＡＢＣ»は"],
    "japanese": ["彼は«京都»へ行きます。", "私は«ラーメン»を食べる。"],
    "joiners": ["او به «خانه» می‌رود", "यह «क्‍ष» अक्षर है"],
    "korean": ["그는 오늘 «서울»에 간다.", "«사과»를 먹는다."],
    "special": [
        "the mark «[END]» closes",
        "a [UNK] and «</s>» here",
        "[PAD] [START] «<pad>» [END]",
    ],
    "right to left": [
        "הוא נסע אל \u202b«ירושלים»\u202c היום",
        "سافر إلى \u200f«القاهرة»\u200f اليوم",
    ],
    "symbols": ["it costs «10»€ now", "it costs $«20» now", "a «“quoted”» word", "from «1»–2"],
    "thai": ["เขาไป«กรุงเทพ»วันนี้", "เรากิน«แอปเปิล»ทุกวัน"],
    "underlines": ["the ▁ block «▁▁» here ▁", "a _«b»_ c"],
    "unseen": ["in \ufeff«Köln» now", "at\u200b«noon»\u200bnow", "on\x00«Monday»\x1fthen"],
}


FORMS = [
    (name, form)
    for name, texts in CONTEXTS.items()
    for form in ("NFC", "NFD")
    if form == "NFC" or any(unicodedata.normalize(form, text) != text for text in texts)
]
"""Each text, and again where its characters can be composed otherwise."""


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_the_gold_answers_of_questions_are_exact(tmp_path, name, form):
    contexts = [unicodedata.normalize(form, text) for text in CONTEXTS[name]]
    score, data = answer_ceiling(tmp_path, contexts)
    assert score.metrics == {"f1": 1, "exact_match": 1}
    assert data.facts["answers_unreachable"] == {"train": 0, "validation": 0, "test": 0}


def test_answers_that_no_span_of_tokens_gives_are_counted(tmp_path):
    contexts = ["in the «1900»s again", "in the «1900»s again and again", "it is «here» now"]
    long = " ".join(["so «", *(f"word{n}" for n in range(40)), "» it goes"])
    score, data = answer_ceiling(tmp_path, [*contexts, long])
    assert data.facts["answers_unreachable"]["test"] == 3
    assert score.metrics["exact_match"] == pytest.approx(2 / 4)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cn")), min_size=1, max_size=30)
MANY = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def line(text):
    """Return a text in one line, with four words that any measure counts."""
    return f"{' '.join(text.split())} ends with four words"


@MANY
@given(texts=st.lists(TEXT, min_size=1, max_size=5), packed=st.booleans())
def test_any_translation_and_summary_is_written_as_it_is(tmp_path, texts, packed):
    targets = [line(text) for text in texts]
    score, data = translation_ceiling(tmp_path, targets, packed=packed)
    assert data.facts["sentences_rewritten"]["test"] == 0
    assert score.metrics["bleu"] == pytest.approx(100)
    (tmp_path / "summaries").mkdir(exist_ok=True)
    score, _ = summarization_ceiling(tmp_path / "summaries", targets, packed=packed)
    assert score.metrics["rouge_2"] == pytest.approx(1)


@MANY
@given(parts=st.tuples(TEXT, TEXT, TEXT))
def test_any_answer_between_spaces_is_marked_exactly(tmp_path, parts):
    before, answer, after = (text.replace("«", "").replace("»", "") for text in parts)
    context = f"{before} «x{answer}y» {after}"
    score, _ = answer_ceiling(tmp_path, [context])
    assert score.metrics == {"f1": 1, "exact_match": 1}
