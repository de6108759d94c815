#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each public header stands alone, in strict C89 and in C++.
# shellcheck disable=SC2317 # functions are called by check
set -eu

: "${top_srcdir:?set by make check}" "${top_builddir:?}" "${CC:?}"
# shellcheck source=tests/abi/tap.sh
. "$top_srcdir/tests/abi/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile COMPILER OPTIONS FILE
compile() {
	# shellcheck disable=SC2086 # these are lists
	$1 $2 -Wall -Wextra -Werror -fsyntax-only \
		-I"$top_srcdir/include" -I"$top_srcdir/include/uapi" "$3"
}

# Use what a header has of initializers, which expand only then; twice
# included, since that must be harmless.
write_user() {
	printf '#include <%s>\n#include <%s>\n' "$1" "$1"
	case $1 in
	portalmem.h)
		cat <<-'END'
			int use(void);
			int use(void)
			{
				struct portalmem_alloc_options options =
					PORTALMEM_ALLOC_OPTIONS_INIT;
				struct portalmem_info info = PORTALMEM_INFO_INIT;
				struct portalmem_heap_info heap =
					PORTALMEM_HEAP_INFO_INIT;
				struct portalmem_attach_options attach =
					PORTALMEM_ATTACH_OPTIONS_INIT;
				struct portalmem_receive_options receive =
					PORTALMEM_RECEIVE_OPTIONS_INIT;
				struct portalmem_attachment_info attachment =
					PORTALMEM_ATTACHMENT_INFO_INIT;

				return options.name == 0 && info.size == 0 &&
					heap.size == 0 &&
					attach.address_bits == 0 &&
					receive.check == 0 &&
					attachment.size == 0;
			}
		END
		;;
	portalmem-v4l2.h)
		cat <<-'END'
			int use(void);
			int use(void)
			{
				struct portalmem_v4l2_frame frame =
					PORTALMEM_V4L2_FRAME_INIT;

				return frame.index == 0;
			}
		END
		;;
	esac
}

for header in portalmem.h portalmem-drm.h portalmem-v4l2.h linux/portalmem.h; do
	user=$work/$(echo "$header" | tr / -)
	write_user "$header" >"$user.c"
	cp "$user.c" "$user.cc"
	check "$header is strict C89" \
		compile "$CC" '-std=c89 -pedantic' "$user.c"
	check "$header is strict C11" \
		compile "$CC" '-std=c11 -pedantic' "$user.c"
	if [ "$TEST_CXX" = no ]; then
		skip "$header is C++" 'there is no C++ compiler'
	else
		check "$header is C++" compile "$TEST_CXX" '' "$user.cc"
		check "$header is strict C++11" \
			compile "$TEST_CXX" '-std=c++11 -pedantic' "$user.cc"
	fi
done
finish
