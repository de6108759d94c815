#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What doctor makes of what the kernel tells, as other machines told it.
# shellcheck disable=SC2317 # functions are called through check
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

root=$work/root

# put FILE TEXT: a file of /proc or /sys; no TEXT, no file.
put()
{
	rm -f "$root/$1"
	mkdir -p "$(dirname "$root/$1")"
	[ $# = 1 ] || printf '%b' "$2" >"$root/$1"
}

doctor()
{
	pm doctor --sysroot "$root" "$@"
}

# finds VERDICT TOPIC TEXT: a line begins so.
finds()
{
	doctor
	grep -q "^$1 *$2 *$3" "$work/.out"
}

put proc/sys/kernel/osrelease '6.12.1-test\n'
put proc/self/cgroup '0::/\n'
put proc/meminfo 'MemTotal:        2097152 kB\nMemFree:          1024 kB\nMemAvailable:    1048576 kB\nCmaTotal:          65536 kB\nCmaFree:           32768 kB\n'
put proc/buddyinfo 'Node 0, zone    DMA32      1      1      1      1      1      1      1      1      1      2      3 \nNode 0, zone   Normal      4      4      4      4      4      4      4      4      4      1      0 \n'
put proc/cmdline 'quiet\n'

doctor
check "where an allocation works, doctor is done" done_cleanly
check "it says that it does" finds note allocation 'it works with a memfd.*; load the module'
doctor --json
check "doctor --json is strict JSON" json_valid
check "and says so, too" json_is can_allocate true
check "what is fine needs no advice" json_is findings.0.advice null
check "it has a verdict, a topic and a text" \
	[ "$(value_at findings.0.verdict),$(value_at findings.0.topic),$(value_at findings.0.text)" = '"fine","kernel","Linux 6.12.1-test"' ]
doctor --device "$work/absent"
check "where none works, it fails" status_is 1
check "and says why" out_matches "^WRONG  allocation  cannot open $work/absent: No such file or directory"
doctor --device "$work/absent" --json
check "in JSON, too" json_is can_allocate false

put proc/sys/kernel/osrelease '5.10.0-8-amd64\n'
check "a kernel that is too old is told" finds note kernel 'Linux 5.10.0-8-amd64 is too old .*; use Linux 6.1'
put proc/sys/kernel/osrelease '6.0.9\n'
check "6.0, too" finds note kernel 'Linux 6.0.9 is too old'
put proc/sys/kernel/osrelease '6.1.0\n'
check "6.1 is not" finds fine kernel 'Linux 6.1.0$'
put proc/sys/kernel/osrelease
check "a machine without /proc is told" finds note kernel '.*; see that /proc is mounted'

check "a module that is not loaded is told" finds note module 'portalmem is not loaded; load it with modprobe portalmem'
version=$("$PORTALMEM" --version | cut -d ' ' -f 2)
put sys/module/portalmem/version "$version\n"
put sys/module/portalmem/taint 'O\n'
check "one of this version is fine" finds fine module "portalmem $version is loaded$"
put sys/module/portalmem/taint 'OE\n'
check "one that is not signed is told" finds fine module "portalmem $version is loaded, unsigned$"
put sys/module/portalmem/version '0.0.1\n'
check "one of another version is told" finds note module 'portalmem 0.0.1 is loaded, and this is the command of'

check "memory that is available is told" finds fine memory '1G of 2G are available'
check "free runs are counted in 2 MiB" finds fine runs '9 free runs of 2 MiB'
check "CMA is told" finds fine CMA '32M of 64M are free'
put proc/buddyinfo 'Node 0, zone    DMA32      1      1      1      1      1      1      1      1      1      0      0 \n'
check "memory in small pieces is told" finds note runs '0 free runs of 2 MiB.*; have it compacted'
put proc/meminfo 'MemTotal:        2097152 kB\nMemAvailable:    4095 kB\n'
check "memory that is used up is told" finds WRONG memory '3.9M of 2G are available; end programs'
check "a machine without CMA is told" finds fine CMA 'nothing is set aside'

check "a process without a limit is told" finds fine cgroup 'no memory cgroup limits this process'
cgroup=sys/fs/cgroup/outer
put proc/self/cgroup '1:name=x:/other\n0::/outer/inner\n'
put $cgroup/memory.max '67108864\n'
put $cgroup/memory.current '33554432\n'
put $cgroup/inner/memory.max 'max\n'
put $cgroup/inner/memory.current '33554432\n'
check "the limit of a cgroup further out is found" finds fine cgroup 'the memory cgroup /outer has 32M of 64M left'
put $cgroup/inner/memory.max '41943040\n'
check "the one that leaves less counts" finds fine cgroup 'the memory cgroup /outer/inner has 8M of 40M left'
put $cgroup/inner/memory.current '41943040\n'
check "a full one is told" finds WRONG cgroup 'the memory cgroup /outer/inner is full: 0 of 40M are left.*; free buffers, or raise its memory.max'
put $cgroup/inner/memory.current '99943040\n'
check "one that is over its limit, too" finds WRONG cgroup '.*: 0 of 40M are left'
put proc/self/cgroup '4:memory:/old\n'
check "a process without a cgroup of version 2 is told" finds fine cgroup 'no memory cgroup (version 2)'

check "a machine without an IOMMU is told" finds fine IOMMU 'none translates'
mkdir -p "$root/sys/kernel/iommu_groups/0" "$root/sys/kernel/iommu_groups/1"
check "one with it is told" finds fine IOMMU 'it translates for 2 groups'
check "what root alone knows is told" finds fine swiotlb '.* known to root'
put sys/kernel/debug/swiotlb/io_tlb_nslabs '32768\n'
check "memory for copies is told" finds fine swiotlb '64M for copies'
put proc/cmdline 'quiet swiotlb=force\n'
check "copies for every device are told" finds note swiotlb 'every device works on copies; boot without'
put proc/cmdline 'quiet swiotlb=noforce\n'
doctor
check "noforce is not force" [ "$(grep -c 'every device' "$work/.out")" = 0 ]

pm doctor x
check "an argument is a mistake" misuses doctor "unexpected argument 'x'"

# No kernel says so, but whatever is read must not do harm.
put proc/buddyinfo "Node 0, zone DMA$(printf ' 1%.0s' $(seq 200))\n"
check "runs are counted up to the longest that there may be" \
	finds fine runs '8388607 free runs of 2 MiB'
long=$(printf '%5000s' '' | tr ' ' x)
pm doctor --sysroot "/$long"
check "a folder with a name that is too long has nothing to tell" \
	out_has 'its version cannot be read'

tap_end
