"""Characters that a text of anybody's may have, and that change more than themselves where it is shown."""

import re

IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that control a terminal or turn the direction of text, but for tabs and line breaks."""
IN_A_LINE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]+")
"""The same with tabs and line breaks, and halves of characters, which no file in UTF-8 can have."""
