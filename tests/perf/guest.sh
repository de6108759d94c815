#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: guest.sh PART
#
# Measure one part of what tests/perf/run tells, in a guest, and print it: a line
# "# NAME" and then what was measured, as CSV.
#
# The kernel's heap and udmabuf are measured by their own system calls, beside the
# module, in rounds in which each has its turn.
set -eu

sizes=4K,64K,1M,16M,64M
device=platform/pm_device.0

bench()
{
	local name=$1
	shift
	echo "# $name"
	portalmem bench --rounds 5 --csv "$@"
}

load_device()
{
	[ -e /sys/module/pm_device ] ||
		insmod "$PORTALMEM_BUILDDIR/tests/guest/kmod/$(uname -r)/pm_device.ko"
}

# Instructions of one processor. Reading is from the scratch disk.
measure_costs()
{
	bench main --allocators portalmem,system,udmabuf,pool --sizes $sizes --time 0.05 \
		--tests paced,tight,cold,use
	bench wc --allocators portalmem-wc --sizes $sizes --time 0.05 --tests paced,cold
	bench all --allocators portalmem,system --sizes $sizes --time 0.05 --tests paced \
		--clock system
	load_device
	bench attach --allocators portalmem,system --sizes 64M --time 0.05 --tests attach \
		--attach $device
	bench read --allocators portalmem,system,anonymous --sizes 64M --time 0.05 \
		--tests read --clock system --file "$PORTALMEM_SCRATCH_DISK"
	bench first --allocators portalmem,system --sizes 4K --time 0.05 --tests tight
	bench last --allocators portalmem,system --sizes 4K --time 0.05 --tests tight --live 99999
	echo "# clock"
	portalmem --json bench --rounds 1 --time 0 --allocators memfd --sizes 4K --tests alloc |
		sed -n 's/.*"clock_cost_ns": *\([0-9.]*\).*/\1/p'
	echo "# memory"
	hold /dev/dma_heap/system
	hold /dev/portalmem
}

# What buffers take that are held. Of those before, the kernel gives much back late.
hold()
{
	portalmem trim >/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	sleep 2
	"$PORTALMEM_BUILDDIR/tests/perf/hold" "$1" 20000
}

# Copies for a device that does not reach the memory make a sync cost what it
# should. Wants 6 GiB.
measure_sync()
{
	load_device
	bench sync --allocators portalmem --sizes 64K,1G --time 0.05 \
		--tests sync,sync-part --attach $device
}

# Two processors, and the clock of the wall.
measure_processors()
{
	bench one --allocators portalmem,system --sizes 4K,1M --time 1 --tests tight --cpus 0
	bench two --allocators portalmem,system --sizes 4K,1M --time 1 --tests parallel --cpus 0,1
}

case ${1-} in
costs | sync | processors) "measure_$1" ;;
*)
	echo "usage: guest.sh costs | sync | processors" >&2
	exit 2
	;;
esac
