"""The headers of every answer, also of those that the application does not make itself."""

from typing import Final

# Pages load everything from this host and nothing from any other; no site may frame them.
_ALLOWED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SAFETY: Final = {
    "Content-Security-Policy": _ALLOWED,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What a browser may do with an answer."""

NOT_KEPT: Final = "private, no-store"
"""`Cache-Control` of an answer that nobody may keep."""

CHECKED: Final = "no-cache"
"""`Cache-Control` of an answer that is the same for everyone, and may be a newer one next time."""
