"""``python -m offline.gaze_network``; see ``offline/gaze/command.py``."""

import sys

from offline.gaze.command import main

if __name__ == "__main__":
    sys.exit(main())
