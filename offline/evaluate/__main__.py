"""``python -m offline.evaluate``."""

import sys

from offline.evaluate.evaluation import main

if __name__ == "__main__":
    sys.exit(main())
