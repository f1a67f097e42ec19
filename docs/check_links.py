"""Check that every link inside the built site leads to a page that exists and to a place on it.

Usage: ``python docs/check_links.py docs/_build/html``. Addresses of other sites are left alone.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """The links of a page, and the names that links may point to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.names: set[str] = {""}

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links to and what it is called."""
        found = dict(attrs)
        self.links |= {link for key in ("href", "src") if (link := found.get(key))}
        self.names |= {name for key in ("id", "name") if (name := found.get(key))}


def broken(site: Path) -> list[str]:
    """Links that lead nowhere, each as "page: link"."""
    pages = {}
    for path in site.rglob("*.html"):
        pages[path.resolve()] = page = _Page()
        page.feed(path.read_text("utf-8"))
    bad = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            missing = not target.exists() or (target in pages and parts.fragment not in pages[target].names)
            if missing and "_static" not in link:
                bad.append(f"{path.relative_to(site.resolve())}: {link}")
    return bad


if __name__ == "__main__":
    found = broken(Path(sys.argv[1]))
    sys.exit("\n".join(["links that lead nowhere:", *found]) if found else 0)
