# SPDX-License-Identifier: GPL-2.0-or-later

# PM_WARNINGS
# -----------
# Put into WARN_CFLAGS each warning that the compiler knows, and -Werror
# where --enable-werror asks for it.
AC_DEFUN([PM_WARNINGS], [
AC_ARG_ENABLE([werror],
	[AS_HELP_STRING([--enable-werror], [make warnings errors])],
	[], [enable_werror=no])
WARN_CFLAGS=
m4_foreach_w([pm_flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith
	-Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wdouble-promotion
	-Wimplicit-fallthrough -Wlogical-op -Wduplicated-cond], [
	AS_VAR_PUSHDEF([pm_cv], [pm_cv_cc_]pm_flag)
	AC_CACHE_CHECK([whether $CC takes ]pm_flag, [pm_cv],
		[pm_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror pm_flag"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
			[AS_VAR_SET([pm_cv], [yes])], [AS_VAR_SET([pm_cv], [no])])
		CFLAGS=$pm_save_CFLAGS])
	AS_VAR_IF([pm_cv], [yes], [AS_VAR_APPEND([WARN_CFLAGS], [" pm_flag"])])
	AS_VAR_POPDEF([pm_cv])
])
AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
AC_SUBST([WARN_CFLAGS])
])
