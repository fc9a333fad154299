"""The sentences that the page shows, as its own files of texts have them."""

import json
import re
from functools import cache

from app.page.page import FILES


def text(key: str, language: str = "en", **values: str) -> str:
    """Return the text of a key with its placeholders filled in; of one that has plural forms, the form for many."""
    wording = _texts(language)[key]
    return (wording if isinstance(wording, str) else wording["other"]).format(**values)


def percent(share: float, digits: int = 1) -> str:
    """Return a share from 0 to 1 in percent, as the page writes it in English: never 100 % if it is less."""
    written, step = f"{share:.{digits}%}", 10.0 ** -(digits + 2)
    if share < 1 and written == f"{1:.{digits}%}":
        return f">\u00a0{1 - step:.{digits}%}"
    return f"<\u00a0{step:.{digits}%}" if share > 0 and written == f"{0:.{digits}%}" else written


def certainty(probability: float) -> str:
    """Return a probability in percent, as the page writes it in English: never as 0 % or 100 %, even if it is that."""
    return percent(min(max(probability, 1e-9), 1 - 1e-9))


def of_an_attack(key: str, probability: float, **values: str) -> re.Pattern[str]:
    """Return a text with the probability that an attack ends with, known from POST /classify, to within 0.0002.

    The two ask the network in batches of different sizes, for which processors round differently.
    """
    shares = {certainty(close) for close in (probability - 2e-4, probability, probability + 2e-4)}
    return re.compile("|".join(re.escape(text(key, share=share, **values)) for share in sorted(shares)))


def decimal(value: float, digits: int) -> str:
    """Return a number with at most so many decimals, as the page writes it in English."""
    written = f"{value:,.{digits}f}"
    return written.rstrip("0").rstrip(".") if digits else written


@cache
def _texts(language: str) -> dict[str, str | dict[str, str]]:
    texts: dict[str, str | dict[str, str]] = json.loads((FILES / "languages" / f"{language}.json").read_text("utf-8"))
    return texts
