#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the command shows of the module's heaps and asks of them, with figures
# that are known: a module that is made up answers. On the real one,
# tests/guest/cli-heaps.sh runs the same commands.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

PORTALMEM=$top_builddir/tests/cli/portalmem-fake
unset PORTALMEM_BACKEND
FAKE_MODULE_LOG=$work/log
export FAKE_MODULE_LOG

# heap_is KEY VALUE: the only place's heap in the JSON that was printed.
heap_is()
{
	json_is "heaps.0.heap.$1" "$2"
}

# asked FIELDS: the last allocation that the module was asked for.
asked()
{
	tail -n 1 "$FAKE_MODULE_LOG" | grep -q -x -F -e "$1"
}

pm heaps --device /dev/portalmem
check "the system heap is listed" done_cleanly
check "what stands over its figures is explained" out_matches \
	'^PATH  *HEAP  *SIZE  *USED  *AVAILABLE  *LARGEST  *FRAGMENTS  *POOLED  *LIMIT  *USER  *USERLIMIT$'
check "a heap without a size, fragments and a limit has none" out_matches \
	'^/dev/portalmem  *system  *-  *20K  *700M  *700M  *-  *3M  *none  *4K  *1.5G$'
pm heaps --device camera
check "a region has a size and fragments" out_matches \
	'^camera  *camera  *64M  *16M  *48M  *32M  *3  *0  *none  *0  *none$'
check "it is listed with the caching that it has" \
	out_matches '^camera  *portalmem  *wc  *wc  *yes$'
pm heaps --device portalmem-contiguous
check "a heap whose memory is used up is not usable" status_is 1
check "why it is not is said in full" \
	out_matches 'no: .*Cannot allocate memory; ask for less or free memory$'
check "its figures are shown all the same" out_matches \
	'^portalmem-contiguous  *contiguous  *-  *0  *512M  *120M  *-  *0  *512M  *0  *256M$'

pm heaps --device /dev/portalmem --json
check "heaps --json has the heap" json_valid
check "its name" heap_is name '"system"'
check "that its buffers are scattered" heap_is contiguous false
check "that it is no region" heap_is region false
check "that mappings can be pinned" heap_is pinnable true
check "that it has no size" heap_is size null
check "what is used, in bytes" heap_is used 20480
check "what is available, in bytes" heap_is available 734007296
check "the largest buffer, in bytes" heap_is largest 734003200
check "that it has no fragments" heap_is fragments null
check "how many buffers there are" heap_is buffers 2
check "what is pooled, in bytes" heap_is pooled 3145728
check "that there is no limit on all users" heap_is limit null
check "the limit on one" heap_is user_limit 1610612736
check "what this one has" heap_is user_used 4096
pm heaps --device camera --json
check "a region is contiguous in JSON" heap_is contiguous true
check "a region is one in JSON" heap_is region true
check "mappings of it cannot be pinned" heap_is pinnable false
check "a region has a size in JSON" heap_is size 67108864
check "a region has fragments in JSON" heap_is fragments 3
pm heaps --device portalmem-contiguous --json
check "a heap that is not usable is described in JSON" heap_is limit 536870912

pm trim
check "trim says what was given back" prints '3145728 bytes (3M) given back'
pm trim --json
check "trim --json does too" json_is freed 3145728
pm trim --device camera
check "nothing to give back is no failure" prints '0 bytes given back'

pm alloc -s 4K --device camera --align 2M -- true
check "alloc --align is done" done_cleanly
check "the module is asked for the alignment" \
	asked 'flags 0 size 4096 alignment 2097152 region_offset 0'
pm alloc -s 4K --device camera --adopt 1M -- true
check "alloc --adopt is done" done_cleanly
check "the module is asked for the place" \
	asked 'flags 2 size 4096 alignment 0 region_offset 1048576'
pm alloc -s 4K --device camera --adopt 0 -- true
check "the region's start can be adopted" \
	asked 'flags 2 size 4096 alignment 0 region_offset 0'
pm alloc -s 4K --device camera --align 3K -- true
check "an alignment that is no power of two fails" \
	fails alloc 'give a power of two'
pm alloc -s 4K --device camera --adopt 5 -- true
check "an offset that is not at a page fails" \
	fails alloc 'give a multiple of 4096'
pm alloc -s 4K --adopt 0 -- true
check "only a region has something to adopt" \
	fails alloc "only a reserved region has contents to adopt"
pm alloc -s 4K --device camera -c uc -- true
check "a caching that a heap has not fails" \
	fails alloc "the heap 'camera' has no uc buffers"
pm alloc -s 256M --device portalmem-contiguous -- true
check "a run that is not there fails with the longest one" \
	fails alloc '256 MiB in one piece cannot be had: the longest run now is 120 MiB; ask for less, free memory, or reserve a region at boot'

tap_end
