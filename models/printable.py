"""Text from files of anybody's, in a form that changes nothing but itself where it is shown."""


def printable(text: str) -> str:
    """The text with a question mark for each character that cannot be printed, such as those of terminals' codes."""
    return "".join(character if character.isprintable() else "?" for character in text)
