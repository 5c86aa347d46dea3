"""`python -m currant_lab` is `currant`."""

from currant_lab.cli import main

raise SystemExit(main())
