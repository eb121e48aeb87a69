# SPDX-License-Identifier: Apache-2.0
"""The layer check of packaging/cmake/AispmLayers.cmake refuses what does not point to a strictly lower layer."""

import os
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(os.environ["AISPM_SOURCE_DIR"])

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(layers LANGUAGES CXX)
set(AISPM_TESTS OFF)
include({source}/packaging/cmake/AispmLayers.cmake)
add_library(aispm_flags INTERFACE)
file(WRITE ${{PROJECT_BINARY_DIR}}/a.cpp "int a() {{ return 1; }}")
{body}
"""


def configure(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    (folder / "CMakeLists.txt").write_text(PROJECT.format(source=SOURCE, body=body))
    return subprocess.run(["cmake", "-S", folder, "-B", folder / "out"], capture_output=True, text=True, check=False)


def library(name: str, layer: int, deps: str = "") -> str:
    return f"aispm_library({name} LAYER {layer} SOURCES ${{PROJECT_BINARY_DIR}}/a.cpp {'DEPS ' + deps if deps else ''})\n"


def test_a_dependency_on_a_lower_layer_is_accepted(tmp_path: Path) -> None:
    done = configure(tmp_path, library("low", 0) + library("high", 2, "low"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("dependency_layer", "own_layer"), [(2, 2), (3, 2), (5, 0)])
def test_a_dependency_on_the_same_or_a_higher_layer_is_refused(
        tmp_path: Path, dependency_layer: int, own_layer: int) -> None:
    done = configure(tmp_path, library("other", dependency_layer) + library("mine", own_layer, "other"))
    assert done.returncode != 0
    assert "must point to a" in " ".join(done.stderr.split())


def test_an_executable_may_not_be_depended_on(tmp_path: Path) -> None:
    done = configure(tmp_path, "aispm_executable(tool SOURCES ${PROJECT_BINARY_DIR}/a.cpp)\n" + library("mine", 4, "tool"))
    assert done.returncode != 0


def test_a_dependency_without_a_layer_is_refused(tmp_path: Path) -> None:
    done = configure(tmp_path, "add_library(outside INTERFACE)\n" + library("mine", 4, "outside"))
    assert done.returncode != 0
    assert "has no layer" in done.stderr
