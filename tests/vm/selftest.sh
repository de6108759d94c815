#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: selftest.sh --build-dir DIR [debug | kcsan]
#
# The guest harness's own tests: tests/vm/run must never turn a failure into a
# pass. On the host; prints TAP. Guests run two at a time, which must work too. With
# "debug" or "kcsan", those of that kernel: what its checkers find must fail a run.
#
# What is in single quotes here is for the guest's shell.
# shellcheck disable=SC2016
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
if [ "${1-}" != --build-dir ] || [[ ! $# =~ ^[23]$ ]] ||
	[[ ! ${3-debug} =~ ^(debug|kcsan)$ ]]; then
	die 2 'usage: selftest.sh --build-dir DIR [debug | kcsan]'
fi
build_dir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0 failures=0

# Start a guest as NAME in the background; its output and status go to files.
start() {
	local name=$1
	shift
	(
		"$here/run" --build-dir "$build_dir" "$@" >"$work/$name.out" 2>"$work/$name.err"
		echo $? >"$work/$name.status"
	) &
}

# check WHAT COMMAND...: a test that passes when COMMAND succeeds.
check() {
	local what=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $what"
	else
		failures=$((failures + 1))
		echo "not ok $count - $what"
		echo "# false: ${*//$'\n'/ }"
	fi
}

status_is() {
	local status
	status=$(cat "$work/$1.status")
	[ "$status" = "$2" ] || {
		echo "# status $status"
		sed 's/^/# /' "$work/$1.err"
		false
	}
}

says() {
	grep -q -e "$2" "$work/$1.err"
}

test_output_and_files() {
	local expected
	printf 'content\n' >"$work/a file"
	# Each argument and nothing else between the brackets.
	start output --no-module --file "$work/a file:/opt/place/a file" \
		-- bash -c 'cat "/opt/place/a file"; printf "[%s]" "$@"; echo oops >&2; exit 3' - \
		'two words' "it's" '"$HOME"' $'new\nline' '' '*' 'back\slash'
	start high --no-module -- sh -c 'exit 255'
	wait
	expected=$(printf 'content\n'
		printf '[%s]' 'two words' "it's" '"$HOME"' $'new\nline' '' '*' 'back\slash')
	check "the command's status passes through" status_is output 3
	check 'status 255 passes through' status_is high 255
	check 'stdout is exact: a file delivered, arguments of any form unchanged' \
		test "$(cat "$work/output.out")" = "$expected"
	check "the command's stderr comes on stderr" grep -q -x oops "$work/output.err"
	check 'stdout holds nothing else' test ! -s "$work/high.out"
}

test_signal_and_environment() {
	start signal --no-module -- sh -c 'kill -TERM $$'
	start whole --scratch-disk 8 -- bash -c '
		test -d /sys/module/portalmem && test -e "$PORTALMEM_MODULE" &&
		test "$PORTALMEM_KERNEL" = "$(uname -r)" && test -d "$PORTALMEM_SRCDIR" &&
		test -d "$PORTALMEM_BUILDDIR" && test "$(id -u)" = 0 &&
		test "$(blockdev --getsize64 "$PORTALMEM_SCRATCH_DISK")" = 8388608 &&
		echo written >"$PORTALMEM_SCRATCH_DISK" &&
		test -w /sys/fs/cgroup/cgroup.procs && test -d /sys/kernel/debug/dma_buf &&
		head -c 3000000 /dev/zero'
	wait
	check 'a command ended by signal 15 gives 143' status_is signal 143
	check 'the module is loaded and the environment is as documented' status_is whole 0
	check 'a large output arrives whole' test "$(wc -c <"$work/whole.out")" = 3000000
	check 'the kernel log comes on stderr' says whole 'loading out-of-tree module'
}

test_dying_kernels() {
	start panic --no-module -- sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
	start power --no-module -- sh -c 'busybox poweroff -f; sleep 60'
	wait
	check 'a panic is a failure' status_is panic 125
	check 'a panic is called so' says panic 'Kernel panic'
	check 'a guest that ends without a status is a failure' status_is power 125
}

test_time_limit() {
	start hang --no-module --timeout 12 -- sleep 1000
	start warning --no-module -- sh -c \
		'echo "WARNING: CPU: 0 PID: 1 at nowhere.c:1 nothing+0x0/0x1" >/dev/kmsg'
	wait
	check 'a hang is ended by the time limit with status 124' status_is hang 124
	check 'a hang is called so' says hang 'took longer than 12 s'
	check 'a kernel warning fails a command that says 0' status_is warning 125
	check 'the warning is shown' says warning 'at nowhere.c:1'
}

# An emulator whose first DEATHS guests die of an int3 while they boot.
make_faulty_emulator() {
	mkdir -p "$work/$1"
	cat >"$work/$1/qemu-system-x86_64" <<-EOF
		#!/bin/bash
		echo >>"$work/$1/boots"
		if [ "\$(wc -l <"$work/$1/boots")" -gt $2 ]; then
			exec $(command -v qemu-system-x86_64) "\$@"
		fi
		while [ "\$1" != -serial ]; do shift; done
		echo '[    2.5] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI' >"\${2#file:}"
	EOF
	chmod +x "$work/$1/qemu-system-x86_64"
}

test_emulator_fault() {
	make_faulty_emulator once 1
	make_faulty_emulator always 9
	PATH=$work/once:$PATH start retried --no-module -- sh -c 'exit 7'
	PATH=$work/always:$PATH start given_up --no-module -- true
	wait
	check 'a boot that the emulator spoils is tried once more' status_is retried 7
	check 'the second try is told' says retried 'trying once more'
	check 'a second spoilt boot is a failure' status_is given_up 125
	check 'there is no third' test "$(wc -l <"$work/always/boots")" = 2
}

# An emulator whose first guest never says a word.
make_silent_emulator() {
	mkdir -p "$work/silent"
	cat >"$work/silent/qemu-system-x86_64" <<-EOF
		#!/bin/bash
		echo >>"$work/silent/boots"
		if [ "\$(wc -l <"$work/silent/boots")" -gt 1 ]; then
			exec $(command -v qemu-system-x86_64) "\$@"
		fi
		exec sleep 1000
	EOF
	chmod +x "$work/silent/qemu-system-x86_64"
}

test_silent_boot() {
	make_silent_emulator
	PATH=$work/silent:$PATH start silent --no-module --boot-limit 30 -- sh -c 'exit 7'
	start last_words --no-module -- sh -c \
		'printf "portalmem-vm: powering off\nWARNING: CPU: 0 PID: 1 at nowhere.c:1\n" >/dev/console'
	start words --no-module -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at nowhere.c:1" >/dev/console'
	wait
	check 'a boot that says nothing is tried once more' status_is silent 7
	check 'why is told' says silent 'did not boot within 30 s: trying once more'
	check "a warning while the machine powers off is the kernel's own" status_is last_words 0
	check 'before, it fails the run' status_is words 125
}

# A process that outlives the command and holds a udmabuf.
readonly hold_udmabuf='
	modprobe udmabuf
	"$PORTALMEM_BUILDDIR/tests/vm/hold-udmabuf" &
	while [ "$(sed -n "s/^Total \([0-9]*\).*/\1/p" /sys/kernel/debug/dma_buf/bufinfo)" = 0 ]; do
		sleep 0.1
	done'

test_leftovers() {
	start leftover --no-module -- bash -c "$hold_udmabuf"
	start talkative --no-module -- bash -c \
		'echo "Spectre V2 : WARNING: only talks of one" >/dev/kmsg; sleep 1000 & exit 0'
	wait
	check 'a dma-buf left behind fails the run' status_is leftover 125
	check 'the dma-buf left behind is reported' says leftover '1 dma-buf(s) left behind'
	check 'a background process does not keep the run from ending' status_is talkative 0
}

# The processes that have FOLDER among their arguments.
processes_of() {
	local file
	for file in /proc/[0-9]*/cmdline; do
		! grep -q -a -F -e "$1" "$file" 2>/dev/null || echo "${file//[!0-9]/}"
	done
}

# No process has FOLDER among its arguments, after a moment for the last to end.
is_deserted() {
	local try
	for ((try = 0; try < 50; try++)); do
		[ -n "$(processes_of "$1")" ] || return 0
		sleep 0.1
	done
	return 1
}

# What a run takes from the cache.
list_cache() {
	local kernel
	kernel=$("$here/fetch-kernel" 6.12) || return
	find "$kernel/" "$(cache_dir)/initramfs/$(kernel_release "$kernel")"-* -maxdepth 1 \
		-type f ! -name '*.lock' -printf '%p %s %T@\n' | sort
}

# The emulator of a run in FOLDER, if it has started it.
emulator_of() {
	local pid emulator
	emulator=$(readlink -f "$(command -v qemu-system-x86_64)")
	for pid in $(processes_of "$1/portalmem-vm."); do
		# Others have the folder among their arguments, too.
		[ "$(readlink "/proc/$pid/exe")" != "$emulator" ] || echo "$pid"
	done
}

# killed_run SIGNAL WHOM SECONDS: end a run (WHOM run) or its emulator (WHOM guest) by
# SIGNAL after so long, and wait for what is left of it.
killed_run() {
	local pid victim try
	TMPDIR=$work/killed "$here/run" --build-dir "$build_dir" -- \
		sh -c 'while :; do portalmem alloc --size 8M -- true; done' \
		>"$work/killed.out" 2>"$work/killed.err" &
	pid=$!
	for ((try = 0; try < 300; try++)); do
		if [ "$2" = run ] || [ -n "$(emulator_of "$work/killed")" ]; then
			break
		fi
		sleep 0.1
	done
	sleep "$3"
	victim=$pid
	[ "$2" = run ] || victim=$(emulator_of "$work/killed")
	kill -"$1" "$victim"
	wait "$pid"
	killed_status=$?
}

test_killed() {
	local before way clean=yes statuses=
	before=$(list_cache)
	mkdir -p "$work/killed"
	for way in 'KILL guest' 'KILL run' 'TERM run' 'HUP run' 'KILL guest' 'KILL run'; do
		# shellcheck disable=SC2086
		killed_run $way "$((RANDOM % 9)).$((RANDOM % 10))" 2>/dev/null
		statuses+=" $killed_status"
		is_deserted "$work/killed/portalmem-" || clean=
		[ "$way" = 'KILL run' ] || [ -z "$(ls "$work/killed")" ] || clean=
	done
	check 'a run that is killed, or its guest, at any time leaves no process and no folder' \
		test -n "$clean"
	check 'it has failed' test "${statuses/ 0/}" = "$statuses"
	TMPDIR=$work/killed start after --no-module -- sh -c 'exit 7'
	wait
	check 'the next run works' status_is after 7
	check 'it removes what those left who could not' test -z "$(ls "$work/killed")"
	check 'the cache is as it was' test "$before" = "$(list_cache)"
}

test_oops() {
	start oops -- "$build_dir/tests/guest/test-oops"
	wait
	sed 's/^/# /' "$work/oops.out"
	check 'an importer that dies takes its buffer along and nothing else' \
		test "$(grep -c '^ok ' "$work/oops.out")$(grep -c '^not ok ' "$work/oops.out")" = 20
	check 'that is a failure of the run' status_is oops 125
	check 'it is told so' says oops 'NULL pointer dereference'
	check 'it has died twice, and nobody else has' \
		test "$(grep -o 'Oops: .* \[#[0-9]*\]' "$work/oops.err" | grep -o '#[0-9]*' | sort -u | tr -d '\n')" = '#1#2'
	check 'that buffers are left behind cannot be told, and is not taken for none' \
		says oops 'the kernel does not list its dma-bufs'
}

test_other_architecture() {
	start foreign --kernel 6.12-arm64 --no-module -- sh -c 'uname -m; exit 3'
	start foreign_panic --kernel 6.12-arm64 --no-module -- \
		sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
	wait
	check "the command's status passes through on arm64" status_is foreign 3
	check 'it runs there' grep -q -x aarch64 "$work/foreign.out"
	check 'a panic is a failure on arm64' status_is foreign_panic 125
	check 'a panic is called so on arm64' says foreign_panic 'Kernel panic'
}

test_board() {
	printf 'content\n' >"$work/for the board"
	start board --kernel 6.12-arm64 --machine raspi3b --no-module \
		--file "$work/for the board:/opt/file" -- bash -c '
		cat /opt/file && test -e "$PORTALMEM_SRCDIR/tests/vm/suite" &&
		grep -q "Raspberry Pi 3" /proc/device-tree/model && echo oops >&2 &&
		head -c 100000 /dev/zero && exit 3'
	start board_panic --kernel 6.12-arm64 --machine raspi3b --no-module -- \
		sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
	start no_board --machine raspi3b --no-module -- true
	start board_disk --kernel 6.12-arm64 --machine raspi3b --scratch-disk 8 --no-module -- true
	wait
	check "the command's status passes through on a board" status_is board 3
	check 'its output arrives whole' test "$(wc -c <"$work/board.out")" = 100008
	check 'its stderr comes on stderr' grep -q -x oops "$work/board.err"
	check 'a panic is a failure on a board' status_is board_panic 125
	check 'a panic is called so on a board' says board_panic 'Kernel panic'
	check 'a board of another architecture is refused' says no_board 'no such machine for amd64'
	check 'a disk for a board is refused' says board_disk 'it has no disks'
}

# A build tree with two tests, each of which needs a guest of its own, and an
# emulator that tells when it is started and never ends.
make_tests_that_hang() {
	mkdir -p "$work/tree/tests/guest" "$work/hanging/now"
	ln -s "$build_dir/kmod" "$work/tree/kmod"
	printf '%s\n' tests/guest/edu.sh tests/guest/nopat.sh >"$work/tree/tests/guest/list"
	cat >"$work/hanging/qemu-system-x86_64" <<-EOF
		#!/bin/bash
		echo \$\$ >"$work/hanging/now/\$\$"
		exec sleep 1000
	EOF
	chmod +x "$work/hanging/qemu-system-x86_64"
}

count_hanging() {
	local file count=0
	for file in "$work"/hanging/now/*; do
		[ ! -e "$file" ] || ! kill -0 "$(basename "$file")" 2>/dev/null || count=$((count + 1))
	done
	echo "$count"
}

# Wait up to half a minute until NUMBER emulators run.
wait_for_hanging() {
	local try
	for ((try = 0; try < 150; try++)); do
		[ "$(count_hanging)" != "$1" ] || return 0
		sleep 0.2
	done
	return 1
}

# check-vm runs guests side by side, and takes them along when it is ended.
test_jobs() {
	local pid
	make_tests_that_hang
	PATH=$work/hanging:$PATH TMPDIR=$work "$here/check-vm" --build-dir "$work/tree" \
		--kernel 6.12 --jobs 2 edu nopat >"$work/jobs.out" 2>"$work/jobs.err" &
	pid=$!
	check 'check-vm runs as many guests at a time as it is told' wait_for_hanging 2
	kill -TERM "$pid"
	wait "$pid"
	check 'check-vm says that it was ended' test $? = 143
	check 'its guests end with it' wait_for_hanging 0
	check 'they leave no files' test -z "$(find "$work" -maxdepth 1 -name 'portalmem-vm.*')"
	PATH=$work/hanging:$PATH TMPDIR=$work "$here/check-vm" --build-dir "$work/tree" \
		--kernel 6.12 --jobs 1 edu nopat >"$work/jobs.out" 2>"$work/jobs.err" &
	pid=$!
	wait_for_hanging 1
	sleep 5
	check 'one at a time are no more' test "$(count_hanging)" = 1
	kill -TERM "$pid"
	wait "$pid"
	"$here/check-vm" --build-dir "$work/tree" --jobs none >"$work/jobs.out" 2>"$work/jobs.err"
	check 'a number of guests that is none is refused' says jobs 'takes a positive number'
}

test_usage() {
	start nothing --no-module
	start missing -- true --not-ours
	start unknown --no-such-option -- true
	start file --no-module --file "$work/is not there" -- true
	start notfound --no-module -- /no/such/command
	start tree --no-module --dts tests/guest/reserved.dts -- true
	wait
	check 'no command is a usage failure' status_is nothing 125
	check "options after -- are the command's" status_is missing 0
	check 'an unknown option is refused' says unknown 'unknown option --no-such-option'
	check 'a file that is not there is refused' says file 'there is no file'
	check 'a command that is not there gives 127' status_is notfound 127
	check 'a machine without a device tree takes none' says tree 'amd64 has no device tree'
}

# The module that has the fault asked for fails to load, after it.
readonly plant='
	echo "DMA errors before: $(cat /sys/kernel/debug/dma-api/error_count)"
	! insmod "$PORTALMEM_BUILDDIR/tests/guest/kmod/$PORTALMEM_KERNEL/pm_fault.ko" "kind=$1"
	echo "DMA errors after: $(cat /sys/kernel/debug/dma-api/error_count)"'

test_checkers() {
	start leak --kernel debug -- bash -c "$plant" - leak
	start use --kernel debug -- bash -c "$plant" - use-after-free
	wait
	start lock --kernel debug -- bash -c "$plant" - lock-order
	start dma --kernel debug -- bash -c "$plant" - dma
	wait
	check 'memory that nothing points to fails the run' status_is leak 125
	check 'it is told so' says leak 'memory is left behind that nothing points to'
	check 'a use after free fails the run' status_is use 125
	check 'it is told so' says use 'KASAN: .*use-after-free'
	check 'locks taken in two orders fail the run' status_is lock 125
	check 'they are told so' says lock 'possible circular locking'
	check 'a wrong use of a DMA address fails the run' status_is dma 125
	check 'it is counted' says dma 'has counted [1-9][0-9]* wrong uses of DMA addresses'
}

# Two threads that count in one word without a lock.
test_race_checker() {
	start race --kernel kcsan -- bash -c "$plant" - race
	start no_race --kernel kcsan -- true
	wait
	check 'a data race fails the run' status_is race 125
	check 'it is told so' says race 'KCSAN: data-race in .*count_up'
	check 'a run without one is well' status_is no_race 0
}

case ${3-} in
debug | kcsan)
	if [ "$3" = debug ]; then
		test_checkers
	else
		test_race_checker
	fi
	echo "1..$count"
	[ "$failures" = 0 ]
	exit
	;;
esac
test_output_and_files
test_signal_and_environment
test_dying_kernels
test_time_limit
test_emulator_fault
test_silent_boot
test_leftovers
test_killed
test_oops
test_other_architecture
test_board
test_jobs
test_usage
echo "1..$count"
[ "$failures" = 0 ]
