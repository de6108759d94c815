# SPDX-License-Identifier: GPL-2.0-or-later

# PM_THREAD_SANITIZER
# -------------------
# Define the conditional WITH_THREAD_SANITIZER: can programs be built with it?
# The compiler's runtime library may be missing, and it does not go with other
# sanitizers.
AC_DEFUN([PM_THREAD_SANITIZER], [
AC_CACHE_CHECK([whether $CC links with the thread sanitizer],
	[pm_cv_thread_sanitizer],
	[pm_save_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS -fsanitize=thread"
	AC_LINK_IFELSE([AC_LANG_PROGRAM],
		[pm_cv_thread_sanitizer=yes], [pm_cv_thread_sanitizer=no])
	CFLAGS=$pm_save_CFLAGS])
AM_CONDITIONAL([WITH_THREAD_SANITIZER],
	[test "x$pm_cv_thread_sanitizer" = xyes])
])
