"""``python -m offline.flow_learning``; see ``offline/flow/train.py``."""

import sys

from offline.flow.train import main

if __name__ == "__main__":
    sys.exit(main())
