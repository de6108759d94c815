# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the scripts of the guest harness share, on the host and in the guest.
# Sourced, never run.

# Say MESSAGE on stderr under the running script's name.
say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die MESSAGE: end with status 1; die STATUS MESSAGE: end with STATUS.
die() {
	local status=1
	if [ $# -gt 1 ]; then
		status=$1
		shift
	fi
	say "$*"
	exit "$status"
}

# Print the script's own header comment, which is its help text.
show_help() {
	sed -n '/^# SPDX/d; 2,/^[^#]/ { s/^# \{0,1\}//p; }' "$1"
}

# Fail unless each of the programs is installed.
need_programs() {
	local program missing=
	for program; do
		command -v "$program" >/dev/null || missing+=" $program"
	done
	[ -z "$missing" ] ||
		die 125 "not installed:$missing; ./quickstart installs what is missing"
}

# The folder that keeps kernels, sources and builds between runs.
cache_dir() {
	printf '%s\n' "${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/portalmem"
}

# The kernels that the tests run on, the main one first.
readonly tested_kernels='6.12 6.1 6.12-arm64'

# The architecture that a kernel's name or folder, such as 6.12-arm64, ends in.
kernel_arch() {
	case $1 in
	*-arm64) echo arm64 ;;
	*) echo amd64 ;;
	esac
}

# Is KERNEL, with or without its architecture, one that tests/vm/build-kernel builds?
is_built_kernel() {
	case ${1%-amd64} in
	debug | kcsan) ;;
	*) false ;;
	esac
}

# How many times as long as on a stock kernel things may take on KERNEL, which may
# check every access to memory.
time_factor() {
	if is_built_kernel "$1"; then
		echo 6
	else
		echo 1
	fi
}

# Print those of the tested kernels that are for ARCH.
list_tested_kernels() {
	local kernel
	for kernel in $tested_kernels; do
		[ "$(kernel_arch "$kernel")" != "$1" ] || printf '%s\n' "$kernel"
	done
}

# Hold FILE's lock until the script ends; a second caller waits here.
hold_lock() {
	local file=$1 fd
	mkdir -p "$(dirname "$file")"
	exec {fd}>"$file"
	flock "$fd"
}

# The kernel's release (uname -r) of a fetched kernel's folder.
kernel_release() {
	cat "$1/release"
}

# What the kernel says when something is broken in it. A line that only speaks
# of a warning ("Spectre V2 : WARNING: ...") is none: real reports begin the line.
readonly kernel_complaint='(^|\] )(WARNING|BUG): '\
'|kernel BUG at |Oops: |Kernel panic|general protection fault'\
'|\[ cut here \]|unable to handle|Unable to handle'\
'|KASAN: |KCSAN: |KFENCE: |KMSAN: |UBSAN: |kmemleak: .*suspected memory leak'\
'|suspicious RCU usage|detected stall|self-detected stall'\
'|possible (recursive|circular) locking|possible irq lock inversion'\
'|inconsistent lock state|bad unlock balance|held lock freed|lock held when returning'\
'|sleeping function called from invalid context|scheduling while atomic'\
'|blocked for more than|soft lockup|hard LOCKUP|hung task'\
'|Bad page (state|map)|Bad rss-counter|nonzero mapcount|page allocation failure'\
'|refcount_t: |(list_add|list_del) corruption|slab .* (corruption|poison)'\
'|Objects remaining in|Memory leak|DMA-API: .*(driver|cacheline)|leaked '

# Print the lines of standard input in which the kernel complains; succeed if
# there is one.
kernel_complaints() {
	grep -a -E -e "$kernel_complaint"
}

# Look for memory of this kernel's that nothing points to any more, and print what
# kmemleak has found; nothing where the kernel does not have it. It looks only at what
# is older than 5 s, and names what it has found unchanged a second time.
find_leaks() {
	local kmemleak=/sys/kernel/debug/kmemleak
	[ -w "$kmemleak" ] || return 0
	sleep 5
	echo scan >"$kmemleak"
	echo scan >"$kmemleak"
	cat "$kmemleak"
	echo clear >"$kmemleak"
}

# Print how many wrong uses of DMA addresses the kernel has counted; it speaks only
# of the first.
count_dma_errors() {
	cat /sys/kernel/debug/dma-api/error_count 2>/dev/null || echo 0
}

# Print how many dma-bufs there are in this kernel, by the kernel's own list; nothing
# when it does not come to its end, for somebody has died with a buffer locked.
count_dmabufs() {
	timeout 10 sed -n 's/^Total \([0-9]\{1,\}\) objects.*/\1/p' /sys/kernel/debug/dma_buf/bufinfo
}

# Print how many dma-bufs there are, after a moment for those of processes that
# have just ended: the last put of a file is deferred. No more than EXPECTED need
# no waiting.
count_leftover_dmabufs() {
	local expected=$1 count try
	for ((try = 0; try < 10; try++)); do
		count=$(count_dmabufs)
		[ "${count:-0}" -gt "$expected" ] || break
		sleep 0.1
	done
	printf '%s\n' "$count"
}

# How many seconds a test may take that says nothing else.
# shellcheck disable=SC2034
readonly default_test_limit=240

# Print what the line "# SETTING: VALUE" in the first lines of a test script, or
# " * SETTING: VALUE" in those of a program's source, says; nothing when there is
# none.
test_setting() {
	head -n 20 "$1" | tr -d '\0' | LC_ALL=C sed -n "s/^\(#\| \*\) $2: *//p"
}
