#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Files into buffers and back, with checksums; sha256sum(1) is the judge of these.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

cd "$work"

digest_of()
{
	sha256sum "$@" | cut -d ' ' -f 1
}

head -c 3000001 /dev/urandom >random
with_buffer 4M '"$PORTALMEM" cp random "fd:$PORTALMEM_FD" >to
	"$PORTALMEM" cp "fd:$PORTALMEM_FD" back --length 3000001 >from
	"$PORTALMEM" dump --length 3000001 >dumped'
check "a file is copied to a buffer and from it" done_cleanly
check "the buffer has its bytes" cmp random dumped
check "and the other file, too" cmp random back
check "how much it was is printed, and how fast" \
	grep -q '^3000001 bytes (2.8M) copied to offset 0 in [0-9.]* s, [0-9.]*[KMGT]/s$' to
check "and which way" grep -q ' copied from offset 0 ' from
check "the checksum is the file's" grep -qx "sha256: $(digest_of random)" to
check "on the way back, too" grep -qx "sha256: $(digest_of random)" from
check "nothing else is left" [ "$(find . -type f ! -name '.out' ! -name '.err' | sort | tr '\n' ' ')" = './back ./dumped ./from ./random ./to ' ]

# The lengths at which SHA-256 pads in another way.
for length in 1 3 55 56 57 63 64 65 119 120 128 4095 4096 1048575 1048577; do
	with_buffer 2M '"$PORTALMEM" cp random "fd:$PORTALMEM_FD" --json --length '"$length"
	check "the checksum of $length bytes" \
		json_is sha256 "\"$(head -c "$length" random | digest_of)\""
done
check "the JSON has the length" json_is length 1048577
check "the offset" json_is offset 0
check "the file" json_is file '"random"'
check "the way" json_is to '"buffer"'
check "and the time" json_has nanoseconds
: >empty
with_buffer 4K '"$PORTALMEM" cp empty "fd:$PORTALMEM_FD" --json'
check "of an empty file nothing is copied" json_is length 0
check "which has a checksum, too" json_is sha256 "\"$(digest_of empty)\""
with_buffer 4K '"$PORTALMEM" cp random "fd:$PORTALMEM_FD" --json --length 5 --no-checksum'
check "--no-checksum leaves it out" json_is sha256 null

with_buffer 1M '"$PORTALMEM" fill --byte 7 >/dev/null
	"$PORTALMEM" cp random "fd:$PORTALMEM_FD" --offset 4099 --length 10007 --check
	"$PORTALMEM" verify --byte 7 --length 4099
	"$PORTALMEM" verify --byte 7 --offset 14106
	"$PORTALMEM" cp "fd:$PORTALMEM_FD" part --offset 4099 --length 10007 --check'
check "a part is copied to any place" done_cleanly
head -c 10007 random >beginning
check "and from there" cmp part beginning

# Sparse, short and long files.
truncate -s 3M sparse
printf x | dd of=sparse bs=1 seek=2000000 conv=notrunc 2>/dev/null
with_buffer 4M '"$PORTALMEM" fill --byte 9 >/dev/null
	"$PORTALMEM" cp sparse "fd:$PORTALMEM_FD" --json
	"$PORTALMEM" verify --byte 9 --offset 3M >rest'
check "of a file with holes all bytes are copied" json_is length 3145728
check "as they are read" json_is sha256 "\"$(digest_of sparse)\""
check "what is after its end is not touched" grep -q 'as expected' rest
with_buffer 64K '"$PORTALMEM" cp random "fd:$PORTALMEM_FD"'
check "a file that is too long fails" fails cp \
	"'random': it has 3000001 bytes and there is room for 65536; give --length to take its beginning"
with_buffer 64K 'cat random | "$PORTALMEM" cp - "fd:$PORTALMEM_FD"'
check "so does a pipe" fails cp "'-': it goes on after the buffer's end"
with_buffer 64K '"$PORTALMEM" cp beginning "fd:$PORTALMEM_FD" --length 20000'
check "a file with less than --length fails" fails cp \
	"'beginning': it ends after 10007 of 20000 bytes; give a smaller --length"

# Pipes, and stdin that others have read from.
with_buffer 4M 'cat random | "$PORTALMEM" cp - "fd:$PORTALMEM_FD" --json
	"$PORTALMEM" cp "fd:$PORTALMEM_FD" - --length 3000001 | cat >back'
check "a pipe is read" json_is sha256 "\"$(digest_of random)\""
check "and one is written, with nothing else in it" cmp random back
with_buffer 64K 'cp beginning shared; exec <shared
	"$PORTALMEM" cp - "fd:$PORTALMEM_FD" --length 7 >/dev/null
	"$PORTALMEM" cp - "fd:$PORTALMEM_FD" --json'
check "a shared standard input goes on where it was" json_is length 10000
mkfifo fifo
with_buffer 64K 'cat beginning >fifo & "$PORTALMEM" cp fifo "fd:$PORTALMEM_FD" --json'
check "a named pipe is read" json_is length 10007
with_buffer 64K 'cat beginning >fifo & "$PORTALMEM" cp fifo "fd:$PORTALMEM_FD" --check'
check "which cannot be checked" fails cp "'fifo': it cannot be read twice; leave --check away"

# What is replaced, and how.
echo former >target
chmod 640 target
ln -s target link
with_buffer 4K '"$PORTALMEM" cp "fd:$PORTALMEM_FD" link --length 3'
check "a file behind a link is replaced" [ "$(stat -c %s target)" = 3 ]
check "it keeps its mode" [ "$(stat -c %a target)" = 640 ]
check "and the link stays" [ -L link ]
(umask 027; "$PORTALMEM" alloc -s 4K -- sh -c '"$PORTALMEM" cp "fd:$PORTALMEM_FD" fresh >/dev/null')
check "a new one has the mode that the umask leaves" [ "$(stat -c %a fresh)" = 640 ]
with_buffer 4K '"$PORTALMEM" cp "fd:$PORTALMEM_FD" /dev/full'
check "a full disk fails" fails cp "'/dev/full': "
check "with the reason" err_has 'No space left on device'
with_buffer 4K '"$PORTALMEM" cp "fd:$PORTALMEM_FD" - >/dev/full'
check "so does a full standard output" fails cp 'writing to standard output: No space left on device'
with_buffer 1M '{ "$PORTALMEM" cp "fd:$PORTALMEM_FD" - 2>errors || echo $? >ended; } | :'
check "and one that nobody reads" [ "$(cat ended)" = 1 ]
check "with one line" [ "$(grep -c 'Broken pipe' errors),$(wc -l <errors)" = 1,1 ]
with_buffer 4K '"$PORTALMEM" cp absent "fd:$PORTALMEM_FD"'
check "a file that is not there fails" fails cp \
	"opening 'absent': No such file or directory; give a file that can be read"
with_buffer 4K '"$PORTALMEM" cp "fd:$PORTALMEM_FD" absent/file'
check "so does a folder that is not there" fails cp "opening 'absent/file': No such file"
with_buffer 4K '"$PORTALMEM" cp . "fd:$PORTALMEM_FD"'
check "and one that is read" fails cp 'Is a directory'
with_buffer 4K '"$PORTALMEM" cp random "fd:$PORTALMEM_FD" --offset 4K --length 1'
check "what is past the buffer fails" fails cp 'give a smaller --offset'

# Interrupted: the former file is there, and nothing beside it.
echo former >kept
with_buffer 64M '"$PORTALMEM" cp "fd:$PORTALMEM_FD" kept --no-checksum & copier=$!
	while kill -s INT "$copier" 2>/dev/null; do sleep 0.01; done
	wait "$copier" || echo "ended by $?"'
check "a signal leaves nothing behind" [ -z "$(find . -name '.kept*')" ]

pm cp random
check "two places are needed" misuses cp 'a FILE and a BUFFER are needed'
pm cp a b c
check "and no more" misuses cp "unexpected argument 'c'"
pm cp a b
check "one must be a buffer" misuses cp "one of 'a' and 'b' must be a buffer"
pm cp fd:3 1:3
check "and one a file" misuses cp "one of 'fd:3' and '1:3' must be a buffer"
pm cp - fd:3 --check
check "a pipe cannot be checked" misuses cp '--check reads the file again'
pm cp fd:3 - --json
check "bytes and JSON do not go together" misuses cp 'the bytes are not JSON'
on_terminal 1 "$PORTALMEM" cp fd:3 -
check "bytes do not go to a terminal" status_is 2
pm cp ./fd:3 ./1:2
check "a slash makes it a file" misuses cp "one of './fd:3' and './1:2' must be"
pm cp random fd:99
check "a descriptor that is not open fails" fails cp 'Bad file descriptor'
tap_end
