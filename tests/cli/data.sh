#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fill, dump and verify.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

seq 1 300 >"$work/file"
file_size=$(stat -c %s "$work/file")
cd "$work"

with_buffer 64K '"$PORTALMEM" fill --byte 0x5a'
check "fill says how much it wrote" prints '65536 bytes (64K) filled from offset 0'
with_buffer 64K '"$PORTALMEM" fill --byte 1 --offset 5K --length 3 --json'
check "fill --json says it too" json_is length 3
check "fill --json says where" json_is offset 5120

with_buffer 8K '"$PORTALMEM" fill --byte 90 >/dev/null; "$PORTALMEM" dump'
check "a byte fills the whole buffer, and nothing else is dumped" \
	[ "$(tr -d Z <.out | wc -c)/$(wc -c <.out)" = 0/8192 ]
with_buffer 8K '"$PORTALMEM" fill --byte 90 --offset 4095 --length 2 >/dev/null
	"$PORTALMEM" dump --offset 4094 --length 4 | od -An -tu1'
check "a part is filled across a page's end, its neighbours are not" \
	prints '   0  90  90   0'

with_buffer 8K '"$PORTALMEM" fill --byte 90 >/dev/null
	"$PORTALMEM" verify --byte 0x5a'
check "verify finds the byte" prints '8192 bytes (8K) from offset 0 are as expected'
with_buffer 8K '"$PORTALMEM" fill --byte 7 --offset 5000 --length 1 >/dev/null
	"$PORTALMEM" verify --byte 0'
check "verify names the first byte that differs" \
	fails verify 'at offset 5000: 0x07 is there and 0x00 is expected'
with_buffer 8K '"$PORTALMEM" fill --byte 7 --offset 5000 --length 1 >/dev/null
	"$PORTALMEM" verify --byte 0 --json'
check "verify --json fails as well" status_is 1
check "verify --json says that they differ" json_is equal false
check "verify --json says where" json_is difference 5000
check "verify --json says what is there" json_is found 7
check "verify --json says what is expected" json_is expected 0
with_buffer 8K '"$PORTALMEM" verify --byte 0 --json'
check "verify --json says that they are equal" json_is equal true
check "verify --json of equal bytes has no difference" json_lacks difference
with_buffer 8K '"$PORTALMEM" fill --byte 7 --offset 8191 --length 1 >/dev/null
	"$PORTALMEM" verify --byte 0 --length 8191'
check "verify looks at nothing behind its part" done_cleanly
with_buffer 8K '"$PORTALMEM" fill --byte 7 --length 1 >/dev/null
	"$PORTALMEM" verify --byte 0 --offset 1'
check "verify looks at nothing before its part" done_cleanly

# The same seed, the same bytes: on this machine and on any other.
with_buffer 4K '"$PORTALMEM" fill --random 7 >/dev/null
	"$PORTALMEM" dump --length 16 | od -An -tx1'
check "seed 7 names these bytes everywhere" \
	prints ' d7 0d 32 59 e4 e1 cb 63 1c 66 3c f4 d7 3c 4c 04'
with_buffer 3M '"$PORTALMEM" fill --random 7 >/dev/null
	"$PORTALMEM" verify --random 7 --offset 1234567 --length 100001'
check "random bytes depend on their offset in the buffer" done_cleanly
with_buffer 3M '"$PORTALMEM" fill --random 7 >/dev/null
	"$PORTALMEM" verify --random 8'
check "another seed names other bytes" fails verify 'differs at offset 0'
with_buffer 4K '"$PORTALMEM" fill --random 18446744073709551615 >/dev/null
	"$PORTALMEM" verify --random 0xffffffffffffffff'
check "the largest seed works, and can be hexadecimal" done_cleanly

with_buffer 8K '"$PORTALMEM" fill --file file; "$PORTALMEM" verify -f file
	"$PORTALMEM" dump --length '"$file_size"' | cmp - file'
check "a file shorter than the buffer is written and found" \
	prints "$file_size bytes (1K) filled from offset 0
$file_size bytes (1K) from offset 0 are as expected"
with_buffer 8K '"$PORTALMEM" fill - <file >/dev/null
	cat file | "$PORTALMEM" verify -'
check "stdin can be a file and a pipe" done_cleanly
with_buffer 8K '"$PORTALMEM" fill "fd:$PORTALMEM_FD" - <file >/dev/null
	"$PORTALMEM" verify --file - <file'
check "stdin can be named beside a buffer, and by --file -" done_cleanly
with_buffer 8K '"$PORTALMEM" fill --byte 1 >/dev/null
	"$PORTALMEM" fill --file file >/dev/null
	"$PORTALMEM" verify --byte 1 --offset '"$file_size"
check "bytes after a file's end are left alone" done_cleanly
with_buffer 8K '"$PORTALMEM" fill --file file --offset 4K --length 100 >/dev/null
	"$PORTALMEM" dump --offset 4K --length 100 | cmp -n 100 - file
	"$PORTALMEM" verify --byte 0 --offset 4196'
check "--length takes that much of a file" done_cleanly

truncate -s 8193 long
with_buffer 8K '"$PORTALMEM" fill --file long'
check "a file that is too long fails" fails fill \
	"'long': it has 8193 bytes and there is room for 8192; give --length"
with_buffer 8K '"$PORTALMEM" fill --byte 1 >/dev/null
	! "$PORTALMEM" fill --file long 2>/dev/null
	"$PORTALMEM" verify --byte 1'
check "a file that is too long fails before anything is written" done_cleanly
with_buffer 8K '"$PORTALMEM" verify --file long'
check "verify fails on a file that is too long" fails verify 'give --length'
with_buffer 8K 'cat long | "$PORTALMEM" fill -'
check "a pipe that goes on fails" fails fill 'goes on after'
with_buffer 8K 'cat long | "$PORTALMEM" verify -'
check "verify fails on a pipe that goes on" fails verify 'goes on after'
with_buffer 8K '"$PORTALMEM" fill --file long --length 8K'
check "--length takes the beginning of a long file" done_cleanly
with_buffer 8K '"$PORTALMEM" fill --file file --length 8K'
check "a file shorter than --length fails" \
	fails fill "ends after $file_size of 8192 bytes"
with_buffer 8K '"$PORTALMEM" fill --file /dev/null'
check "an empty file fails to fill" fails fill "'/dev/null': it is empty"
with_buffer 8K '"$PORTALMEM" verify --file /dev/null'
check "an empty file fails to verify" fails verify "'/dev/null': it is empty"
with_buffer 8K '"$PORTALMEM" fill --file absent'
check "a file that is not there fails" \
	fails fill "opening 'absent': No such file or directory"
with_buffer 8K '"$PORTALMEM" fill --file .'
check "a directory fails" fails fill "reading '.': Is a directory"
with_buffer 8K '"$PORTALMEM" fill - <&-'
check "a closed stdin fails" fails fill "reading '-': Bad file descriptor"

for subcommand in 'fill --byte 0' 'verify --byte 0' dump; do
	with_buffer 8K '"$PORTALMEM" '"$subcommand"' --offset 8K'
	check "${subcommand% --*} refuses an offset behind the buffer" \
		fails "${subcommand% --*}" 'offset 8192: the buffer has 8192'
	with_buffer 8K '"$PORTALMEM" '"$subcommand"' --offset 1 --length 8K'
	check "${subcommand% --*} refuses a length past the buffer" \
		fails "${subcommand% --*}" 'length 8192 from offset 1'
	with_buffer 8K '"$PORTALMEM" '"$subcommand"' --offset 8191 \
		--length 16777215T'
	check "${subcommand% --*} refuses a length that wraps around" \
		fails "${subcommand% --*}" 'give a smaller --length'
done

with_buffer 4K 'printf "AB\001\177" | "$PORTALMEM" fill - >/dev/null
	"$PORTALMEM" dump --hex --length 17'
check "dump --hex prints offset, bytes and text" prints \
"00000000  41 42 01 7f 00 00 00 00  00 00 00 00 00 00 00 00  |AB..............|
00000010  00                                                |.|"
with_buffer 2M '"$PORTALMEM" fill --random 1 >/dev/null
	"$PORTALMEM" dump --hex --offset 1M --length 32'
check "dump --hex prints the offset in the buffer" out_matches '^00100010  '
with_buffer 3M '"$PORTALMEM" fill --random 5 >/dev/null
	"$PORTALMEM" dump -o out; "$PORTALMEM" verify --file out'
check "dump -o writes the whole buffer, which is found again" \
	prints '3145728 bytes (3M) from offset 0 are as expected'
with_buffer 4K '"$PORTALMEM" dump -o out --offset 1K --length 1K --json'
check "dump --json says what was written" json_is length 1024
check "dump --json says from where" json_is offset 1024
check "dump --json says into which file" json_is file '"out"'
check "dump -o replaces the file" [ "$(stat -c %s out)" -eq 1024 ]
with_buffer 4K '"$PORTALMEM" dump -o absent/out'
check "dump fails on a file that cannot be made" \
	fails dump "opening 'absent/out': No such file or directory"
with_buffer 3M '"$PORTALMEM" dump --hex -o /dev/full'
check "dump --hex fails on a full disk, with one line" \
	fails dump "writing '/dev/full': No space left on device"
with_buffer 4K '"$PORTALMEM" dump -o /dev/full'
check "dump fails on a full disk" \
	fails dump "writing '/dev/full': No space left on device"

tap_end
