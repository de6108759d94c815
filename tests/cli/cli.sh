# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the tests of the portalmem command share. They run the built command on
# memory files, without privileges; with PORTALMEM_BACKEND set to another
# backend and PORTALMEM to an installed command, they test those.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
# shellcheck source-path=SCRIPTDIR source=../lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# From any folder: the tests and the commands they run may change theirs.
top_builddir=$(cd "$top_builddir" && pwd)
PORTALMEM=${PORTALMEM:-$top_builddir/utils/portalmem}
json_check=$top_builddir/tests/cli/json-check
export PORTALMEM_BACKEND="${PORTALMEM_BACKEND:-memfd}"
export PORTALMEM
unset PORTALMEM_FD PORTALMEM_SIZE PORTALMEM_CACHING PORTALMEM_NAME

# Run portalmem with the arguments.
pm()
{
	run "$PORTALMEM" "$@"
}

# Run a command with the descriptors $1 (like 1,2) on a terminal.
on_terminal()
{
	run "$top_builddir/tests/cli/on-terminal" "$@"
}

# Run a shell script with a buffer of size $1 as PORTALMEM_FD.
with_buffer()
{
	with_size=$1
	shift
	run "$PORTALMEM" alloc --size "$with_size" -- sh -euc "$@"
}

# value_at PATH: a value of the JSON that was printed, as JSON.
value_at()
{
	"$json_check" "$1" <"$work/.out"
}

# The predicates below look at what the last run left.

done_cleanly()
{
	status_is 0 && err_empty
}

# Done, and stdout is exactly $1.
prints()
{
	done_cleanly && out_is "$1"
}

# Failed in subcommand $1: one line that has $2, and no result.
fails()
{
	status_is 1 && out_empty && err_line "portalmem $1: " && err_has "$2"
}

# Refused as wrong usage: one line with $2 that names the help of $1.
misuses()
{
	status_is 2 && out_empty && err_line "portalmem $1: " && err_has "$2" &&
		err_has "; see 'portalmem help $1'"
}

# Stdout is one line of strict JSON.
json_valid()
{
	[ "$(wc -l <"$work/.out")" -eq 1 ] && "$json_check" <"$work/.out"
}

# Stdout is such JSON, and the value at path $1 (like heaps.0.path) is $2,
# written as JSON.
json_is()
{
	json_valid && [ "$("$json_check" "$1" <"$work/.out")" = "$2" ]
}

# Stdout is such JSON and has something, if only null, at path $1.
json_has()
{
	json_valid && "$json_check" "$1" <"$work/.out" >/dev/null
}

# Stdout is such JSON and has nothing at path $1.
json_lacks()
{
	json_valid && ! "$json_check" "$1" <"$work/.out" >/dev/null 2>&1
}

# The subcommands, as the command lists them.
subcommands()
{
	"$PORTALMEM" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'
}

schemas=$top_srcdir/utils/schema

# keep_json NAME: the JSON that was printed should be as the schema NAME says.
# check_schemas, at the end, judges all of it at once.
keep_json()
{
	check "$1 --json prints one line of strict JSON" json_valid
	printf '%s ' "$1" >>"$work/.json"
	cat "$work/.out" >>"$work/.json"
}

# The Python that has the validator.
schema_python()
{
	for schema_candidate in python3 /usr/bin/python3; do
		if "$schema_candidate" -c 'import jsonschema' 2>/dev/null; then
			echo "$schema_candidate"
			return
		fi
	done
}

# check_schemas [--strict]: the JSON that was kept is as documented, and there
# was some of each subcommand.
check_schemas()
{
	schema_program=$(schema_python)
	for schema_name in $(subcommands | grep -v -x help); do
		check "$schema_name has a schema" \
			test -e "$schemas/$schema_name.json"
		check "there is JSON of $schema_name to judge" \
			grep -q "^$schema_name " "$work/.json"
	done
	if [ -z "$schema_program" ]; then
		skip "the JSON is as documented" "python3-jsonschema is missing"
		return
	fi
	"$schema_program" "$top_srcdir/tests/cli/json-schema.py" "$@" \
		"$schemas" <"$work/.json" >"$work/.judged" 2>"$work/.why" || :
	check "every JSON is judged" [ "$(wc -l <"$work/.judged")" -eq \
		"$(wc -l <"$work/.json")" ]
	sed 's/^/# /' "$work/.why"
	while read -r schema_verdict schema_name; do
		check "JSON is as the schema of ${schema_name%%:*} says" \
			[ "$schema_verdict $schema_name" = "good $schema_name" ]
	done <"$work/.judged"
}

# The lengths of the segments in the JSON that was printed add up to $1 bytes.
lengths_are()
{
	lengths_sum=0
	lengths_n=0
	while lengths_one=$("$json_check" "segments.$lengths_n.length" \
		<"$work/.out" 2>/dev/null); do
		lengths_sum=$((lengths_sum + lengths_one))
		lengths_n=$((lengths_n + 1))
	done
	[ "$lengths_n" -gt 0 ] && [ "$lengths_sum" -eq "$1" ]
}
