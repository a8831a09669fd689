"""Writes the table of settings into both READMEs, between two markers; `--check` compares only.

The English meanings are those of the table of settings, as in `--help`. The Chinese ones are in
`settings_zh.toml`.
"""

import re
import sys
import tomllib
from pathlib import Path

from dstack_backend.app.config.settings import SETTINGS

__all__ = ["CHINESE", "READMES", "outdated", "table", "updated"]

READMES = {"en": Path("README.md"), "zh": Path("README.zh-CN.md")}

MARKED = re.compile(r"(?<=<!-- settings:begin -->\n).*?(?=<!-- settings:end -->)", re.DOTALL)

HEADERS = {
    "en": ("variable", "default", "meaning", "none"),
    "zh": ("变量", "默认值", "说明", "无"),
}

COMPUTED = {"en": "; default: ", "zh": "；默认为"}  # noqa: RUF001 - Chinese
"""Stands in a meaning before a default that is not a fixed value."""

CHINESE: dict[str, str] = tomllib.loads(Path(__file__).with_name("settings_zh.toml").read_text())


def table(language: str) -> str:
    """Return the table in a language."""
    *header, none = HEADERS[language]
    rows = [f"| {' | '.join(header)} |", "|---|---|---|"]
    for setting in SETTINGS:
        text = CHINESE[setting.variable] if language == "zh" else setting.help
        meaning, _, computed = text.partition(COMPUTED[language])
        default = f"`{setting.default}`" if setting.default else computed or none
        rows.append(f"| `{setting.variable}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def updated(text: str, language: str) -> str:
    """Return a README with the table as it should be; without markers nothing changes."""
    return MARKED.sub(lambda _: table(language), text)


def outdated() -> list[Path]:
    """Return the READMEs whose table differs from the settings."""
    texts = {path: (language, path.read_text()) for language, path in READMES.items()}
    return [path for path, (language, text) in texts.items() if updated(text, language) != text]


if __name__ == "__main__":
    found = outdated()
    if "--check" in sys.argv[1:]:
        sys.exit(f"{', '.join(map(str, found))}: run make settings" if found else 0)
    for language, path in READMES.items():
        path.write_text(updated(path.read_text(), language))
