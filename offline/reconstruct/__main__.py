"""``python -m offline.reconstruct``."""

import sys

from offline.reconstruct.reconstruction import main

if __name__ == "__main__":
    sys.exit(main())
