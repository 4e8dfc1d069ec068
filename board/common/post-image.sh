#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# post-image.sh BINARIES MODEL BOARD: the kernel of a slot as a FIT, the boot script, the environment, the disk.
set -eu

binaries=$1
board=$3
here=$(dirname "$0")
own="$here/../$board"

gzip -9 -n -c "$binaries/Image" >"$binaries/Image.gz"
tree=
for file in "$binaries"/*.dtb; do
	tree=$(basename "$file")
done
load=$(sed -n 's/^# load //p' "$own/boot-board.cmd")
extra="fdt { data = /incbin/(\"$binaries/$tree\"); type = \"flat_dt\"; arch = \"arm64\"; compression = \"none\"; hash { algo = \"sha256\"; }; };"
sed -e "s|@KERNEL@|$binaries/Image.gz|" -e "s|@LOAD@|$load|" -e "s|@EXTRA_IMAGES@|$extra|" \
	-e 's|@EXTRA_USED@|fdt = "fdt";|' "$here/kernel.its" >"$binaries/kernel.its"
mkimage -q -f "$binaries/kernel.its" "$binaries/kernel.itb"

cat "$own/boot-board.cmd" "$here/boot.cmd" >"$binaries/boot.cmd"
mkimage -q -A arm64 -T script -C none -n "qx boot" -d "$binaries/boot.cmd" "$binaries/boot.scr"

# Two copies in the redundant form; the second is the older one (its flag, at octet 4, is one less).
echo slot=A | mkenvimage -r -s 0x4000 -o "$binaries/env.one" -
{
	cat "$binaries/env.one"
	head -c 4 "$binaries/env.one"
	printf '\000'
	tail -c +6 "$binaries/env.one"
} >"$binaries/env.bin"
head -c 65536 /dev/zero >"$binaries/factory.bin"
: >"$binaries/data.bin"
support/scripts/genimage.sh -c "$here/genimage.cfg"
