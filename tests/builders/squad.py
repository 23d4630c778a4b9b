"""Small files of questions in SQuAD's format."""

from __future__ import annotations

import json

from suite.api import SourceRequest

LYON = "Lyon lies on the Rhône. Its market sells cheese, and Émile sells bread there."


OSLO = "Oslo is a port. The ferry to Kiel leaves at noon."


QUESTIONS = {
    LYON: [
        ("Which river does Lyon lie on?", ["the Rhône", "Rhône"]),
        ("Who sells bread?", ["Émile"]),
    ],
    OSLO: [("When does the ferry leave?", ["at noon", "noon"])],
}


def article(number=0, unanswerable=False):
    """Return an article of SQuAD; `number` makes its contexts differ from others'."""
    paragraphs = []
    for text, questions in QUESTIONS.items():
        context = f"{text} {number}"
        asked = [
            {
                "id": f"{number}-{question}",
                "question": question,
                "answers": [
                    {"text": answer, "answer_start": context.index(answer)} for answer in answers
                ],
            }
            for question, answers in questions
        ]
        paragraphs.append({"context": context, "qas": asked})
    if unanswerable:
        for paragraph in paragraphs:
            for asked in paragraph["qas"]:
                asked["is_impossible"] = False
        none = {"id": f"{number}-none", "question": "Why?", "answers": [], "is_impossible": True}
        paragraphs[0]["qas"].append(none)
    return {"title": f"Article {number}", "paragraphs": paragraphs}


def write_squad(folder, version="1.1", splits=(("train", 6), ("dev", 2))):
    for split, count in splits:
        articles = [article(number, unanswerable=version == "2.0") for number in range(count)]
        path = folder / f"{split}-v{version}.json"
        path.write_text(json.dumps({"version": version, "data": articles}), encoding="utf-8")


def request_for(folder):
    return SourceRequest("files", str(folder))
