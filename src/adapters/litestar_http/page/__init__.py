"""The node's page: rendered on the server, updated in the browser by one small script."""

from dstack_backend.adapters.litestar_http.page.assets import assets, assets_version
from dstack_backend.adapters.litestar_http.page.i18n import LANGUAGES
from dstack_backend.adapters.litestar_http.page.page import Page

__all__ = ["LANGUAGES", "Page", "assets", "assets_version"]
