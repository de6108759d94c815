# SPDX-License-Identifier: GPL-2.0-or-later

# PM_KERNELS
# ----------
# --with-kernel=DIR names a kernel build directory (the "build" link of
# /lib/modules/VERSION) to build the module for. It takes a list and may be
# given more than once: autoconf keeps only the last value of an option, and so
# all of them are read from the command line.
#
# KERNEL_MAKEFLAGS is for a kernel that its build directory alone does not tell
# make how to build for, above all one of another architecture. (Debian's headers
# do tell, and nothing overrides them.)
AC_DEFUN([PM_KERNELS], [
AC_ARG_WITH([kernel],
	[AS_HELP_STRING([--with-kernel=DIR],
		[kernel build directory to build the module for; repeatable, or a
		comma-separated list; "no" builds no module
		@<:@/lib/modules/RUNNING/build where it is, if not cross-compiling@:>@])],
	[], [with_kernel=auto])
AC_ARG_VAR([KERNEL_MAKEFLAGS],
	[arguments for make in the kernel build directories @<:@cross-compiling:
	ARCH and CROSS_COMPILE of the host@:>@])
AC_REQUIRE([AC_CANONICAL_HOST])
if test "$cross_compiling" = yes && test -z "$KERNEL_MAKEFLAGS"; then
	case $host_cpu in #(
	aarch64*) pm_arch=arm64 ;; #(
	arm*) pm_arch=arm ;; #(
	i?86 | x86_64) pm_arch=x86 ;; #(
	powerpc*) pm_arch=powerpc ;; #(
	riscv*) pm_arch=riscv ;; #(
	*) pm_arch=$host_cpu ;;
	esac
	KERNEL_MAKEFLAGS="ARCH=$pm_arch CROSS_COMPILE=$host_alias-"
fi
KERNEL_DIRS=
case $with_kernel in #(
auto)
	if test "$cross_compiling" != yes &&
		test -e "/lib/modules/$(uname -r)/build/Makefile"; then
		KERNEL_DIRS="/lib/modules/$(uname -r)/build"
	fi ;; #(
no) ;; #(
yes)
	AC_MSG_ERROR([--with-kernel needs a directory]) ;; #(
*)
	eval "set -- $ac_configure_args"
	pm_dirs=
	for pm_arg; do
		case $pm_arg in #(
		--with-kernel=*)
			pm_dirs="$pm_dirs $(AS_ECHO(["${pm_arg#*=}"]) | tr , ' ')" ;;
		esac
	done
	# The option can also come from a site file, which has no arguments.
	if test -z "$pm_dirs"; then
		pm_dirs=$(AS_ECHO(["$with_kernel"]) | tr , ' ')
	fi
	for pm_dir in $pm_dirs; do
		if test -e "$pm_dir/Makefile" && test -e "$pm_dir/Module.symvers"; then
			KERNEL_DIRS="$KERNEL_DIRS${KERNEL_DIRS:+ }$(cd "$pm_dir" && pwd -P)"
		else
			AC_MSG_ERROR([$pm_dir is not a kernel build directory: it has no Makefile and Module.symvers])
		fi
	done ;;
esac
AC_SUBST([KERNEL_DIRS])
AM_CONDITIONAL([WITH_KERNELS], [test -n "$KERNEL_DIRS"])
])
