"""Configuration of the documentation site, which `make docs` builds.

The source directory is the repository: a link to a document or to another file is the same on the
site as on the forge. `-W` makes each dead link, dead anchor and unresolved reference an error.
"""

import gettext
import pkgutil
import re
from enum import Enum
from importlib import import_module
from pathlib import Path

import sphinx
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.search.en import SearchEnglish
from sphinx.util import logging

import dstack_backend
from dstack_backend import testing

project = "dstack-backend"
html_title = f"{project} {dstack_backend.__version__}"
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "bench", "build", "deploy", "dist", "dstack_backend", "src", "tests"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

smartquotes_action = "D"
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 4
default_role = "code"
autodoc_default_options = {"members": True, "imported-members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r"(asyncio|collections|datetime|hypothesis|msgspec|pathlib|ssl)\..*"),
    ("py:class|py:obj", r".*\.AnyInventory"),
]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_additional_pages = {"index": "redirect.html"}
html_copy_source = False
html_show_copyright = False

PUBLIC = [
    "dstack_backend.domain",
    "dstack_backend.app.embed",
    *(f"{testing.__name__}.{each.name}" for each in pkgutil.iter_modules(testing.__path__)),
]
WORD = r"(?=([\u4e00-\u9fff]{2}))|((?:(?![\u4e00-\u9fff])\w)+)"
# Wide punctuation and Chinese characters.
WIDE = r"\u2014\u2018-\u201d\u2026\u3000-\u303f\uff00-\uffef"
LINE_BREAK = re.compile(
    rf"^ *```.*?^ *```|(?<=[{WIDE}])\n *(?=[A-Za-z\[]|\d+ |`(?!``))"
    rf"|(?<=[{WIDE}\u4e00-\u9fff])\n *(?=[{WIDE}\u4e00-\u9fff])",
    re.MULTILINE | re.DOTALL,
)
CHINESE = gettext.translation("sphinx", Path(sphinx.package_dir, "locale"), ["zh_CN"])


class BilingualSearch(SearchEnglish):
    """Finds English words by their stems, and Chinese text by pairs of characters."""

    js_splitter_code = (
        f"var splitQuery = (query) => Array.from(query.matchAll(/{WORD}/gu), (m) => m[1] || m[2]);"
    )

    def split(self, input: str) -> list[str]:  # noqa: A002 - the name in Sphinx
        """Return the words and the pairs of a text."""
        return ["".join(groups) for groups in re.findall(WORD, input)]


def include_enum_members(
    _app: Sphinx, _what: str, _name: str, value: object, _skip: object, _options: object
) -> bool | None:
    """Include the members of enumerations, which have no docstrings."""
    return False if isinstance(value, Enum) else None


def shorten_signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    _value: object,
    _options: object,
    signature: str | None,
    annotation: str | None,
) -> tuple[str | None, str | None]:
    """Replace defaults that are no Python, and leave out what protocols inherit."""
    if signature == "(*args, **kwargs)":
        return "", annotation
    return signature and signature.replace("<factory>", "..."), annotation


def join_chinese_lines(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Remove line breaks within Chinese text, outside of blocks: a browser shows them as spaces."""
    source[0] = LINE_BREAK.sub(lambda each: each[0] if "`" in each[0] else "", source[0])


def set_language(
    _app: Sphinx, page: str, _template: str, context: dict[str, object], _tree: object
) -> None:
    """Mark Chinese pages as Chinese, and translate what the theme adds to them."""
    if page.endswith(".zh-CN"):
        context.update(language="zh-CN", _=CHINESE.gettext, gettext=CHINESE.gettext)


def check_public_names(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that the reference does not contain."""
    documented = env.domains.python_domain.objects
    for module in PUBLIC:
        for name in import_module(module).__all__:
            if f"{module}.{name}" not in documented:
                logging.getLogger(__name__).warning("not in the reference: %s.%s", module, name)


def setup(app: Sphinx) -> None:
    """Connect the functions above to Sphinx."""
    app.add_search_language(BilingualSearch)
    app.connect("autodoc-skip-member", include_enum_members)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("source-read", join_chinese_lines)
    app.connect("html-page-context", set_language)
    app.connect("env-check-consistency", check_public_names)
