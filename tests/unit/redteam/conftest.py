# SPDX-License-Identifier: Apache-2.0
"""The modules of `aispm redteam`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "sdk" / "redteam"))
