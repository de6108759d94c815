# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the scripts share that build the library in a way of their own. Sourced,
# never run, after tests/vm/lib.sh; source_dir is set.

# Build the library, the command and the tests in DIR, with these compiler flags,
# and stay there.
build_in() {
	local dir=$1
	shift
	[ ! -e "${source_dir:?}/config.status" ] ||
		die "$source_dir is itself configured: run 'make distclean' there first"
	[ -e "$source_dir/configure" ] || "$source_dir/bootstrap"
	mkdir -p "$dir"
	cd "$dir" || return
	# Tests look for the shared library; a static one would be built for nothing.
	"$source_dir/configure" --quiet --with-kernel=no --disable-static CFLAGS="$*" >&2
	make -s -j "$(nproc)" all >/dev/null
	make -s -j "$(nproc)" check TESTS= >/dev/null
}

# Run the tests, or those that are named (and with the variables of make that are
# set among them), and say on one line how it went; what failed is shown.
run_tests() {
	local status=0 argument tests=() variables=()
	for argument; do
		case $argument in
		*=*) variables+=("$argument") ;;
		*) tests+=("$argument") ;;
		esac
	done
	[ ${#tests[@]} = 0 ] || variables+=("TESTS=${tests[*]}")
	make -j "$(nproc)" -k check "${variables[@]}" >tests.log 2>&1 || status=$?
	sed -n 's/^# \(PASS\|SKIP\|FAIL\|ERROR\): */\1 /p' tests.log | paste -s -d ' '
	[ "$status" = 0 ] || grep -E -e '^(FAIL|ERROR|XPASS): |runtime error' tests.log >&2 || true
	return "$status"
}
