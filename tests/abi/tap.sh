# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# TAP for the shell tests, which source this file and end with "finish".

tap_number=0
tap_failed=0

# check NAME COMMAND...: the test passes when the command does. What the
# command says is shown only when it fails.
check() {
	tap_name=$1
	shift
	tap_number=$((tap_number + 1))
	if tap_output=$("$@" 2>&1); then
		echo "ok $tap_number - $tap_name"
	else
		tap_failed=1
		echo "not ok $tap_number - $tap_name"
		echo "$tap_output" | sed 's/^/# /'
	fi
}

# skip NAME WHY
skip() {
	tap_number=$((tap_number + 1))
	echo "ok $tap_number - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_number"
	exit "$tap_failed"
}
