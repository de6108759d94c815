#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quick: 6.12
#
# The command attach, on a device of the tests'.
set -eu

export PORTALMEM_BACKEND=portalmem
PORTALMEM=$(command -v portalmem)
export PORTALMEM
# shellcheck source-path=SCRIPTDIR source=../cli/cli.sh
. "${top_srcdir:?}/tests/cli/cli.sh"

device=pm_device.0
present=/sys/module/pm_device/parameters/present

# Another test may have loaded it.
[ -e "$present" ] ||
	insmod "$top_builddir/tests/guest/kmod/$(uname -r)/pm_device.ko"
start "$PORTALMEM" alloc --size 256K
eventually out_matches '^buffer: '
buffer=$(sed -n 's/^buffer: *//p' "$work/.out")
holder=$child

start "$PORTALMEM" attach "$device" "$buffer" --direction to --json
check "attach finds the device" eventually json_valid
check "on its bus" json_is bus '"platform"'
check "its table adds up to the buffer" lengths_are 262144
check "the direction is what was asked for" json_is direction '"to"'
check "nothing translates" json_is translated false
attacher=$child
run "$PORTALMEM" info "$buffer" --json
check "the buffer has an attachment" json_is attachments 1
kill "$attacher"
finish "$attacher"
check "a signal ends it" status_is 0
run "$PORTALMEM" info "$buffer" --json
check "then the buffer has none" json_is attachments 0

start "$PORTALMEM" attach "$device" "$buffer"
check "attach prints the table" eventually out_matches '^ *0  '
echo 2 >"$present"
finish "$child"
check "it fails when the device is unplugged" status_is 1
check "and says so" \
	err_line 'portalmem attach: the device or its driver is gone; attach'
pm attach "$device" "$buffer"
check "then there is no such device" fails attach "has a device '$device'"
echo 3 >"$present"
pm attach "$device" "$buffer" -- true
check "until it is plugged in again" done_cleanly
pm attach "$device" "$buffer" --address-bits 32
check "how far it reaches is for its driver to say" \
	fails attach 'its driver in the kernel sets how far it reaches'
run setpriv --bounding-set=-sys_rawio --inh-caps=-all -- \
	"$PORTALMEM" attach "$device" "$buffer"
check "without CAP_SYS_RAWIO it fails" \
	fails attach 'it takes CAP_SYS_RAWIO, so run as root'

kill "$holder"
finish "$holder"
tap_end
