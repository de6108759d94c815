#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels: 6.12
# arch: amd64
#
# The transcripts in README.md are what the commands print, but for the numbers in
# them and for how often a line is there.
# shellcheck disable=SC2317 # functions are called through check
set -eu

PORTALMEM=$(command -v portalmem)
export PORTALMEM
# shellcheck source-path=SCRIPTDIR source=../cli/cli.sh
. "${top_srcdir:?}/tests/cli/cli.sh"
unset PORTALMEM_BACKEND

# hold COMMAND...: a process in the background that holds a buffer, and says so.
hold()
{
	"$@" >"$work/held" 2>&1 &
	tap_children="$tap_children $!"
	eventually test -s "$work/held"
}

# The commands of the transcripts, and what follows the one that is $1.
commands()
{
	sed -n 's/^    \$ \(portalmem .*\)/\1/p' "$top_srcdir/README.md"
}

transcript()
{
	awk -v command="    \$ $1" '
		/^    \$ / { inside = $0 == command; next }
		!/^    / && NF { inside = 0 }
		inside { sub(/^    /, ""); print }' "$top_srcdir/README.md"
}

# Without numbers and without empty lines, with one of each kind that follow one
# another.
shape()
{
	sed -E 's/0x[0-9a-f]+/N/g; s/[0-9]+(\.[0-9]+)*[KMGT]?/N/g; s/ +/ /g; s/^ //; s/ $//; /^$/d' |
		uniq
}

same_shape()
{
	run bash -c "$1"
	transcript "$1" | shape >"$work/wanted"
	shape <"$work/.out" | diff "$work/wanted" - >"$work/difference"
}

# Holders are busy at first, and their buffers do not look leaked yet.
soon()
{
	local try
	for try in 1 2 3; do
		! "$@" || return 0
		sleep "0.$try"
	done
	return 1
}

# What the transcripts were taken of. The driver is built in, or a module.
modprobe -q udmabuf || true
hold "$PORTALMEM" alloc --size 16M --name frame --device /dev/portalmem
buffer=$(sed -n 's/^buffer: *//p' "$work/held")
"$PORTALMEM" share "$buffer" "$work/socket" --timeout 60 &
tap_children="$tap_children $!"
hold "$PORTALMEM" receive "$work/socket" --timeout 60
hold "$PORTALMEM" alloc --size 2M --device system --backend dma-heap
"$top_builddir/tests/vm/hold-udmabuf" &
tap_children="$tap_children $!"

check "README.md has three transcripts" [ "$(commands | wc -l)" -eq 3 ]
while IFS= read -r command; do
	check "README.md shows what '$command' prints" soon same_shape "$command"
	sed 's/^/# /' "$work/difference"
	sed 's/^/# is: /' "$work/.out"
done < <(commands)
tap_end
