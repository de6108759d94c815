#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What attach does with a device and a buffer: on memory files nothing, and with
# a module that is made up, what is known of its devices. On a real one,
# tests/guest/attach.sh runs the command.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

with_buffer 64K '"$PORTALMEM" attach 0000:00:04.0'
check "no device sees a memory file" fails attach 'no device sees a memfd'
run "$PORTALMEM" attach 0000:00:04.0 fd:99
check "a descriptor that is not open fails" fails attach 'Bad file descriptor'

PORTALMEM=$top_builddir/tests/cli/portalmem-fake
unset PORTALMEM_BACKEND
FAKE_MODULE_LOG=$work/log
export FAKE_MODULE_LOG

# asked FIELDS: the last attachment that the module was asked for.
asked()
{
	tail -n 1 "$FAKE_MODULE_LOG" | grep -q -x -F -e "$1"
}

# Hold a buffer of 16 KiB; $buffer names it.
start "$PORTALMEM" alloc --size 16K
eventually out_matches '^buffer: '
buffer=$(sed -n 's/^buffer: *//p' "$work/.out")
holder=$child

start "$PORTALMEM" attach 0000:00:04.0 "$buffer"
check "attach prints the attachment" eventually out_matches '^ *1 '
check "its device" out_matches '^device:  *pci 0000:00:04.0$'
check "its direction" out_matches '^direction:  *both$'
check "the buffer's size" out_matches '^size:  *16384 (16K)$'
check "that an IOMMU translates" out_matches '^translated:  *yes$'
check "that the device gets no copies" out_matches '^bounced:  *no$'
check "that it needs no sync" out_matches '^needs sync:  *no$'
check "how others can name it" out_matches "^attachment:  *$child:[0-9]"
check "where its descriptor is" out_matches "^path:  *//*proc/$child/fd/[0-9]*$"
check "the head of the table" \
	out_matches '^segment  *offset  *length  *address$'
check "the first segment" out_matches '^  *0  *0  *0x1000  *0x10000000000$'
check "the last segment" out_matches '^  *1  *0x1000  *0x3000  *0xfff00000$'
check "the module was asked for the usual" \
	asked 'bus pci device 0000:00:04.0 direction 3 address_bits 0'
check "it is held" kill -0 "$child"
kill "$child"
finish "$child"
check "a signal ends the holding, which is then done" done_cleanly

start "$PORTALMEM" attach dma-engine "$buffer" --direction from \
	--address-bits 40 --json
check "attach --json prints strict JSON" eventually json_valid
check "a device is looked for on other buses, too" json_is bus '"platform"'
check "the direction in JSON" json_is direction '"from"'
check "how far the device reaches in JSON" json_is address_bits 40
check "the size in JSON" json_is size 16384
check "that nothing translates in JSON" json_is translated false
check "that it is bounced in JSON" json_is bounced true
check "that it needs sync in JSON" json_is needs_sync true
check "the table in JSON" json_is segments.1.address 4293918720
check "its offsets" json_is segments.1.offset 4096
check "its lengths" json_is segments.1.length 12288
check "no more than there is" json_lacks segments.2
check "the module was asked for the direction and the address bits" \
	asked 'bus platform device dma-engine direction 2 address_bits 40'
kill "$child"
finish "$child"

pm attach 0000:00:04.0 "$buffer" --bus pci --direction to -- \
	sh -c 'readlink "/proc/$$/fd/$PORTALMEM_ATTACHMENT_FD"
		readlink "/proc/$$/fd/$PORTALMEM_FD"
		echo "$PORTALMEM_SIZE"; exit 7'
check "with a command, its status is passed through" status_is 7
check "the command has the attachment" out_matches 'fake-attachment'
check "the command has the buffer" out_matches 'fake-buffer'
check "and its size" out_matches '^16384$'
check "the module was asked for the other direction" \
	asked 'bus pci device 0000:00:04.0 direction 1 address_bits 0'
pm alloc --size 16K -- "$PORTALMEM" attach 0000:00:04.0 -- \
	sh -c '[ -n "$PORTALMEM_ATTACHMENT_FD" ]'
check "the buffer can come from alloc" done_cleanly

pm attach absent "$buffer"
check "a device that is nowhere fails, and the places are named" \
	fails attach "has a device 'absent'; give a name that is in /sys/bus/BUS/devices"
check "all buses were tried" \
	asked 'bus amba device absent direction 3 address_bits 0'
pm attach dma-engine "$buffer" --bus pci
check "a device of another bus than was named fails" \
	fails attach 'No such device; give the name of a device in /sys/bus/pci/devices'
check "no other bus was tried" \
	asked 'bus pci device dma-engine direction 3 address_bits 0'
pm attach 0000:00:04.0 "$buffer" --address-bits 1
check "another failure is not taken for a missing device" \
	fails attach 'Device or resource busy; its driver in the kernel sets'
pm attach 0000:00:04.0 "$buffer" --bus sixteen-letters-
check "a bus with too long a name fails" fails attach 'at most 15 bytes'

kill "$holder"
finish "$holder"
tap_end
