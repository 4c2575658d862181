"""``python -m offline.people``: films a rendered person; see ``offline/synthetic/raster_people.py``."""

import sys

from offline.synthetic.raster_people import main

if __name__ == "__main__":
    sys.exit(main())
