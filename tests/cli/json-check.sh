#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The judge of JSON itself: what it takes and refuses.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# takes TEXT, refuses TEXT: printf escapes are expanded.
takes()
{
	printf '%b' "$1" >"$work/json"
	run sh -c '"$0" <"$1"' "$json_check" "$work/json"
	check "taken: $1" done_cleanly
}
refuses()
{
	printf '%b' "$1" >"$work/json"
	run sh -c '"$0" <"$1"' "$json_check" "$work/json"
	check "refused: $1" status_is 1
}
for text in '{}' '[]' ' [ ] ' 'null' 'true' '-0.5e+10' '0' '"x"' \
	'{"a": [1, {"b": null}], "c": "\\u00e9\\n"}' '"\0303\0251"' \
	'"\0360\0237\0230\0200"'; do
	takes "$text"
done
for text in '' ' ' '{' '[1,]' '{"a":1,}' '{a:1}' '{"a" 1}' '[1 2]' '01' '1.' \
	'.5' '+1' '-' '1e' 'nul' 'True' "'x'" '"x' '"\0001"' '"\n"' '"\\x"' \
	'"\\u12g4"' '"\0377"' '"\0300\0200"' '"\0355\0240\0200"' \
	'"\0364\0220\0200\0200"' '"\0303"' '{} {}' '[]]' '"a\0000b"'; do
	refuses "$text"
done
# at PATH VALUE: what the path leads to.
at()
{
	run sh -c '"$0" "$1" <"$2"' "$json_check" "$1" "$work/json"
	check "the path $1 leads to $2" prints "$2"
}
printf '{"a": [1, {"b": "x", "ab": 2}], "ab": {"c": [true]}}' >"$work/json"
at a.0 1
at a.1.b '"x"'
at a.1 '{"b": "x", "ab": 2}'
at ab.c.0 true
for path in b a.2 a.1.c a.0.x ab.; do
	run sh -c '"$0" "$1" <"$2"' "$json_check" "$path" "$work/json"
	check "the path $path leads nowhere" status_is 1
done

tap_end
