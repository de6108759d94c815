#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels: 6.12 debug
#
# Debian's 6.1 has no udmabuf.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-udmabuf"
