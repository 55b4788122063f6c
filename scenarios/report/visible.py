"""Text of reports made safe to show: what cannot be seen is shown, so that nothing on the page can deceive.

Report text is hostile. Escaping is the template's and the picture builder's part; this is about characters that
survive escaping and still mislead: control characters, and those that turn the direction of a line.
"""

import unicodedata
from typing import Final

_REPLACEMENT: Final = "�"
# Bidirectional controls can make "gpj.exe" read "exe.jpg"; zero-width characters hide a difference.
_MISLEADING: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> str:
    """Replace each character that cannot be seen or that reorders others; line breaks become spaces."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t\r":
        return " "
    hidden = character in _MISLEADING or unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"}
    return _REPLACEMENT if hidden else character
