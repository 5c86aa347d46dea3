"""`python -m currant_tui` is the same as `currant-tui`."""

import sys

from currant_tui.command import main

if __name__ == "__main__":
    sys.exit(main())
