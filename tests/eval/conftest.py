# SPDX-License-Identifier: Apache-2.0
"""What ./dev eval and `aispm redteam` share lies in sdk/redteam."""

import sys
from pathlib import Path

for folder in (Path(__file__).resolve().parent, Path(__file__).resolve().parents[2] / "sdk" / "redteam"):
    sys.path.insert(0, str(folder))
