"""``python -m offline.fit_quality``; see ``offline/evaluate/fit_quality.py``."""

import sys

from offline.evaluate.fit_quality import main

if __name__ == "__main__":
    sys.exit(main())
