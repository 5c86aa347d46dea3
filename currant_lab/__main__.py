"""`python -m currant_lab` is `currant`."""

import sys

from currant_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
