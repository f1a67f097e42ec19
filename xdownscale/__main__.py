"""``python -m xdownscale``: the same as ``xdownscale``."""

from __future__ import annotations

import sys

from xdownscale.cli import main

if __name__ == "__main__":
    sys.exit(main())
