#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# post-build.sh TARGET MODEL BOARD: what the overlays cannot say: release, applications' folder, nobody's own inittab.
set -eu

target=$1
model=$2
board=$3
release="$target/etc/qx-release"
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$(dirname "$0")/../../firmware/qx/__init__.py")
built=${SOURCE_DATE_EPOCH:-$(date +%s)}
printf 'NAME=qx\nVERSION=%s\nMODEL=%s\nBOARD=%s\nBUILT=%s\n' "$version" "$model" "$board" "$built" >"$release"
touch -d "@$built" "$release"
mkdir -p "$target/data" "$target/etc/qx/master.d"
# These are ours, under other names.
rm -f "$target/etc/init.d/S01seedrng" "$target/etc/init.d/S02sysctl" "$target/etc/init.d/S40network"
