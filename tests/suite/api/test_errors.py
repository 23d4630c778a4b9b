from suite.api.errors import RequestError


def test_a_message_is_one_line_without_the_colours_of_a_terminal():
    error = RequestError(
        "The model fails", received="\x1b[1mno shape\x1b[0m\nat layer 2", remedy="Give it"
    )
    assert str(error) == "The model fails. Received: no shape at layer 2. Give it."
