from suite.api.errors import RequestError


def test_a_message_is_one_line_without_the_colours_of_a_terminal():
    error = RequestError(
        "The model fails", received="\x1b[1mno shape\x1b[0m\nat layer 2", remedy="Give it"
    )
    assert str(error) == "The model fails. Received: no shape at layer 2. Give it."


def test_a_message_is_text_that_utf_8_can_hold():
    error = RequestError("There is no such column", received="x\ud800 in train.jsonl")
    assert str(error) == "There is no such column. Received: x\\ud800 in train.jsonl."
