# SPDX-License-Identifier: GPL-2.0-or-later

# PM_SEARCH_NCURSES
# -----------------
# Without pkg-config's word: NCURSES_LIBS, or an error that says what to install.
AC_DEFUN([PM_SEARCH_NCURSES], [
AC_CHECK_HEADERS([curses.h term.h], [],
	[AC_MSG_ERROR([ncurses is missing: install libncurses-dev, or use --without-ncurses])])
pm_save_LIBS=$LIBS
AC_SEARCH_LIBS([resizeterm], [ncursesw ncurses], [],
	[AC_MSG_ERROR([ncurses is missing: install libncurses-dev, or use --without-ncurses])])
AS_CASE([$ac_cv_search_resizeterm],
	[-lncursesw], [AC_DEFINE([HAVE_NCURSESW], [1], [ncurses has wide characters])])
# In some places what reads descriptions of terminals is a library of its own.
AC_SEARCH_LIBS([setupterm], [tinfow tinfo])
NCURSES_LIBS=$LIBS
LIBS=$pm_save_LIBS
])
