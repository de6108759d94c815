#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What heaps lists.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

pm heaps
check "heaps lists places" done_cleanly
check "heaps begins with a heading" \
	out_matches '^PATH  *BACKEND  *DEFAULT  *CACHING  *USABLE$'
check "heaps has the memory file, usable and cached" \
	out_matches '^-  *memfd  *cached  *cached  *yes$'
# The places end where the figures of the module's heaps begin.
rows=$(($(sed '/^$/,$d' "$work/.out" | wc -l) - 1))

pm heaps --json
check "heaps --json is done" done_cleanly
check "heaps --json is strict JSON" json_valid
check "heaps --json has as many places as the text" \
	json_is "heaps.$((rows - 1)).path" null
check "heaps --json ends with them" json_lacks "heaps.$rows"
pm --json heaps
check "--json works before the subcommand too" json_valid

pm heaps --backend memfd --json
check "--backend memfd lists the memory file alone" json_lacks heaps.1
check "a memory file has no path" json_is heaps.0.path null
check "a memory file is usable" json_is heaps.0.usable true
check "a memory file's backend is named" json_is heaps.0.backend '"memfd"'
check "a memory file is cached by default" \
	json_is heaps.0.default_caching '"cached"'
check "a memory file is cached only" json_is heaps.0.caching '["cached"]'
check "what is usable has no reason" json_lacks heaps.0.reason
check "a memory file has no heap that could be told of" json_is heaps.0.heap null
pm heaps --backend memfd
check "nothing is shown of heaps that are not there" \
	[ "$(wc -l <"$work/.out")" -eq 2 ]

pm heaps --device "$work/absent"
check "heaps fails when none can be used" status_is 1
check "heaps says so on one line" err_line 'portalmem heaps: no place'
check "heaps says why a place cannot be used" \
	out_matches 'no: .*No such file or directory'
pm heaps --device /dev/null --json
check "heaps --json fails when none can be used" status_is 1
check "heaps --json says that it is not usable" json_is heaps.0.usable false
check "a place that is not usable has no backend" json_lacks heaps.0.backend
check "a place that is not usable has a reason" \
	[ "$("$json_check" heaps.0.reason <"$work/.out")" != '""' ]

# Bytes that neither a terminal nor JSON can take as they are.
odd=$(printf '%s/"\\\001\n\377\303\251\355\240\200' "$work")
pm heaps --device "$odd" --json
check "odd bytes in a path are still strict JSON" json_valid
check "odd bytes in a path are escaped, UTF-8 is kept" \
	json_is heaps.0.path \
	"\"$work/\\\"\\\\\\u0001\\u000a\\ufffdé\\ufffd\\ufffd\\ufffd\""
pm heaps --device "$odd"
check "odd bytes in a path stay on one line of the table" \
	[ "$(wc -l <"$work/.out")" -eq 2 ]

run env PORTALMEM_BACKEND=nonsense "$PORTALMEM" heaps
check "heaps tries every place whatever PORTALMEM_BACKEND says" \
	[ "$(sed '/^$/,$d' "$work/.out" | wc -l)" -eq "$((rows + 1))" ]

tap_end
