# SPDX-License-Identifier: GPL-2.0-or-later

# PM_PYTHON
# ---------
# An interpreter that the Python module can be built for: 3.10 or later, with its
# headers. The system's own is taken before others that may come first in PATH,
# since it is the one whose packages the headers are in.
AC_DEFUN([PM_PYTHON], [
AC_ARG_WITH([python],
	[AS_HELP_STRING([--with-python@<:@=PYTHON@:>@],
		[build the Python module for this interpreter, and install it @<:@build it
		if there is one with its headers, and do not install it@:>@])],
	[], [with_python=check])
AC_ARG_WITH([pythondir],
	[AS_HELP_STRING([--with-pythondir=DIR],
		[where the Python module goes @<:@the interpreter's site directory below
		PREFIX@:>@])],
	[], [with_pythondir=])
AS_CASE([$with_python],
	[no], [pm_pythons=],
	[yes|check], [pm_pythons="/usr/bin/python3 python3"],
	[pm_pythons=$with_python])
# The interpreter of a machine that is not this one cannot be asked.
AS_IF([test "x$with_python" = xcheck && test "x$cross_compiling" = xyes], [pm_pythons=])
PYTHON= PYTHON_CPPFLAGS= PYTHON_DIR=
pm_save_CPPFLAGS=$CPPFLAGS
for pm_candidate in $pm_pythons; do
	AC_MSG_CHECKING([whether the module can be built for $pm_candidate])
	pm_include=`$pm_candidate -c '
import sys, sysconfig
assert sys.version_info >= (3, 10)
print(*("-isystem " + p for p in sorted({sysconfig.get_path(n)
	for n in ("include", "platinclude")})))' 2>/dev/null`
	AS_IF([test -n "$pm_include"], [
		CPPFLAGS="$pm_save_CPPFLAGS $pm_include"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <Python.h>]], [[return !Py_Version;]])],
			[PYTHON=$pm_candidate PYTHON_CPPFLAGS=$pm_include])
		CPPFLAGS=$pm_save_CPPFLAGS])
	AS_IF([test -n "$PYTHON"], [AC_MSG_RESULT([yes]); break], [AC_MSG_RESULT([no])])
done
AS_IF([test -z "$PYTHON" && test "x$with_python" != xno && test "x$with_python" != xcheck],
	[AC_MSG_ERROR([no Python 3.10 or later with its headers: install python3-dev, or use --without-python])])
pm_python_summary=${PYTHON:-no}
AS_IF([test -n "$PYTHON"], [
	AS_CASE([$with_python],
		[check], [pm_python_summary="$PYTHON, not to be installed"],
		[PM_PYTHON_DIR
		pm_python_summary="$PYTHON, in $PYTHON_DIR"])])
AC_SUBST([PYTHON])
AC_SUBST([PYTHON_CPPFLAGS])
AC_SUBST([PYTHON_DIR])
AM_CONDITIONAL([WITH_PYTHON], [test -n "$PYTHON"])
AM_CONDITIONAL([INSTALL_PYTHON], [test -n "$PYTHON_DIR"])
])

# PM_PYTHON_DIR
# -------------
# Where the interpreter looks for modules below the prefix; where it does not look
# there at all, the usual place.
AC_DEFUN([PM_PYTHON_DIR], [
pm_prefix=$prefix
test "x$pm_prefix" != xNONE || pm_prefix=$ac_default_prefix
PYTHON_DIR=$with_pythondir
AS_IF([test -z "$PYTHON_DIR"],
	[PYTHON_DIR=`$PYTHON -c '
import site, sys
prefix = sys.argv@<:@1@:>@
below = @<:@p for p in site.getsitepackages() if p.startswith(prefix + "/lib")@:>@
usual = "%s/lib/python%d.%d/site-packages" % (prefix, *sys.version_info@<:@:2@:>@)
print((below + @<:@usual@:>@)@<:@0@:>@.replace(prefix, "${prefix}", 1))' "$pm_prefix"`])
])
