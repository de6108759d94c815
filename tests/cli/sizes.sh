#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# How sizes are read.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# size_is TEXT BYTES: an offset of TEXT is read as BYTES.
size_is()
{
	with_buffer 4K "\"\$PORTALMEM\" verify --byte 0 --offset '$1'"
	check "$1 is $2 bytes" fails verify "offset $2: the buffer has 4096 bytes"
}
size_is 4096 4096
size_is 12345 12345
size_is 8K 8192
size_is 8k 8192
size_is 8KiB 8192
size_is 16M 16777216
size_is 16m 16777216
size_is 16MiB 16777216
size_is 3G 3221225472
size_is 3GiB 3221225472
size_is 2T 2199023255552
size_is 2TiB 2199023255552
size_is 1.5G 1610612736
size_is 4.25K 4352
size_is 0.5T 549755813888
size_is 00004096 4096
size_is 18446744073709551615 18446744073709551615
size_is 16777215T 18446742974197923840

# refused TEXT WHY: as the size of a buffer and as an offset.
refused()
{
	pm alloc --size "$1" -- true
	check "the size '$1' is refused" misuses alloc "--size: $2"
	pm dump --offset "$1"
	check "the offset '$1' is refused" misuses dump "--offset: $2"
}
for text in '' ' ' K .5K 1.K 1. 1.5.5K -1 +1 -0 0x10 1e3 1_000 1,5K ' 1' '1 ' \
	'1 K' 1x 1KK 1B 1KB 1Kib 1KiBs 1P 1E 1.0000001K 1,000 ٣ NaN; do
	refused "$text" "'$text' is not a size"
done
for text in 1.5 0.1G 1.0001K 4096.5; do
	refused "$text" "'$text' is not a whole number of bytes"
done
for text in 18446744073709551616 99999999999999999999999999 16777216T \
	18014398509481984K 16777215.999999999T 17179869184G; do
	refused "$text" "'$text' is "
done
pm alloc --size 0 -- true
check "a buffer of no bytes is refused" misuses alloc 'at least one byte'
pm alloc --size 0K -- true
check "a buffer of no kilobytes is refused" misuses alloc 'at least one byte'

pm alloc --size 1 -- sh -c 'echo "$PORTALMEM_SIZE"'
check "one byte is rounded up to a page" prints "$(getconf PAGESIZE)"
pm alloc -s 1.5M -- sh -c 'echo "$PORTALMEM_SIZE"'
check "a fraction of a unit is exact" prints 1572864

tap_end
