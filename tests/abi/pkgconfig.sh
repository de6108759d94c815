#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A program builds and runs with what was installed, found by pkg-config alone.
# shellcheck disable=SC2317 # functions are called by check
set -eu

: "${top_srcdir:?set by make check}" "${top_builddir:?}" "${CC:?}"
# shellcheck source=tests/abi/tap.sh
. "$top_srcdir/tests/abi/tap.sh"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# The outer make's options and job server are not this one's.
unset MAKEFLAGS MFLAGS MAKELEVEL || :

# The headers and .pc files are installed; the libraries are copied, since
# installing links them anew in the build tree, where other tests use them.
stage_install() {
	"${MAKE:-make}" -C "$top_builddir" DESTDIR="$stage" \
		install-includeHEADERS install-dist_uapiincludeHEADERS \
		install-pkgconfigDATA || return
	pcdir=$(dirname "$(find "$stage" -name libportalmem.pc)")
	cp -P "$top_builddir"/libportalmem/.libs/*.so* "$pcdir/.."
}

write_programs() {
	cat >"$stage/core.c" <<-'END'
		#include <linux/portalmem.h>
		#include <portalmem.h>
		#include <string.h>

		int main(void)
		{
			struct portalmem_device *device;

			if (strcmp(portalmem_version(), PC_VERSION))
				return 1;
			if (portalmem_device_open(NULL, PORTALMEM_BACKEND_MEMFD,
						  &device))
				return 2;
			portalmem_device_unref(device);
			return PORTALMEM_ABI_VERSION;
		}
	END
	cat >"$stage/v4l2.c" <<-'END'
		#include <errno.h>
		#include <portalmem-v4l2.h>

		int main(void)
		{
			return portalmem_v4l2_queue_start(NULL) != -EINVAL;
		}
	END
	cat >"$stage/drm.c" <<-'END'
		#include <errno.h>
		#include <portalmem-drm.h>

		int main(void)
		{
			return portalmem_drm_close_handle(-1, 1) != -EBADF;
		}
	END
}

# Flags of a library under the stage, as though it were the root.
pc() {
	PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_PATH=$pcdir \
		PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
		PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 "${PKG_CONFIG:-pkg-config}" "$@"
}

# build_and_run PROGRAM LIBRARY
build_and_run() {
	version=$(pc --modversion "$2") || return
	flags=$(pc --cflags --libs "$2") || return
	# shellcheck disable=SC2086 # these are lists
	$CC -DPC_VERSION="\"$version\"" ${CFLAGS-} -o "$stage/$1" \
		"$stage/$1.c" $flags -Wl,-rpath-link,"$libdir" || return
	LD_LIBRARY_PATH=$libdir "$stage/$1"
}

links_no_drm() {
	case $(pc --cflags --libs libportalmem) in
	*drm*) return 1 ;;
	esac
}

check 'headers and .pc files install' stage_install
pcdir=$(dirname "$(find "$stage" -name libportalmem.pc)")
libdir=$pcdir/..
write_programs
check 'program builds and runs with libportalmem' build_and_run core libportalmem
check 'libportalmem pulls in no libdrm' links_no_drm
check 'program builds and runs with libportalmem-v4l2' \
	build_and_run v4l2 libportalmem-v4l2
if [ -e "$pcdir/libportalmem-drm.pc" ]; then
	check 'program builds and runs with libportalmem-drm' \
		build_and_run drm libportalmem-drm
else
	skip 'program builds and runs with libportalmem-drm' \
		'configured with --without-drm'
fi
finish
