"""Text from files of anybody's, without the characters that control a terminal."""


def printable(text: str) -> str:
    """The text with a question mark for each character that cannot be printed, such as those of terminals' codes."""
    return "".join(character if character.isprintable() else "?" for character in text)
