#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The example programs in the manual pages compile without a warning and do
# what the page says; the example commands work, and so does the README's
# program.
#
# On the memfd backend, which is the default, the examples that need a device
# node, a DRM device or a camera must fail with the message that names it. In a
# guest with the module they must succeed, on the module, vgem and vivid.
# shellcheck disable=SC2317 # functions are called through run and check
set -eu

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

: "${CC:=cc}" "${PKG_CONFIG:=pkg-config}"
PORTALMEM_BACKEND=${PORTALMEM_BACKEND:-${PORTALMEM_MODULE:+portalmem}}
PORTALMEM_BACKEND=${PORTALMEM_BACKEND:-memfd}
export PORTALMEM_BACKEND
programs=$top_builddir/tests/man/programs
core=$top_builddir/libportalmem/libportalmem.la
drm=$top_builddir/libportalmem/libportalmem-drm.la
v4l2=$top_builddir/libportalmem/libportalmem-v4l2.la

# extract PAGE N: the Nth literal text of the examples in a page, with roff's
# escapes undone.
extract()
{
	awk -v wanted="$2" '
	/^\.Sh / { examples = $2 == "EXAMPLES" }
	/^\.Bd -literal/ && examples { inside = ++number == wanted; next }
	/^\.Ed/ { inside = 0 }
	inside {
		sub(/^\\&/, "")
		gsub(/\\-/, "-")
		gsub(/\\\(aq/, "\047")
		gsub(/\\\(ga/, "`")
		gsub(/\\\(ha/, "^")
		gsub(/\\\(ti/, "~")
		gsub(/\\e/, "\\")
		print
	}' "$1"
}

# The first C program of a page or of the README.
program_text()
{
	# shellcheck disable=SC2016 # the marks of a code block
	case $1 in
	*.md) awk '/^```c$/ { inside = 1; next }
		/^```$/ && inside { exit } inside' "$1" ;;
	*) extract "$1" 1 ;;
	esac
}

uses_drm()
{
	grep -q '<portalmem-drm.h>' "$1"
}

uses_v4l2()
{
	grep -q '<portalmem-v4l2.h>' "$1"
}

# The libraries that a program needs, by the header that it includes.
libraries()
{
	if uses_drm "$1"; then
		echo "$drm $core $("$PKG_CONFIG" --libs libdrm)"
	elif uses_v4l2 "$1"; then
		echo "$v4l2 $core"
	else
		echo "$core"
	fi
}

# A library that was built with a sanitizer wants it in the program, too.
sanitizers=$(echo "${CFLAGS-}" | tr ' ' '\n' | grep -e '^-fsanitize=' || true)

compile()
{
	flags=
	if uses_drm "$1.c"; then
		flags=$("$PKG_CONFIG" --cflags libdrm)
	fi
	# shellcheck disable=SC2046,SC2086 # flags and libraries are lists
	"$top_builddir/libtool" --silent --tag=CC --mode=link $CC $sanitizers \
		-std=c99 -Wall -Wextra -Werror \
		-I"$top_srcdir/include" -I"$top_srcdir/include/uapi" $flags \
		-pthread -no-install -o "$1" "$1.c" $(libraries "$1.c")
}

# The device that the programs which attach one are given. In a guest there is
# one that needs no driver.
attachable_device()
{
	for device in /sys/bus/pci/devices/*; do
		case $(cat "$device/vendor" "$device/device" 2>/dev/null) in
		*0x1234*0x11e8*) basename "$device" ;;
		esac
	done
}

# The camera that vivid makes.
camera()
{
	for video in /sys/class/video4linux/video*; do
		case $(cat "$video/name") in
		vivid-*-vid-cap) echo "/dev/$(basename "$video")" ;;
		esac
	done
}

# The node or device that a program is run with, if it takes one.
argument()
{
	case $1,$PORTALMEM_BACKEND in
	portalmem.7,memfd | portalmem_attachment_*,memfd | portalmem_buffer_attach,memfd) ;;
	portalmem.7,* | portalmem_attachment_*,* | portalmem_buffer_attach,*)
		attachable_device
		;;
	portalmem_v4l2_*,portalmem)
		camera
		;;
	portalmem_drm_*,memfd | portalmem_v4l2_*,memfd | portalmem_error_message,*)
		echo "$work/no-such-node"
		;;
	esac
}

# The exit status and what is printed on stdout and after that on stderr, as a
# shell pattern in which ? stands for the end of a line.
expected()
{
	case $1,$PORTALMEM_BACKEND in
	README,*)
		echo 0 'descriptor [0-9]* is ready for a device or another process' ;;
	libportalmem,*)
		echo 0 'descriptor [0-9]* holds 16777216 bytes' ;;
	portalmem.4,portalmem)
		echo 0 'descriptor [0-9]*, [0-9]* segments' ;;
	portalmem.4,*)
		echo 1 '/dev/portalmem: *' ;;
	portalmem.7,memfd | portalmem_attachment_*,memfd | portalmem_buffer_attach,memfd)
		echo 1 'cannot attach a buffer: no device sees a memfd; *' ;;
	portalmem.7,*)
		echo 0 '1024 bytes went through the device' ;;
	portalmem_access_begin,*)
		echo 0 'somebody writes?written' ;;
	portalmem_access_end,*)
		echo 0 'cannot end an access: it is not open; *' ;;
	portalmem_attachment_get_fd,*)
		echo 0 'the device is there' ;;
	portalmem_attachment_get_info,*)
		echo 0 'translated: no, bounced: no, segments: 1' ;;
	portalmem_attachment_get_segments,*)
		echo 0 '[1-9]* bytes at 0x[1-9a-f]*' ;;
	portalmem_attachment_import,*)
		echo 0 '4096 bytes for 0000:*' ;;
	portalmem_attachment_ref,*)
		echo 0 'started?finished' ;;
	portalmem_attachment_sync,*)
		echo 0 'the device may start' ;;
	portalmem_attachment_unref,*)
		echo 0 'the device has lost the buffer, the program still has it' ;;
	portalmem_backend_name,portalmem)
		echo 0 'portalmem  yes?*memfd      yes' ;;
	portalmem_backend_name,*)
		echo 0 'portalmem  *?dma-heap   *?udmabuf    *?memfd      yes' ;;
	portalmem_buffer_alloc,memfd)
		echo 0 '8294400 bytes, cached' ;;
	portalmem_buffer_alloc,*)
		echo 0 '8294400 bytes, [wu]c' ;;
	portalmem_buffer_attach,*)
		echo 0 'descriptor [0-9]* holds it for 0000:*' ;;
	portalmem_buffer_export_env,*)
		echo 0 'the program inherits 65536 bytes' ;;
	portalmem_buffer_export_fence,memfd)
		echo 0 'without fences' ;;
	portalmem_buffer_export_fence,*)
		echo 0 'there is nothing to do' ;;
	portalmem_buffer_get_caching,*)
		echo 0 'cached: compose in place' ;;
	portalmem_buffer_get_exporter,*)
		echo 0 "made by $PORTALMEM_BACKEND" ;;
	portalmem_buffer_get_fd,memfd)
		echo 0 '/memfd:* (deleted)' ;;
	portalmem_buffer_get_fd,*)
		echo 0 '/dmabuf:*' ;;
	portalmem_buffer_get_info,memfd)
		echo 0 'name        example?size        65536?caching     cached?heap        memfd?segments    0?attachments 0?pid         [1-9]*?inode       [1-9]*' ;;
	portalmem_buffer_get_info,*)
		echo 0 'name        example?size        65536?caching     cached?heap        system?segments    [1-9]*?attachments 0?pid         [1-9]*?inode       [1-9]*' ;;
	portalmem_buffer_get_segments,memfd)
		echo 0 'the backend has no table' ;;
	portalmem_buffer_get_segments,*)
		echo 0 '*[1-9]* bytes at offset *' ;;
	portalmem_buffer_get_size,*)
		echo 0 'asked for 5000 bytes, got 8192' ;;
	portalmem_buffer_import,*)
		echo 0 'seen through both' ;;
	portalmem_buffer_import_env,*)
		echo 0 'inherited 65536 bytes' ;;
	portalmem_buffer_import_fence,memfd)
		echo 0 'without fences' ;;
	portalmem_buffer_import_fence,*)
		echo 0 'the copy follows the original' ;;
	portalmem_buffer_import_from,*)
		echo 0 'seen in the other process' ;;
	portalmem_buffer_import_user,memfd)
		echo 1 'cannot import memory: the memfd backend *' ;;
	portalmem_buffer_import_user,*)
		echo 0 'the buffer holds: nothing was copied' ;;
	portalmem_buffer_load,*)
		echo 0 'loaded: 6 bytes' ;;
	portalmem_buffer_map,*)
		echo 0 'upper half' ;;
	portalmem_buffer_read,*)
		echo 0 'read back' ;;
	portalmem_buffer_receive,*)
		echo 0 'a buffer of 65536 bytes?the peer has nothing more to send' ;;
	portalmem_buffer_ref,*)
		echo 0 'worker: hello' ;;
	portalmem_buffer_save,*)
		echo 0 '65536 bytes saved' ;;
	portalmem_buffer_send,*)
		echo 0 'received: no byte was copied' ;;
	portalmem_buffer_set_name,memfd)
		echo 0 'not a dma-buf, and so without a new name' ;;
	portalmem_buffer_set_name,*)
		echo 0 'named' ;;
	portalmem_buffer_sync,*)
		echo 0 '2 ranges synced' ;;
	portalmem_buffer_unmap,*)
		echo 0 'the same address: yes?a third time: *' ;;
	portalmem_buffer_unref,*)
		echo 0 'the memory lives: 4096 bytes' ;;
	portalmem_buffer_wait,memfd)
		echo 0 'no device uses a memfd' ;;
	portalmem_buffer_wait,*)
		echo 0 'the devices are done' ;;
	portalmem_buffer_write,*)
		echo 0 'the last byte is !' ;;
	portalmem_caching_name,*)
		echo 0 '0 default?1 cached?2 wc?3 uc?4 unknown' ;;
	portalmem_device_check,memfd)
		echo 0 'pinnable' ;;
	portalmem_device_check,*)
		echo 0 'write-combined?pinnable?shareable' ;;
	portalmem_device_get_backend,memfd)
		echo 0 'buffers can be shared with processes only' ;;
	portalmem_device_get_backend,*)
		echo 0 'buffers can be shared with devices' ;;
	portalmem_device_get_heap_info,memfd)
		echo 0 'the backend does not tell' ;;
	portalmem_device_get_heap_info,*)
		echo 0 'heap system: up to [1-9]* bytes' ;;
	portalmem_device_get_path,memfd)
		echo 0 'allocating from memory files' ;;
	portalmem_device_get_path,*)
		echo 0 'allocating from /dev/portalmem' ;;
	portalmem_device_open,memfd)
		echo 0 'backend memfd, path ""' ;;
	portalmem_device_open,*)
		echo 0 'backend portalmem, path "/dev/portalmem"' ;;
	portalmem_device_open_for,memfd)
		echo 0 'no device will see it?from memfd' ;;
	portalmem_device_open_for,*)
		echo 0 'from portalmem' ;;
	portalmem_device_ref,*)
		echo 0 "display uses $PORTALMEM_BACKEND" ;;
	portalmem_device_trim,memfd)
		echo 0 'the backend keeps no memory' ;;
	portalmem_device_trim,*)
		echo 0 '[0-9]* bytes given back' ;;
	portalmem_device_unref,*)
		echo 0 '65536 bytes' ;;
	portalmem_drm_*,memfd | portalmem_v4l2_*,memfd)
		echo 1 '*/no-such-node: No such file or directory' ;;
	portalmem_drm_close_handle,*)
		echo 0 'one handle, closed once' ;;
	portalmem_drm_export,*)
		echo 0 '1228800 bytes of the DRM device' ;;
	portalmem_drm_import,*)
		echo 0 'GEM handle [1-9]*' ;;
	portalmem_error_message,*)
		echo 1 '*/no-such-node*?errno 2: No such file or directory' ;;
	portalmem_fence_wait,*)
		echo 0 'not yet?done' ;;
	portalmem_pool_acquire,*)
		echo 0 'cannot acquire a buffer: all 1 of the pool *?still here' ;;
	portalmem_pool_create,*)
		echo 0 '1 buffers for 100 frames' ;;
	portalmem_pool_get_info,*)
		echo 0 '1 buffers, 1 idle, 0 shared' ;;
	portalmem_pool_ref,*)
		echo 0 'the camera has 4096 bytes' ;;
	portalmem_pool_trim,*)
		echo 0 '3 buffers freed' ;;
	portalmem_pool_unref,*)
		echo 0 '4096 bytes are left' ;;
	portalmem_exporter_name,*)
		echo 0 '0 unknown?1 portalmem?2 dma-heap?3 udmabuf?4 memfd?5 drm?6 v4l2?7 other' ;;
	portalmem_receive,*)
		echo 0 '65536 bytes of the same user' ;;
	portalmem_send,*)
		echo 0 '3 buffers in one message' ;;
	portalmem_v4l2_get_plane_sizes,*)
		echo 0 'a frame takes [1-9]* bytes' ;;
	portalmem_v4l2_queue_close,*)
		echo 0 'opened again: yes' ;;
	portalmem_v4l2_queue_give,*)
		echo 0 'the camera has 4 frames' ;;
	portalmem_v4l2_queue_open,*)
		echo 0 '4 frames of [1-9]* bytes' ;;
	portalmem_v4l2_queue_start,*)
		echo 0 'started and stopped' ;;
	portalmem_v4l2_queue_stop,*)
		echo 0 'given twice, since it was taken back' ;;
	portalmem_v4l2_queue_take,*)
		echo 0 '10 frames' ;;
	portalmem_version,*)
		echo 0 "libportalmem $version" ;;
	*)
		echo 'no expectation is written down for this page' ;;
	esac
}

does_as_expected()
{
	# shellcheck disable=SC2254 # it is a pattern
	case "$status $(cat "$work/.out" "$work/.err")" in
	$(expected "$1")) return 0 ;;
	esac
	echo "# expected: $(expected "$1")"
	return 1
}

check_run()
{
	# shellcheck disable=SC2046 # one argument or none
	run timeout 60 "$programs/$1" $(argument "$1")
	check "the example of $1 does what it says" does_as_expected "$1"
}

# check_program FILE NAME: its program compiles and runs. In a guest, where
# compiling takes long, one that is there already is used.
check_program()
{
	program=$programs/$2
	if [ "$PORTALMEM_BACKEND" != memfd ] && [ -x "$program" ]; then
		check_run "$2"
		return
	fi
	program_text "$1" > "$program.c"
	if uses_drm "$program.c" && [ ! -e "$drm" ]; then
		skip "the example of $2 compiles" 'built without libportalmem-drm'
		return
	fi
	rm -f "$program"
	run compile "$program"
	check "the example of $2 compiles" status_is 0
	if [ "$status" -eq 0 ]; then
		check_run "$2"
	fi
}

# run_script PAGE N: the Nth example of a page of section 1, in a folder of its
# own.
run_script()
{
	folder=$work/$(basename "$1").$2
	mkdir "$folder"
	extract "$1" "$2" > "$folder.sh"
	(cd "$folder" &&
		PATH=$top_builddir/utils:$PATH timeout 120 sh -eu "$folder.sh")
}

count_scripts()
{
	awk '/^\.Sh / { examples = $2 == "EXAMPLES" }
		/^\.Bd -literal/ && examples { number++ }
		END { print number + 0 }' "$1"
}

LC_ALL=C
export LC_ALL
version=$(sed -n 's/^#define PACKAGE_VERSION "\(.*\)"/\1/p' \
	"$top_builddir/config.h")
mkdir -p "$programs"
if [ "$PORTALMEM_BACKEND" != memfd ]; then
	modprobe vgem
	modprobe vivid n_devs=1
fi

check_program "$top_srcdir/README.md" README
for page in "$top_srcdir"/man/*.[347]; do
	name=$(basename "$page" .3)
	case $name in
	*.[47]) grep -q 'int main(' "$page" || continue ;;
	esac
	check_program "$page" "$name"
done

for page in "$top_srcdir"/man/*.1; do
	name=$(basename "$page")
	scripts=$(count_scripts "$page")
	check "$name has an example" test "$scripts" -gt 0
	for number in $(seq "$scripts"); do
		run run_script "$page" "$number"
		check "example $number of $name works" status_is 0
	done
done
tap_end
