# SPDX-License-Identifier: Apache-2.0
"""The modules of ./dev eval lie beside their tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
