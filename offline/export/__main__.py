"""``python -m offline.export``."""

import sys

from offline.export.target_export import main

if __name__ == "__main__":
    sys.exit(main())
