"""``python -m offline.morphable``."""

import sys

from offline.morphable.builder import main

if __name__ == "__main__":
    sys.exit(main())
