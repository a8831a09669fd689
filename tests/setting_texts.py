"""A Hypothesis strategy of the values of settings."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dstack_backend.testing.strategies import nasty_texts

__all__ = ["setting_texts"]

_URL_PARTS = ("http://", "https://", "unix:", "[::1]", ":", "/", "@", "80", "99999", "localhost")
_ODD_PARTS = ("-1", "1e3", ".", "%", "?", "#", "\n", "\t", " ", "ü", "٣", "info", "json", "nan")


def setting_texts() -> SearchStrategy[str]:
    """Return texts of settings: valid, nearly valid, and noise."""
    parts = st.sampled_from((*_URL_PARTS, *_ODD_PARTS))
    return st.lists(parts, max_size=6).map("".join) | nasty_texts() | st.text(max_size=40)
