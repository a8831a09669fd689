"""The node's page: rendered here, kept fresh in the browser by one small script."""

from dstack_backend.adapters.litestar_http.page.assets import asset_handler
from dstack_backend.adapters.litestar_http.page.headers import PAGE_HEADERS
from dstack_backend.adapters.litestar_http.page.i18n import LANGUAGES
from dstack_backend.adapters.litestar_http.page.page import Page

__all__ = ["LANGUAGES", "PAGE_HEADERS", "Page", "asset_handler"]
