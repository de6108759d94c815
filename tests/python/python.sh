#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Python module, as it was built: on the memfd backend, which is the default,
# or on the one that PORTALMEM_BACKEND names.
set -eu

: "${top_srcdir:?}" "${top_builddir:?}"
module=$top_builddir/bindings/python/.libs
PYTHON=$(cat "$top_builddir/bindings/python/interpreter")

# The interpreter is not built with a sanitizer, and has to be given it first;
# what it never frees itself is not of interest. With that of threads there is no
# such way.
if grep -q __tsan_ "$module/portalmem.so"; then
	echo '1..0 # SKIP built with the thread sanitizer'
	exit 0
elif grep -q __asan_ "$module/portalmem.so"; then
	LD_PRELOAD=$(${CC:-cc} -print-file-name=libasan.so)
	export LD_PRELOAD PYTHONMALLOC=malloc
	export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
fi
export PORTALMEM_BACKEND="${PORTALMEM_BACKEND:-memfd}"
export PYTHONPATH="$module" PYTHONDONTWRITEBYTECODE=1
export LD_LIBRARY_PATH="$top_builddir/libportalmem/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# All that the interpreter and the library check is an error.
exec "$PYTHON" -X dev -W error "$top_srcdir/tests/python/test_portalmem.py"
