"""Makes the reference loops importable, whatever the import mode of the test run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
