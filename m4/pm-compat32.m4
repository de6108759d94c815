# SPDX-License-Identifier: GPL-2.0-or-later

# PM_COMPAT32
# -----------
# A compiler of 32-bit programs that a 64-bit machine of this kind runs, with a C
# library that can be linked statically: the tests have such a program.
AC_DEFUN([PM_COMPAT32], [
AC_ARG_VAR([COMPAT32_CC],
	[compiler of 32-bit programs for the tests, such as i686-linux-gnu-gcc])
AS_CASE([$host_cpu],
	[x86_64], [pm_compilers="i686-linux-gnu-gcc
$CC -m32"],
	[aarch64], [pm_compilers=arm-linux-gnueabihf-gcc],
	[pm_compilers=])
AS_IF([test -n "$COMPAT32_CC"], [pm_compilers=$COMPAT32_CC])
AC_CACHE_CHECK([for a compiler of 32-bit programs], [pm_cv_compat32],
	[pm_cv_compat32=no
	pm_save_CC=$CC pm_save_CPPFLAGS=$CPPFLAGS
	pm_save_CFLAGS=$CFLAGS pm_save_LDFLAGS=$LDFLAGS
	pm_save_IFS=$IFS
	# What is meant for the other compiler is not for this one.
	CPPFLAGS= CFLAGS= LDFLAGS=-static
	IFS='
'
	for CC in $pm_compilers; do
		IFS=$pm_save_IFS
		AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#include <linux/dma-heap.h>
#include <stdio.h>
]], [[
static int is_wrong[sizeof(void *) == 4 ? 1 : -1];
return puts("32") + is_wrong[0];
]])], [pm_cv_compat32=$CC; break])
	done
	IFS=$pm_save_IFS
	CC=$pm_save_CC CPPFLAGS=$pm_save_CPPFLAGS
	CFLAGS=$pm_save_CFLAGS LDFLAGS=$pm_save_LDFLAGS])
AS_IF([test "x$pm_cv_compat32" != xno], [COMPAT32_CC=$pm_cv_compat32])
AM_CONDITIONAL([WITH_COMPAT32], [test "x$pm_cv_compat32" != xno])
])
