#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What top shows, as text, as JSON and on a terminal, of a machine that is made up
# and changes meanwhile.
# shellcheck disable=SC2016,SC2317 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"
# shellcheck source-path=SCRIPTDIR source=machine.sh
. "$(dirname "$0")/machine.sh"

top()
{
	pm top --sysroot "$root" "$@"
}

# Keep the Nth line of what was printed alone.
line()
{
	sed -n "$1p" "$work/.out" >"$work/line"
	mv "$work/line" "$work/.out"
}

# top_meanwhile CHANGE OPTION...: two samples, and CHANGE between them.
top_meanwhile()
{
	meanwhile=$1
	shift
	: >"$work/.out"
	start "$PORTALMEM" top --sysroot "$root" -n 2 -d 2 "$@"
	eventually out_has ' '
	"$meanwhile"
	finish "$child"
}

make_process 100 camera 7
make_process 200 'a view) (er' 9
make_process 300 "$(printf 'gr\303\266\303\237e\033[31m\377')" 3
hold 100 5 31 1048576 3 system frame
hold 200 3 31 1048576 3 system frame
hold 100 7 30 8192 2 udmabuf
hold 200 4 32 4096 1 drm
hold 300 4 33 40960 1 portalmem evil
begin_list
list 1048576 2 system 31 frame
list 8192 1 udmabuf 30 '<none>'
list 4096 1 drm 32 '<none>' 0000:00:02.0
list 40960 1 portalmem 33 evil
list 2097152 1 portalmem 40 'lost and found'
end_list 5 3198976
heap portalmem system 2138112 2 5242880 3145728 100 98 nomem 3 limit 1
# The same heap, by another node of it.
heap portalmem-heap-system system 2138112 2 5242880 3145728 100 98 nomem 3 limit 1
heap portalmem-heap-camera camera 16777216 1 33554432 0 7 6

grow()
{
	hold 200 9 50 4194304 1 portalmem 'new frame'
	heap portalmem system 6332416 3 6332416 3145728 104 101 nomem 5 limit 1
}

shrink()
{
	rm "$root/proc/200/fd/9" "$root/proc/200/fdinfo/9"
	heap portalmem system 2138112 2 5242880 3145728 100 98 nomem 3 limit 1
}

# As text.
top --batch -n 1
check "top --batch prints a sample" done_cleanly
check "with the time, where no zone has a say" \
	out_matches '^[0-9]*-[0-9][0-9]-[0-9][0-9]T[0-9:]*Z$'
check "with totals" out_matches \
	'^portalmem top: 5 buffers, 3M, 0 since start, - allocations/s, 3M in pools$'
check "with the heaps" out_matches '^system  *-  *-  *2M  *-  *5M  *3M  *2  *-  *4$'
check "each heap once" [ "$(grep -c '^system ' "$work/.out")" = 1 ]
check "with a heading" out_matches '^ *INODE  *SIZE  EXPORTER  *NAME  *DEV  HOLD  *PID  COMMAND  *AGE  NOTE$'
check "with the buffers" out_matches '^ *31  *1M  system  *frame  *0  *2  *100  camera  *-$'
check "and what is odd about them" out_matches '^ *40  *2M  portalmem  lost and found  *0  *0  *-  -  *-  no process$'
check "a name cannot drive the terminal, and is shown otherwise" \
	out_matches "$(printf 'gr\303\266\303\237e')"'\\x1b\[31m\\xff'
cp "$work/.out" "$work/as-it-is"
LC_ALL=C
export LC_ALL
top --batch -n 1
unset LC_ALL
sed 1d "$work/.out" >"$work/in-c"
check "the locale has no say" [ "$(sed 1d "$work/as-it-is")" = "$(cat "$work/in-c")" ]
top --batch -n 1 --view processes
check "--view processes lists processes" out_matches '^ *100  camera  *2  *1M  *520K  *0$'
top --batch -n 1 --view exporters --sort name
check "--view exporters lists exporters, --sort orders them" \
	[ "$(grep -o -e '^drm' -e '^portalmem ' -e '^udmabuf' "$work/.out" | tr -d ' \n')" = portalmemdrmportalmemudmabuf ]
top --batch -n 1 --pid 200
check "--pid is for what one process holds" out_matches '^portalmem top: 2 buffers, 1M'
top --batch -n 1 --exporter udmabuf
check "--exporter is for the buffers of one" out_matches '^portalmem top: 1 buffers, 8K'
top_meanwhile grow --batch --view processes
check "what has grown is told" out_matches \
	'^portalmem top: 6 buffers, 7M, +4M since start, [12].[0-9] allocations/s, 3M in pools$'
check "of a process, too" out_matches '^ *200  a view) (er  *3  *5M  *4.5M  *+4M$'
check "both samples are there" [ "$(grep -c '^portalmem top: ' "$work/.out")" = 2 ]
shrink

# As JSON: one line a sample.
top --json -n 1
check "--json needs no --batch" done_cleanly
check "it is strict JSON" json_valid
check "it has the size" json_is size 3198976
check "nothing has grown" [ "$(value_at growth),$(value_at buffer_growth),$(value_at allocations)" = 0,0,0 ]
check "nothing is known of the rate" json_is allocations_per_second null
check "it has the heaps, by name" [ "$(value_at heaps.0.name),$(value_at heaps.1.name)" = '"camera","system"' ]
check "and no more" json_lacks heaps.2
check "with their counters" \
	[ "$(value_at heaps.1.live),$(value_at heaps.1.buffers),$(value_at heaps.1.pooled),$(value_at heaps.1.peak),$(value_at heaps.1.allocations),$(value_at heaps.1.frees)" = 2138112,2,3145728,5242880,100,98 ]
check "and why allocations failed" \
	[ "$(value_at heaps.1.failures.nomem),$(value_at heaps.1.failures.limit)" = 3,1 ]
check "it has the buffers as ps has them" \
	[ "$(value_at buffers.0.inode),$(value_at buffers.0.name),$(value_at buffers.1.holders.1.pid)" = '40,"lost and found",200' ]
check "of what was there at the start no age is known" json_is buffers.0.age null
check "it has the exporters" json_is exporters.0.exporter '"portalmem"'
check "and the processes, with their growth" \
	[ "$(value_at processes.0.pid),$(value_at processes.0.growth)" = 100,0 ]
top_meanwhile grow --json
check "a second sample is a second line" [ "$(wc -l <"$work/.out")" = 2 ]
line 2
check "it is JSON, too" json_valid
check "with the growth" [ "$(value_at growth),$(value_at buffer_growth)" = 4194304,1 ]
check "with the allocations that the heap has counted" json_is allocations 4
check "with the new buffer first" json_is buffers.0.inode 50
check "which has come now" json_is buffers.0.age 0.000
check "with the growth of its process" \
	[ "$(value_at processes.0.pid),$(value_at processes.0.growth)" = 200,4194304 ]
top_meanwhile shrink --json
line 2
check "what shrinks has grown by less than nothing" json_is growth -4194304

# Processes that come and go meanwhile.
start sh -c 'while [ ! -e "$3" ]; do cp -r "$1" "$2" && rm -r "$2"; done' - \
	"$root/proc/100" "$root/proc/500" "$work/enough"
come_and_go=$child
top --batch -n 20 -d 0.1
check "a process that ends while it is read is no failure" done_cleanly
: >"$work/enough"
finish "$come_and_go"

# A reader that has gone.
run sh -c '{ "$1" top --sysroot "$2" --batch -d 0.1; echo $? >"$3"; } | head -n 1' - \
	"$PORTALMEM" "$root" "$work/piped"
check "a closed pipe ends it" eventually test -s "$work/piped"
check "as a failure" [ "$(cat "$work/piped")" = 1 ]
check "that is told once" err_line 'portalmem top: writing to standard output: Broken pipe'
start "$PORTALMEM" top --sysroot "$root" --json -d 0.1
eventually out_has '"time"'
kill -INT "$child"
finish "$child"
check "SIGINT ends a batch" status_is 130
check "after a whole line" [ "$(tail -c 1 "$work/.out")" = '' ]

# Where the kernel says less.
run "$PORTALMEM" top --sysroot "$work/absent" --batch
check "without /proc, top fails" fails top "reading $work/absent/proc: No such file or directory; see that /proc is mounted"
mv "$root/sys" "$root/no-sys"
top --json -n 1
check "without the kernel's list, it says so" err_line "portalmem top: the kernel's own list cannot be read"
check "and in JSON" json_is complete false
check "without heaps there are none" json_lacks heaps.0
mv "$root/no-sys" "$root/sys"
for text in '' x -1 99999999999999999999999; do
	heap portalmem-heap-odd odd "$text" 0 0 0 0 0
	top --json -n 1
	check "counters without sense are none: '$text'" json_lacks heaps.2
done
rm -r "$root/sys/class/misc/portalmem-heap-odd"

# Of a module's nodes that can be opened.
top_fake()
{
	run env -u PORTALMEM_BACKEND "$top_builddir/tests/cli/portalmem-fake" \
		top -n 1 "$@"
}
top_fake --json
check "heaps without counters are asked at their nodes" \
	[ "$(value_at heaps.0.name),$(value_at heaps.1.name),$(value_at heaps.2.name)" = '"camera","contiguous","system"' ]
check "which know their sizes" [ "$(value_at heaps.0.size),$(value_at heaps.0.live)" = $((64 << 20)),$((16 << 20)) ]
check "and limits" json_is heaps.1.limit $((512 << 20))
check "and pools" json_is heaps.2.pooled $((3 << 20))
check "and no counters" [ "$(value_at heaps.2.peak),$(value_at heaps.2.failures)" = null,null ]
top_fake --batch
check "how full a region is can be seen" \
	out_matches '^camera  *\[##\.\.\.\.\.\.\.\.\]  *25%  *16M  *64M  *-  *0  *1  *-  *-$'

# Wrong usage.

# mistake WHAT ARGUMENT...
mistake()
{
	mistake_what=$1
	shift
	pm top "$@"
	check "a mistake: $*" misuses top "$mistake_what"
}
mistake '--delay: it must be at least 0.1 seconds' --delay 0
mistake "--delay: 'soon' is not a time in seconds" --delay soon
mistake '--count: it must be at least 1' --count 0
mistake "--count: 'x' is not a number" --count x
mistake "--view: 'x' is not a view; use buffers, processes or exporters" --view x
mistake "--sort: 'x' is not an order of buffers; use one of size, growth, holders, inode, exporter, name" \
	--sort x
mistake "--sort: 'inode' is not an order of processes" --sort inode --view processes
mistake '--pid: 0 is no process' --pid 0
mistake "unexpected argument 'x'" x

# On a terminal.
pm top
if ! grep -q '^#define HAVE_NCURSES 1' "$top_builddir/config.h"; then
	check "without ncurses, top needs --batch" \
		fails top 'this portalmem was built without ncurses; use --batch'
	tap_end
fi
check "without a terminal, top needs --batch" \
	fails top 'standard output is not a terminal; use --batch'
on_terminal 1 "$PORTALMEM" top
check "without a keyboard, too" \
	err_has 'standard input is not a terminal; use --batch'
if ! command -v tmux >/dev/null; then
	skip "top draws on a terminal" 'tmux is missing'
	tap_end
fi
# shellcheck source-path=SCRIPTDIR source=terminal.sh
. "$(dirname "$0")/terminal.sh"

not()
{
	! "$@"
}

# live COLUMNS ROWS [NAME=VALUE]...
live()
{
	live_columns=$1
	live_rows=$2
	shift 2
	terminal "$live_columns" "$live_rows" "$@" "$PORTALMEM" top \
		--sysroot "$root" --delay 0.2
}

live 80 24 LC_ALL=C.UTF-8
check "at 80x24 it draws the totals" \
	shows '^portalmem top: 5 buffers, 3M, 0 since start, [0-9.-]* allocations/s, 3M in pools$'
check "what is listed and how" out_matches '^buffers by size, every 0.2 s$'
check "the heaps" shows '^system  *-  *-  *2M  *- *5M  *3M  *2  *0.0  *4$'
check "a heading" out_matches '^ *INODE *SIZE *EXPORTER *NAME *DEV *HOLD *PID *COMMAND *AGE *NOTE$'
check "a row of each buffer" \
	out_matches '^ *31  *1M *system *frame *0 *2 *100 *camera *-'
check "names that are harmless" out_matches "$(printf 'gr\303\266\303\237e')"'\\x1b'
check "and some keys at the bottom" [ "$(tail -n 1 "$work/.out" | cut -c 1-14)" = 'q quit  h help' ]
check "it fills no line too much" [ "$(wc -l <"$work/.out")" = 24 ]
check "it takes the whole screen, without a cursor" \
	eventually terminal_has alternate_on 1
check "a buffer that a process only holds soon looks leaked" shows '^ *30 .* leaked?$'
grow
check "a new buffer shows" shows '^ *50  *4M *portalmem *new frame .* 200 a view) (er  *[0-9]s'
check "what has grown shows" shows '^portalmem top: 6 buffers, 7M, +4M since start,'
check "failures show" shows '^system .* 6$'
press p
check "p lists processes" shows '^ *200 *a view) (er *3 *5M *4.5M *+4M$'
press e
check "e lists exporters" shows '^portalmem *3 *6M *+4M$'
press Tab
check "Tab lists the next, buffers" shows '^buffers by size'
press '>'
check "> is the next order" shows '^buffers by growth'
press '<' '<'
check "< is the order before" shows '^buffers by name'
press r
check "r reverses it" shows '^buffers by name reversed'
press h
check "h shows the keys" shows '^d          seconds between two looks$'
press h
check "a key ends that" hides '^d          seconds'
press '?'
check "so does ?" shows '^q          quit$'
press F1
check "F1 is a key, too" hides '^q          quit$'
press f 200
check "f asks for a filter" shows '^process or exporter: 200_$'
press Enter
check "which can be a process" shows '^buffers of process 200 by name'
check "that the totals are about" out_matches '^portalmem top: 3 buffers, 5M, +4M'
press f drm Enter
check "or an exporter" shows '^buffers from drm by name'
press f Enter
check "or none" shows '^portalmem top: 6 buffers'
press d 0.3 Enter
check "d changes the interval" shows 'every 0.3 s$'
press d x Enter
check "to one that makes sense" shows "^'x' is not a time in seconds from 0.1 on$"
press H
check "H hides the heaps" hides '^HEAP'
press H
check "and shows them" shows '^HEAP'
press Space
check "Space pauses" shows '^PAUSED: buffers'
shrink
sleep 0.6
check "and nothing changes then" sees '^portalmem top: 6 buffers'
press Enter
check "but when it is asked for" shows '^portalmem top: 5 buffers'
press Space
check "Space goes on" hides PAUSED
rm -r "$root/proc/300"
check "a process that ends is listed no more" hides 'x1b'
press q
check "q quits, and leaves the terminal as it was" ends 0

# More rows than the terminal has.
i=60
while [ "$i" -lt 99 ]; do
	hold 100 "$i" "$i" $((i * 4096)) 1 system "row-$i"
	i=$((i + 1))
done
live 20 10
check "at 20x10 it draws the totals" shows '^44 [0-9.]*M 0 [0-9.-]*/s$'
check "the heaps" out_matches '^system  *- *2M$'
check "a heading" out_matches '^ *SIZE  COMMAND$'
check "and rows" out_matches '^ *2M  -$'
check "in no more columns than there are" [ "$(wc -L <"$work/.out")" -le 20 ]
resize 80 24
check "it sees that the terminal has grown" shows '^portalmem top: 44 buffers'
check "and draws more" shows 'row-98'
press Down
check "Down scrolls" hides 'lost and fou'
press Up
check "Up scrolls back" shows 'lost and fou'
press PageDown
check "PgDn turns a page" hides row-98
press End
check "End goes to the end" shows '^ *32  *4K *drm'
press PageUp
check "PgUp turns back" hides '^ *32  *4K *drm'
press Home
check "Home goes to the beginning" shows 'lost and fou'
resize 20 1
check "one row has the totals" shows '^44 [0-9.]*M 0 [0-9.]*/s$'
resize 1 1
sleep 0.3
resize 200 50
check "after the smallest terminal a large one is used" shows '^ *60  *240K  system  *row-60'
# tmux itself does not keep the screen before through such sizes.
press q
check "q quits at any size" leaves 0
for signal in INT TERM HUP; do
	live 80 24
	shows '^portalmem top: 44 buffers' || true
	send_signal "$signal"
	check "SIG$signal ends it, and leaves the terminal as it was" ends 0
done
live 80 24
shows '^portalmem top: 44 buffers' || true
press C-c
check "and so does Ctrl-C" ends 0
live 80 24
shows '^portalmem top: 44 buffers' || true
mv "$root/proc" "$root/no-proc"
check "a failure leaves the terminal as it was" ends 1
check "and is told then" err_line "portalmem top: reading $root/proc: "
mv "$root/no-proc" "$root/proc"
terminal 80 24 "$PORTALMEM" top --sysroot "$root" -d 0.1 -n 3
check "--count ends it" ends 0

# Colours are for who wants them.
has_color()
{
	look_in_color && grep -q "$(printf '\033')\\[[0-9;]*3[0-7][;m]" "$work/.out"
}
live 80 24
check "a terminal that has colours shows some" eventually has_color
live 80 24 NO_COLOR=1
shows '^portalmem top: 44 buffers' || true
check "not with NO_COLOR" eventually not has_color
live 80 24 NO_COLOR=
check "NO_COLOR that is empty is none" eventually has_color
live 80 24 LC_ALL=C
make_process 600 "$(printf 'gr\303\266')" 1
hold 600 3 99 123456789 1 system
check "a terminal without UTF-8 gets none" shows 'gr\\xc3\\xb6'
press q
ends 0 || true

# Terminals that will not do.
for kind in TERM= TERM=no-such-terminal TERM=dumb; do
	terminal 80 24 "$kind" "$PORTALMEM" top
	check "$kind cannot be drawn on" ends 1
	check "and top says so, and what to do" \
		eventually grep -q '^portalmem top: .*, or.* --batch$' "$work/.err"
done

tap_end
