#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# post-build.sh TREE KERNEL ARCH: keep what modules that use this one are built
# with. DKMS calls it in the build folder, which it removes afterwards; what it
# keeps of a build goes with it when the module is removed.
set -eu

version=$(cat VERSION)
dir=$1/portalmem/$version/$2/$3
mkdir -p "$dir"
cp Module.symvers "$dir/portalmem.symvers"
