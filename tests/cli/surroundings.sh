#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every subcommand where its surroundings are bad: terminals that are narrow, disks
# that are full, readers that go away, processes that die, rights that are missing,
# signals. One line says what was wrong, the exit status is 1, nothing is left.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

cd "$work"
PORTALMEM=$top_builddir/tests/cli/portalmem-fake
unset PORTALMEM_BACKEND

# A process with a buffer, and one without rights to look into it.
mkdir -p root/proc/100/fd root/proc/100/fdinfo
echo camera >root/proc/100/comm
echo '100 (camera) S 1 1 1 0 -1 0 9 9 0 0 0 0 0 0 20 0 1 0 9 9 9' >root/proc/100/stat
: >root/proc/100/maps
ln -s /dmabuf:frame root/proc/100/fd/3
printf 'ino:\t7\nsize:\t1048576\ncount:\t2\nexp_name:\tportalmem\nname:\tein sehr langer Name f\303\274r eine Kamera\n' \
	>root/proc/100/fdinfo/3

# What prints something, and ends. In a shell with a buffer of 5 MiB.
cat >commands <<'END'
ps --sysroot root
ps --sysroot root --json
doctor
doctor --json
heaps --device camera
heaps --device camera --json
info
info --json
segments
segments --json
segments --svg -
sync begin
sync end --json
fill --byte 1
fill --random 2 --length 5K --json
verify --byte 0
verify --byte 0 --json
dump
dump --hex --length 64K
dump --output dumped --json
cp fd:$PORTALMEM_FD -
cp fd:$PORTALMEM_FD copied
cp dumped fd:$PORTALMEM_FD --json
trim
trim --json
help
help alloc
alloc --help
END
: >dumped

with_5M()
{
	run "$PORTALMEM" alloc --size 5M -- sh -uc "$@"
}

# One line of diagnostics of subcommand $1; ps and doctor may tell more, before.
one_line()
{
	[ "$(grep -c "^portalmem $1: $2" .err)" = 1 ] &&
		[ "$(grep -c -v "^portalmem ps: " .err)" -le 1 ]
}

while read -r command; do
	subcommand=${command%% *}
	with_5M '"$PORTALMEM" '"$command"' >/dev/full'
	check "'$command' on a full disk fails" status_is 1
	check "with one line" one_line "$subcommand" \
		'writing to standard output: No space left on device'
	# The reader is gone for sure before there is something to read.
	with_5M '{ sleep 0.1; "$PORTALMEM" '"$command"'; echo $? >ended; } | exec <&-'
	check "'$command' that nobody reads fails" [ "$(cat ended)" = 1 ]
	check "with one line, too" one_line "$subcommand" \
		'writing to standard output: Broken pipe'
done <commands
# Those that need a peer, or hold what they have.
for command in 'alloc --size 4K' 'alloc --size 4K --json'; do
	run sh -c '"$PORTALMEM" '"$command"' >/dev/full'
	check "'$command' on a full disk fails" fails alloc 'No space left'
done
with_5M '"$PORTALMEM" share socket >/dev/full & 
	"$PORTALMEM" receive --timeout 10 socket -- true; wait $!'
check "share on a full disk fails" fails share 'No space left'
with_5M '"$PORTALMEM" share socket >/dev/null &
	"$PORTALMEM" receive --timeout 10 socket >/dev/full; s=$?; wait; exit $s'
check "receive on a full disk fails, and does not hold the buffer" \
	fails receive 'No space left'
with_5M '"$PORTALMEM" attach 0000:00:04.0 >/dev/full'
check "attach on a full disk fails, and holds nothing" fails attach 'No space left'

# fits COLUMNS: no line of a table is longer, and so none is wrapped. The sum under
# it is no part of it.
fits()
{
	tr -d '\r' <.out | grep -v '^[0-9]* buffers, .* in all$' | while IFS= read -r line; do
		[ "$(printf %s "$line" | LC_ALL=C.UTF-8 wc -m)" -le "$1" ] || echo "$line"
	done >too-long
	[ ! -s too-long ]
}

on_narrow()
{
	narrow_columns=$1
	shift
	run env ON_TERMINAL_COLUMNS="$narrow_columns" "$PORTALMEM" alloc --size 5M -- \
		"$top_builddir/tests/cli/on-terminal" 1 "$PORTALMEM" "$@"
}

for columns in 1 2 5 20 40 80 132; do
	for command in 'ps --sysroot root' 'heaps --device camera' \
		'heaps --device portalmem-contiguous' segments; do
		# shellcheck disable=SC2086 # options and arguments
		on_narrow "$columns" $command
		check "'$command' in $columns columns ends as ever" [ "$status" -le 1 ]
		check "none of its lines is longer" fits "$columns"
	done
done
tr -d '\r' <.out >wide
check "where there is room, it is a table" grep -q '^segment  *offset  *length' wide
on_narrow 20 ps --sysroot root
tr -d '\r' <.out >narrow
check "where there is none, each cell has its title" grep -qx 'EXPORTER: portalmem' narrow
check "and its value, in full" [ "$(sed -n '/^NAME/,/^DEVICES/p' narrow | sed '$d' | tr -d '\n ')" = \
	"$(printf 'NAME:einsehrlangerNamef\303\274reineKamera')" ]
check "the holder follows" grep -qx 'COMMAND: camera' narrow
on_narrow 80 heaps --device camera
check "on 80 columns, what is short enough is a table" out_matches '^PATH  *BACKEND'
check "and what is not, is not" grep -q '^AVAILABLE: 48M' .out
on_terminal 1 env COLUMNS=20 "$PORTALMEM" ps --sysroot root
check "COLUMNS counts for more than the terminal" grep -q '^COMMAND: camera' .out
run env COLUMNS=20 "$PORTALMEM" ps --sysroot root
check "where there is no terminal, it is a table" out_matches '^   INODE '
for columns in 0 -5 x '' 99999999999999999999; do
	on_terminal 1 env COLUMNS="$columns" "$PORTALMEM" ps --sysroot root
	check "COLUMNS='$columns' does no harm" out_matches '^   INODE '
done

# Processes that die while they are listed.
churn()
{
	while :; do
		sh -c 'exec 3<"$0"' "$0" &
		sh -c : &
		wait
	done
}
churn &
churner=$!
tap_children="$tap_children $churner"
i=0
while [ "$i" -lt 5 ]; do
	i=$((i + 1))
	run "$PORTALMEM" ps --json
	check "ps while processes come and go, $i" status_is 0
	check "its JSON is whole" json_valid
done
kill "$churner"
finish "$churner"
sh -c : &
gone=$!
wait "$gone"
for command in "info $gone:3" "segments $gone:3" "sync begin $gone:3" "dump $gone:3 --hex" \
	"cp $gone:3 file" "fill $gone:3 --byte 1" "verify $gone:3 --byte 1" \
	"share $gone:3 socket" "attach 0000:00:04.0 $gone:3"; do
	# shellcheck disable=SC2086 # options and arguments
	pm $command
	check "'${command%% *}' of a process that is gone fails" fails "${command%% *}" \
		"descriptor 3 of process $gone: no such process; name the process that holds the buffer"
done
start sleep 60
pm info "$child:99"
check "a descriptor that a process does not have fails" fails info \
	"descriptor 99 of process $child: it is not open; see that process's /proc/PID/fd"
kill "$child"
finish "$child" 2>/dev/null

# Rights that are missing.
if [ "$(id -u)" = 0 ]; then
	mkdir private
	chmod 700 private "$work"
	start "$PORTALMEM" alloc --size 4K
	eventually out_matches '^buffer: '
	buffer=$(sed -n 's/^buffer: *//p' .out)
	# As another user, who need not have access to the build tree.
	run setpriv --reuid=65534 --regid=65534 --clear-groups -- true
	if [ "$status" = 0 ]; then
		mkdir public
		cp -L "$PORTALMEM" public/portalmem
		cp -L "$top_builddir/libportalmem/.libs/libportalmem.so.0" public
		# Where a build that counts lines may write.
		mkdir -m 777 counts
		chmod 711 .
		as_nobody()
		{
			run env LD_LIBRARY_PATH="$work/public" "$PORTALMEM" alloc \
				--size 4K -- setpriv --reuid=65534 --regid=65534 \
				--clear-groups -- sh -c "GCOV_PREFIX=$work/counts $work/public/portalmem $*"
		}
		as_nobody info "$buffer"
		check "the buffer of another user fails" fails info "this user may not take it"
		check "with what can be done" err_has 'use share and receive'
		as_nobody cp 'fd:$PORTALMEM_FD' "$work/private/file"
		check "a file that may not be written fails" fails cp \
			"private/file': Permission denied; give a file that can be written"
	fi
	kill "$child"
	finish "$child"
else
	pm info 1:0
	check "what is not ours fails" fails info 'this user may not take it'
fi

# Signals: no socket, no file, and a status that tells.
for signal in INT TERM HUP; do
	start "$PORTALMEM" alloc --size 4K -- "$PORTALMEM" share socket
	check "share listens" eventually [ -S socket ]
	kill -s "$signal" "$child"
	finish "$child"
	check "SIG$signal ends share" status_is 1
	check "and its socket is gone" [ ! -e socket ]
	start "$PORTALMEM" alloc --size 4K
	eventually out_matches '^buffer: '
	kill -s "$signal" "$child"
	finish "$child"
	check "SIG$signal ends alloc, which is then done" status_is 0
done
# dump and cp write 64 MiB to a file; the signal comes in between, or after that.
for command in 'dump --output there' 'cp fd:$PORTALMEM_FD there --no-checksum' \
	'segments --svg there'; do
	echo former >there
	for delay in 0 0.01 0.03; do
		with_5M '"$PORTALMEM" alloc --size 64M -- sh -c "
			\"\$PORTALMEM\" $0 >/dev/null & sleep $1
			kill -s TERM \$!; wait \$!; :"' "$command" "$delay"
	done
	find . -name '.there*' >left
	check "'$command' that is ended leaves no part" [ ! -s left ]
	check "the file is the former one, or whole" \
		[ "$(head -c 6 there)" = former -o "$(stat -c %s there)" -gt 1000 ]
done
find . -name '.*-*' >left
check "no command has left anything" [ ! -s left ]
tap_end
