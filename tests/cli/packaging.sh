#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is installed beside the command: completion and udev rule.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# complete_line WORD...: what bash offers for the last word.
complete_line()
{
	# shellcheck disable=SC2016 # bash expands it
	run bash --norc -euc '
		. "$0"
		COMP_WORDS=(portalmem "$@")
		COMP_CWORD=$#
		_portalmem
		printf "%s\n" "${COMPREPLY[@]}"
	' "$top_srcdir/utils/completion/portalmem" "$@"
}

# The long options in a subcommand's help, one a line, sorted.
options_of()
{
	"$PORTALMEM" help "$1" | grep -o -e '^  .*--[a-z-]*' |
		grep -o -e '--[a-z-]*' | sort -u
}

"$PORTALMEM" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | sort >"$work/all"
complete_line ''
sort "$work/.out" >"$work/offered"
check "every subcommand is offered, and no other" \
	cmp "$work/all" "$work/offered"
complete_line help ''
sort "$work/.out" >"$work/offered"
check "help offers every subcommand" cmp "$work/all" "$work/offered"
complete_line ver
check "a beginning is completed" prints verify

while read -r subcommand; do
	complete_line "$subcommand" --
	grep -vx -e --json -e --device -e --backend -e --help "$work/.out" |
		sort >"$work/offered" || true
	options_of "$subcommand" |
		grep -vx -e --json -e --device -e --backend >"$work/explained" || true
	check "$subcommand: the options offered are those explained" \
		cmp "$work/explained" "$work/offered"
done <"$work/all"
complete_line alloc --caching u
check "caching modes are completed" prints uc
complete_line --backend u
check "backends are completed" prints udmabuf
complete_line ps --sort h
check "orders are completed" prints holders
complete_line top --sort g
check "more of them for top" prints growth
complete_line top --view p
check "views are completed" prints processes
complete_line attach --direction f
check "directions are completed" prints from
complete_line attach --bus p
check "buses are completed" prints "$(printf 'pci\nplatform')"
for device in /sys/bus/platform/devices/*; do
	[ ! -e "$device" ] || break
done
if [ -e "$device" ]; then
	complete_line attach --bus platform "${device##*/}"
	check "devices are completed" out_has "${device##*/}"
else
	skip "devices are completed" 'there is none'
fi
complete_line --backend memfd al
check "an option's argument is not taken for the subcommand" prints alloc
: >"$work/a-socket"
complete_line receive "$work/a-s"
check "sockets are completed" prints "$work/a-socket"
complete_line alloc --size ''
check "a size is not completed" out_is ''

not()
{
	! "$@"
}

rule=$top_builddir/utils/udev/60-portalmem.rules
run cat "$rule"
check "the udev rule gives the nodes to a group" \
	out_matches '^SUBSYSTEM=="misc", KERNEL=="portalmem|portalmem-heap\*", GROUP="[a-z]*", MODE="0660"$'
kernel=$(sed -n 's/.* KERNEL=="\([^"]*\)".*/\1/p' "$rule")
# given NAME: the rule matches the device.
given()
{
	eval "case \$1 in $kernel) return 0 ;; esac"
	return 1
}
check "that of a reserved region is one of them" given portalmem-heap-camera
check "that of the contiguous heap is not" not given portalmem-contiguous
check "it has no other rule" [ "$(grep -c '^[^#]' "$rule")" -eq 1 ]
check "nothing is left to be filled in" [ "$(grep -c @ "$rule")" -eq 0 ]

tap_end
