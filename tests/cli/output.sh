#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Output that cannot be written, terminals, locales.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

for subcommand in --version --help 'help alloc' heaps 'heaps --json'; do
	# shellcheck disable=SC2086 # options and arguments
	run sh -c '"$PORTALMEM" "$@" >/dev/full' sh $subcommand
	check "$subcommand on a full disk fails" status_is 1
	check "$subcommand on a full disk says so on one line" \
		err_has 'writing to standard output: No space left on device'
	check "$subcommand on a full disk says nothing else" \
		[ "$(wc -l <"$work/.err")" -eq 1 ]
	# shellcheck disable=SC2086
	run sh -c '"$PORTALMEM" "$@" >&-' sh $subcommand
	check "$subcommand with stdout closed fails" status_is 1
	check "$subcommand with stdout closed says so" \
		err_has 'writing to standard output: Bad file descriptor'
done
for work_line in 'info' 'info --json' 'fill --byte 1' 'fill --byte 1 --json' \
	'verify --byte 0' 'dump' 'dump --hex' 'dump --output out --json'; do
	cd "$work"
	with_buffer 64K '"$PORTALMEM" '"$work_line"' >/dev/full'
	check "$work_line on a full disk fails" \
		fails "${work_line%% *}" 'No space left on device'
	with_buffer 64K '"$PORTALMEM" '"$work_line"' >&-'
	check "$work_line with stdout closed fails" \
		fails "${work_line%% *}" 'Bad file descriptor'
done
with_buffer 4K '"$PORTALMEM" dump -o out >&-'
check "what prints nothing needs no stdout" done_cleanly
run sh -c '"$PORTALMEM" alloc -s 4K >/dev/full'
check "alloc that cannot print its buffer fails, and does not hold it" \
	fails alloc 'No space left on device'
run sh -c '"$PORTALMEM" alloc -s 4K >&-'
check "alloc with stdout closed fails, and does not hold it" \
	fails alloc 'Bad file descriptor'
run sh -c '"$PORTALMEM" alloc -s 4K -- sh -c "echo \$PORTALMEM_FD >&2" \
	<&- >&-'
check "the buffer takes no closed standard stream's place" \
	[ "$(cat "$work/.err")" -gt 2 ]
run sh -c '"$PORTALMEM" alloc -s 4K -- sh -c "test ! -e /proc/self/fd/0" <&-'
check "a stream that was closed is closed for the command" done_cleanly

# A reader that goes away: SIGPIPE would end it without a word.
mkfifo "$work/pipe"
with_buffer 1M 'sh -c "exec <\"\$1\"" sh "$0" & "$PORTALMEM" dump >"$0"' \
	"$work/pipe"
check "dump into a closed pipe fails with a line" fails dump 'Broken pipe'

on_terminal 1,2 "$PORTALMEM" alloc -s 4K -- "$PORTALMEM" dump
check "raw bytes are refused to a terminal" \
	out_matches 'standard output is a terminal; use --hex'
check "that is a mistake" status_is 2
on_terminal 1 "$PORTALMEM" alloc -s 4K -- "$PORTALMEM" dump --force
check "--force dumps to a terminal" \
	[ "$status:$(wc -c <"$work/.out")" = 0:4096 ]
on_terminal 1 "$PORTALMEM" alloc -s 4K -- "$PORTALMEM" dump --hex --length 1
check "--hex dumps to a terminal" out_matches '^00000000  00 '

slow='(printf a; sleep 1.3; printf b; sleep 0.3; printf c) |
	"$PORTALMEM" fill - --length 3'
on_terminal 2 "$PORTALMEM" alloc -s 4K -- sh -c "$slow"
check "work over a second shows its progress on a terminal" \
	out_matches '67% 2 of 3, .*/s \[#*-*\]'
with_buffer 4K "$slow"
check "progress goes to no file" prints '3 bytes filled from offset 0'
on_terminal 2 "$PORTALMEM" alloc -s 4K -- "$PORTALMEM" fill --byte 1
check "short work shows no progress" prints '4096 bytes (4K) filled from offset 0'


on_terminal 1,2 env COLUMNS=20 "$PORTALMEM" alloc -s 4K -- sh -c "$slow"
check "on a narrow terminal it is shorter" out_matches ' 67% 2 of 3, 1/s'
check "than the terminal" [ -z "$(tr '\r' '\n' <"$work/.out" | grep -e '^.\{20\}' | grep '%')" ]

# Of one long call nobody knows how far it is.
fake=$top_builddir/tests/cli/portalmem-fake
on_terminal 2 env -u PORTALMEM_BACKEND FAKE_MODULE_SECONDS=2 "$fake" alloc -s 4K -- echo ready
check "a long call shows how long it takes already" out_matches '1 s: allocating'
check "and takes that away" [ "$(tr '\r' '\n' <"$work/.out" | tail -n 1 | tr -d ' ')" = '' ]
run env -u PORTALMEM_BACKEND FAKE_MODULE_SECONDS=2 "$fake" alloc -s 4K -- echo ready
check "only on a terminal" prints ready

# Colors, for which NO_COLOR is there, and what else drives a terminal.
no_escapes()
{
	! grep -q "$(printf '\033')" "$work/.out"
}
for arguments in heaps 'ps --sysroot /' doctor --help 'alloc --help'; do
	# shellcheck disable=SC2086 # options and arguments
	on_terminal 1,2 env -u NO_COLOR TERM=xterm-256color "$PORTALMEM" $arguments
	check "$arguments does not color what it prints" no_escapes
	cp "$work/.out" "$work/plain"
	# shellcheck disable=SC2086
	on_terminal 1,2 env NO_COLOR=1 TERM=dumb "$PORTALMEM" $arguments
	check "$arguments with NO_COLOR does not, either" no_escapes
done
on_terminal 2 "$PORTALMEM" alloc -s 4K -- sh -c "$slow"
check "nor does progress" no_escapes

# A locale with a comma in its numbers, made here.
make_locale()
{
	localedef --no-archive -i de_DE -f UTF-8 "$work/locales/de_DE.UTF-8"
}
mkdir "$work/locales"
run make_locale
if [ -e "$work/locales/de_DE.UTF-8/LC_NUMERIC" ]; then
	in_locale()
	{
		run env LOCPATH="$work/locales" LC_ALL=de_DE.UTF-8 LANGUAGE=de "$@"
	}
	in_locale bash -c 'printf "%.1f" 1,5'
	check "there is a locale with a comma" out_is '1,5'
	cat >"$work/commands" <<'END'
heaps
heaps --json
ps --sysroot /nowhere
alloc -s 1.5K -- "$PORTALMEM" verify --byte 0 --length 0.5K
alloc -s 1536K -- "$PORTALMEM" fill --random 1
alloc -s 3K -- "$PORTALMEM" sync begin --json
alloc -s 0,5K
receive absent --timeout 0.1
receive absent --timeout 0,1
END
	while read -r arguments; do
		run sh -c '"$PORTALMEM" '"$arguments"
		cp "$work/.out" "$work/out"
		cp "$work/.err" "$work/err"
		in_locale sh -c '"$PORTALMEM" '"$arguments"
		check "the same in that locale: $arguments" \
			cmp "$work/out" "$work/.out"
		check "with the same diagnostic" cmp "$work/err" "$work/.err"
	done <"$work/commands"
else
	skip "another locale changes nothing" 'localedef cannot make one'
fi
run env LC_ALL=de_DE.UTF-8 LANGUAGE=de "$PORTALMEM" alloc -s 1.5K -- \
	"$PORTALMEM" verify --byte 0 --length 0.5K
check "numbers are read the same in every locale" \
	out_is '512 bytes from offset 0 are as expected'

tap_end
