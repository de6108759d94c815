# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What every shell test of portalmem shares: it prints TAP on stdout and exits
# 0 only when all its checks passed. Source it, then:
#
#   run COMMAND...             run it; its output and status are kept
#   check WHAT PREDICATE...    one test: passes when the predicate is true
#   skip WHAT REASON           one test that cannot be run here
#   tap_end                    the last line of the script
#
# The predicates status_is, out_is, ... look at what the last run left.
# $work is an empty directory, removed at the end.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir}
tap_count=0
tap_failures=0
tap_ended=no
status=0
tap_command=
work=$(mktemp -d)

# Background processes that the script has not ended yet.
tap_children=

tap_cleanup()
{
	for tap_child in $tap_children; do
		kill "$tap_child" 2>/dev/null || true
	done
	rm -rf "$work"
	[ "$tap_ended" = yes ] || echo "Bail out! the script ended early"
}
trap tap_cleanup EXIT
trap 'exit 1' HUP INT TERM

# Run a program or a function; its output goes to $work/.out and $work/.err. A
# program that hangs is ended with status 124.
run()
{
	tap_command=$*
	status=0
	case $(command -v "$1") in
	*/*) timeout 60 "$@" >"$work/.out" 2>"$work/.err" || status=$? ;;
	*) "$@" >"$work/.out" 2>"$work/.err" || status=$? ;;
	esac
}

# Start a command in the background, as $child, with signals that it does not
# ignore, as a shell without job control would have it. Until it has ended, run
# would mix its output with that of others.
start()
{
	tap_command=$*
	env --default-signal=INT,HUP "$@" >"$work/.out" 2>"$work/.err" &
	child=$!
	tap_children="$tap_children $child"
}

# Wait for a process that was started, and keep its status.
finish()
{
	status=0
	wait "$1" || status=$?
}

# Try a predicate for up to ten seconds.
eventually()
{
	tap_tries=500
	until "$@" 2>/dev/null; do
		tap_tries=$((tap_tries - 1))
		[ "$tap_tries" -gt 0 ] || return 1
		sleep 0.02
	done
}

# One line, whatever is in it; echo would expand backslashes.
tap_comment()
{
	printf '# %s' "$1" | tr '\n' ' '
	echo
}

tap_show()
{
	tap_comment "last command: $tap_command"
	tap_comment "status: $status"
	sed 's/^/# stdout: /' "$work/.out"
	sed 's/^/# stderr: /' "$work/.err"
}

check()
{
	tap_what=$1
	shift
	tap_count=$((tap_count + 1))
	if "$@"; then
		printf 'ok %d - %s\n' "$tap_count" "$tap_what"
		return
	fi
	tap_failures=$((tap_failures + 1))
	printf 'not ok %d - %s\n' "$tap_count" "$tap_what"
	tap_comment "false: $*"
	tap_show
}

skip()
{
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
}

tap_end()
{
	tap_ended=yes
	echo "1..$tap_count"
	[ "$tap_failures" -eq 0 ] || exit 1
	exit 0
}

status_is()
{
	[ "$status" -eq "$1" ]
}

out_is()
{
	[ "$(cat "$work/.out")" = "$1" ]
}

out_has()
{
	grep -qF -e "$1" "$work/.out"
}

# True when a line of stdout matches the basic regular expression.
out_matches()
{
	grep -q -e "$1" "$work/.out"
}

out_empty()
{
	[ ! -s "$work/.out" ]
}

err_empty()
{
	[ ! -s "$work/.err" ]
}

err_has()
{
	grep -qF -e "$1" "$work/.err"
}

# True when stderr is one line that starts like $1.
err_line()
{
	[ "$(wc -l <"$work/.err")" -eq 1 ] || return 1
	case $(cat "$work/.err") in
	"$1"*) return 0 ;;
	*) return 1 ;;
	esac
}
