# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A made-up machine in $root, as --sysroot takes it. Source it after cli.sh.

root=${work:?}/root

# make_process PID COMMAND TICKS: a process that has nothing yet.
make_process()
{
	mkdir -p "$root/proc/$1/fd" "$root/proc/$1/fdinfo"
	echo "$2" >"$root/proc/$1/comm"
	echo "$1 ($2) S 1 1 1 0 -1 4194560 9 9 0 0 $3 0 0 0 20 0 1 0 9 9 9" \
		>"$root/proc/$1/stat"
	: >"$root/proc/$1/maps"
}

# hold PID FD INODE SIZE COUNT EXPORTER [NAME]: it gets a descriptor.
hold()
{
	ln -s "/dmabuf:${7-}" "$root/proc/$1/fd/$2"
	{
		printf 'pos:\t0\nflags:\t02000002\nmnt_id:\t14\nino:\t%s\n' "$3"
		printf 'size:\t%s\ncount:\t%s\nexp_name:\t%s\n' "$4" "$5" "$6"
		[ -z "${7-}" ] || printf 'name:\t%s\n' "$7"
	} >"$root/proc/$1/fdinfo/$2"
}

# map PID RANGE OFFSET INODE PATH
map()
{
	printf '%s rw-s %s 00:0d %s                        %s\n' \
		"$2" "$3" "$4" "$5" >>"$root/proc/$1/maps"
}

# begin_list: the kernel's list, empty.
begin_list()
{
	mkdir -p "$root/sys/kernel/debug/dma_buf"
	bufinfo=$root/sys/kernel/debug/dma_buf/bufinfo
	printf '\nDma-buf Objects:\n%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n' \
		size flags mode count ino >"$bufinfo"
}

# list SIZE COUNT EXPORTER INODE NAME [DEVICE]: an entry of the kernel's list.
list()
{
	printf '%08d\t00000002\t00080007\t%08d\t%s\t%08d\t%s\n' \
		"$1" "$2" "$3" "$4" "$5" >>"$bufinfo"
	printf '\tAttached Devices:\n' >>"$bufinfo"
	[ -z "${6-}" ] || printf '\t%s\n' "$6" >>"$bufinfo"
	printf 'Total %d devices attached\n\n' $((${6:+1} + 0)) >>"$bufinfo"
}

# end_list COUNT SIZE
end_list()
{
	printf '\nTotal %d objects, %d bytes\n' "$1" "$2" >>"$bufinfo"
}

# heap MISC NAME LIVE BUFFERS PEAK POOLED ALLOCATIONS FREES [REASON COUNT]...: the
# counters of a heap of the module, in the folder of one of its nodes.
heap()
{
	heap_folder=$root/sys/class/misc/$1/stats
	mkdir -p "$heap_folder"
	echo "$2" >"$heap_folder/heap"
	echo "$3" >"$heap_folder/live_bytes"
	echo "$4" >"$heap_folder/live_buffers"
	echo "$5" >"$heap_folder/peak_bytes"
	echo "$6" >"$heap_folder/pooled_bytes"
	echo "$7" >"$heap_folder/allocations"
	echo "$8" >"$heap_folder/frees"
	shift 8
	while [ $# -gt 0 ]; do
		echo "$2" >"$heap_folder/failures_$1"
		shift 2
	done
}
