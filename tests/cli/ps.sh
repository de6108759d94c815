#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What ps makes of what the kernel tells, as other machines told it.
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"
# shellcheck source-path=SCRIPTDIR source=machine.sh
. "$(dirname "$0")/machine.sh"

tab=$(printf '\t')

ps()
{
	pm ps --sysroot "$root" "$@"
}

# A machine without debugfs: two processes share one buffer, one has two more.
make_process 100 camera 7
make_process 200 'a view) (er' 9
hold 100 5 31 1048576 3 system frame
hold 100 6 31 1048576 3 system frame
hold 200 3 31 1048576 3 system frame
map 100 7f0000000000-7f0000100000 00000000 31 /dmabuf:frame
map 100 7f0000200000-7f0000201000 00000000 31 /dmabuf:frame
hold 100 7 30 8192 2 udmabuf
hold 200 4 32 4096 1 drm
# Other files, which are none.
ln -s /dev/null "$root/proc/100/fd/0"
printf 'pos:\t0\nflags:\t02\nmnt_id:\t14\nino:\t5\n' >"$root/proc/100/fdinfo/0"
map 100 400000-401000 00000000 99 /usr/bin/dmabuf:frame
map 100 7f0000300000-7f0000301000 00000000 0 ''

ps --json
check "ps is done, and says what is missing" \
	status_is 0
check "that the kernel's list is not there" err_line "portalmem ps: the kernel's own list cannot be read"
check "ps --json is strict JSON" json_valid
check "and says that it is not complete" json_is complete false
check "the largest buffer comes first" json_is buffers.0.inode 31
check "its size is the kernel's" json_is buffers.0.size 1048576
check "its exporter is told" json_is buffers.0.exporter '"system"'
check "its name is told" json_is buffers.0.name '"frame"'
check "of its devices nothing is known" json_is buffers.0.attachments null
check "what is not known to be leaked is not marked" json_is buffers.0.leaked false
check "both of its holders are told, by process" \
	[ "$(value_at buffers.0.holders.0.pid),$(value_at buffers.0.holders.1.pid)" = 100,200 ]
check "and no more" json_lacks buffers.0.holders.2
check "two descriptors of one process are one holder" \
	json_is buffers.0.holders.0.fds 2
check "its mappings are added up" json_is buffers.0.holders.0.mapped $((1052672))
check "a holder without a mapping has mapped nothing" \
	json_is buffers.0.holders.1.mapped 0
check "each has a share" json_is buffers.0.holders.1.share 524288
check "a command may have any character" \
	json_is buffers.0.holders.1.command '"a view) (er"'
check "a buffer without a name has an empty one" json_is buffers.1.name '""'
check "there are three buffers" json_lacks buffers.3
check "the exporters' totals are told, the largest first" \
	[ "$(value_at exporters.0.exporter),$(value_at exporters.1.exporter),$(value_at exporters.2.exporter)" = '"system","udmabuf","drm"' ]
check "a process's total has its buffers" json_is processes.0.buffers 2
check "their sizes" json_is processes.0.size $((1048576 + 8192))
check "and its share of them" json_is processes.0.share $((524288 + 8192))

ps
check "ps prints a heading" \
	out_matches '^   INODE  .*  SIZE  EXPORTER .*  NAME .*  DEVICES .*  PID  COMMAND .*  FDS .*  MAPPED .*  SHARE$'
check "a line for each buffer and holder" \
	out_matches '^      31        1M  system          frame  *?      100  camera              2        1M      512K$'
check "a line for each further holder" \
	out_matches '^ *200  a view) (er         1         0      512K$'
check "and how much it is in all" out_matches '^3 buffers, 1M in all$'

ps --sort inode --json
check "--sort inode" json_is buffers.0.inode 30
ps --sort exporter --json
check "--sort exporter" json_is buffers.0.exporter '"drm"'
ps --sort name --json
check "--sort name" json_is buffers.2.name '"frame"'
ps --sort holders --json
check "--sort holders" json_is buffers.0.inode 31
ps --pid 200 --json
check "--pid shows what a process holds" \
	[ "$(value_at buffers.0.inode),$(value_at buffers.1.inode)" = 31,32 ]
check "and nothing else" json_lacks buffers.2
check "and its total alone" json_lacks processes.1
ps --pid 200
check "in text, too" [ "$(grep -c camera "$work/.out")" = 0 ]
ps --exporter udmabuf --json
check "--exporter shows its buffers" json_is buffers.0.inode 30
check "and no others" json_lacks buffers.1
ps --exporter none
check "where there are none, ps says so" out_is '0 buffers, 0 in all'

# With the kernel's list.
begin_list
list 1048576 5 system 31 frame
list 8192 2 udmabuf 30 '<none>'
list 4096 1 drm 32 '<none>' 0000:00:02.0
list 2097152 1 portalmem 40 'lost and found'
list 65536 2 portalmem 41 '<none>' edu
list 12288 1 system 42 '<none>'
end_list 6 3239936
hold 200 8 42 12288 1 system
ps --json
check "with the kernel's list, nothing is missing" done_cleanly
check "and it says so" json_is complete true
check "a buffer that no process has is seen" json_is buffers.0.inode 40
check "with a name that has spaces" json_is buffers.0.name '"lost and found"'
check "it has no holders" json_lacks buffers.0.holders.0
check "a mapped buffer is not leaked" json_is buffers.1.leaked false
check "nor one that a device uses" json_is buffers.2.attachments 1
check "a buffer that an idle process only holds looks leaked" \
	json_is buffers.3.leaked true
check "one with a device attached does not" \
	[ "$(value_at buffers.5.inode),$(value_at buffers.5.attachments),$(value_at buffers.5.leaked)" = 32,1,false ]
ps
check "it is marked" out_matches '^      42  .*  leaked?$'
check "and one that no process has" out_matches '^      40 .*  no process$'
check "and one that only a device has" out_matches '^      41 .*  device$'

# The holder of 30 works: its time goes on while ps looks.
start sh -c 'i=0; while :; do i=$((i + 1)); echo "100 (camera) S 1 1 1 0 -1 0 9 9 0 0 $i 0 0 0 20 0 1 0 9 9 9" >"$1.new"; mv "$1.new" "$1"; sleep 0.02; done' \
	- "$root/proc/100/stat"
# On a busy machine it may stand still meanwhile, once.
works()
{
	ps --exporter udmabuf --json
	json_is buffers.0.leaked false
}
check "what a working process holds does not look leaked" eventually works
kill "$child"
finish "$child"
ps --exporter udmabuf --json
check "when it stops working, it does" json_is buffers.0.leaked true

# A buffer whose descriptor is closed, and that is mapped still.
rm -r "$root/sys" "$root/proc/200"
make_process 300 ghost 1
map 300 7f0000000000-7f0000004000 00002000 77 '/dmabuf:odd name'
ps --pid 300 --json
check "a buffer that is only mapped is seen" json_is buffers.0.inode 77
check "with its name" json_is buffers.0.name '"odd name"'
check "with as much of its size as the mapping shows" \
	json_is buffers.0.size $((0x6000))
check "which it says" json_is buffers.0.size_is_exact false
check "its exporter is not known" json_is buffers.0.exporter null

# A name is the last that the kernel writes, and can have lines that look like more.
make_process 400 forger 1
hold 400 3 50 4096 1 system "x
size:${tab}1
ino:${tab}31
exp_name:${tab}forged"
ps --pid 400 --json
check "a name cannot forge what comes before it" \
	[ "$(value_at buffers.0.inode),$(value_at buffers.0.size),$(value_at buffers.0.exporter)" = '50,4096,"system"' ]
hold 400 4 51 4096 1 system "$(printf 'red\033[31m')"
ps --pid 400
check "a name cannot drive the terminal" out_matches 'red\\x1b\[31m'

# What no kernel writes does no harm.
make_process 500 torn 1
for text in '' 'size:' 'ino:\t\nsize:\t\nexp_name:\t\n' \
	'ino:\t99999999999999999999999\nsize:\t1\nexp_name:\tx\n' \
	'ino:\t-1\nsize:\t-1\nexp_name:\tx\n'; do
	ln -sf /dmabuf: "$root/proc/500/fd/9"
	# shellcheck disable=SC2059 # the text is a format
	printf "$text" >"$root/proc/500/fdinfo/9"
	ps --pid 500
	check "an fdinfo without sense is none: '$text'" out_is '0 buffers, 0 in all'
done
for line in '-' '0-0' 'ffffffffffffffff-0 rw-s 0 0:0 1 /dmabuf:' \
	'1000-2000 rw-s ffffffffffffffff 0:0 1 /dmabuf:' '1000-2000 rw-s 0 0:0 1'; do
	echo "$line" >"$root/proc/500/maps"
	ps --pid 500
	check "a mapping without sense is none: '$line'" out_is '0 buffers, 0 in all'
done

rm -r "$root/proc/500/fd"
ln -s fd "$root/proc/500/fd"
ps
check "a process that is gone halfway is no failure" [ "$status" = 0 ]
pm ps --sysroot "$work/absent"
check "without /proc, ps fails" status_is 1
check "and says what to do" err_line "portalmem ps: reading $work/absent/proc: No such file or directory; see that /proc is mounted"

ps --pid 4194305
check "a process that is not there fails" fails ps 'process 4194305: no such process; leave --pid away'

pm ps --sort x
check "an unknown order is a mistake" misuses ps "--sort: 'x' is not an order; use size, inode, exporter, name or holders"
pm ps --pid 0
check "process 0 is a mistake" misuses ps '--pid: 0 is no process'
pm ps x
check "an argument is a mistake" misuses ps "unexpected argument 'x'"

tap_end
