"""Texts from files, as they are shown."""

from models.printable import printable


def test_what_cannot_be_printed_is_a_question_mark() -> None:
    """Codes of terminals, line breaks, marks that turn the direction of text, and halves of characters."""
    assert printable("fc\x1b[31m.weight\n\u202egpj\ud800") == "fc?[31m.weight??gpj?"
    assert printable("猫 κύων é") == "猫 κύων é"
