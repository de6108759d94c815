#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Python module builds by its own setup, too, as pip would do it, and what
# that makes can be imported.
# shellcheck disable=SC2317 # functions are called through run and check
set -eu

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

PYTHON=$(cat "$top_builddir/bindings/python/interpreter")
libraries=$top_builddir/libportalmem/.libs
what='the module builds by setup.py and is imported'

build()
{
	cp "$top_srcdir"/bindings/python/* "$work" 2>/dev/null || :
	cd "$work" && PKG_CONFIG_LIBDIR=/nonexistent \
		CFLAGS="-I$top_srcdir/include" LDFLAGS="-L$libraries" \
		"$PYTHON" setup.py -q build_ext --inplace
}

load()
{
	cd "$work" && LD_LIBRARY_PATH=$libraries PYTHONDONTWRITEBYTECODE=1 \
		"$PYTHON" -c 'import portalmem; print(portalmem.__file__, portalmem.version())'
}

if ! "$PYTHON" -c 'import setuptools' 2>/dev/null; then
	skip "$what" 'setuptools is missing'
elif grep -Eq '__(a|t|ub)san_' "$libraries/libportalmem.so"; then
	skip "$what" 'built with a sanitizer'
else
	run build
	check 'the module builds by setup.py' status_is 0
	run load
	check 'what it built is imported' out_has "$work/portalmem"
fi
tap_end
