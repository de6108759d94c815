#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# arch: amd64
# quick: 6.12
#
# Every backend that this kernel has gives what it says, and the unit tests hold
# on each of them; those that it has not say so. Nothing in that depends on the
# processor, and an emulated one of another architecture takes four minutes.
# shellcheck disable=SC2317 # functions are called through run
set -u

# shellcheck source=tests/lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# Emulated machines are slow.
program()
{
	timeout 300 "$PORTALMEM_BUILDDIR/tests/$1"
}

# What the kernel has of its own. Of Debian's it is known.
case $(uname -r) in
6.1.*-amd64) backends='memfd' ;;
6.12.*-amd64) backends='dma-heap udmabuf memfd' ;;
6.12.*-arm64) backends='udmabuf memfd' ;;
*)
	backends=memfd
	[ ! -e /sys/class/misc/udmabuf ] || backends="udmabuf $backends"
	[ ! -e /sys/class/dma_heap/system ] || backends="dma-heap $backends"
	;;
esac
[ -z "$PORTALMEM_MODULE" ] || backends="portalmem $backends"

# Spaces around each, so that a name is found whole.
GUEST_BACKENDS=" $backends "
export GUEST_BACKENDS
run program guest/test-backends
check "the backends of this kernel give what they say" status_is 0

for backend in $backends; do
	UNIT_BACKEND=$backend
	export UNIT_BACKEND
	for topic in access alloc error exporter fork handover import info map \
		share share-hostile sync threads; do
		run program "unit/test-$topic"
		check "the unit tests of $topic hold on $backend" status_is 0
	done
done
tap_end
