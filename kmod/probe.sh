#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# probe.sh OUTPUT: find out which of two forms of an interface a kernel has.
#
# Each probe is a pair of source files, one for the old form and one for the
# new. Exactly one of the two must compile. Neither or both means that the
# probe itself, the compiler or the headers are broken; then the build stops
# here, instead of going on with a guess. KDIR names the kernel.
set -eu

output=$1
here=$(pwd)
dir=$here/probes
rm -rf "$dir"
mkdir "$dir"

probes=
# probe NAME: the old form on stdin up to a line of dashes, then the new one.
probe()
{
	probes="$probes $1"
	awk -v old="$dir/$1-old.c" -v new="$dir/$1-new.c" '
		BEGIN { file = old }
		/^---$/ { file = new; next }
		{ print > file }'
}

# 6.13 wants the namespace as a string. The older macro would turn a string
# into one with quotation marks in it, which is what the size tells.
probe IMPORT_NS_STRING <<'END'
#include <linux/module.h>
MODULE_IMPORT_NS(DMA_BUF);
MODULE_LICENSE("GPL");
---
#include <linux/module.h>
#undef MODULE_INFO
#define MODULE_INFO(tag, info) \
	_Static_assert(sizeof(info) == sizeof("DMA_BUF"), "not stringified")
MODULE_IMPORT_NS("DMA_BUF");
END

objects=
for name in $probes; do
	objects="$objects $name-old.o $name-new.o"
done
echo "obj-m := $objects" >"$dir/Kbuild"

# One of each pair is meant to fail. Variables of the outer make (W, C, M)
# must not reach this one.
log=$dir/log
for object in $objects; do
	env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS \
		"${MAKE:-make}" -C "$KDIR" M="$dir" "$object" >>"$log" 2>&1 || :
done

{
	echo '/* SPDX-License-Identifier: GPL-2.0-only */'
	echo '/* Written by probe.sh for this kernel; not to be edited. */'
	for name in $probes; do
		old=$dir/$name-old.o
		new=$dir/$name-new.o
		if [ -e "$new" ] && [ ! -e "$old" ]; then
			echo "#define PORTALMEM_HAVE_$name 1"
		elif [ -e "$old" ] && [ ! -e "$new" ]; then
			echo "/* PORTALMEM_HAVE_$name is not set */"
		else
			{
				echo "probe.sh: $name: expected exactly one of its two forms to compile against $KDIR"
				cat "$log"
			} >&2
			exit 1
		fi
	done
} >"$output.tmp"
mv "$output.tmp" "$output"
