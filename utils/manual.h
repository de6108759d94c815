/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANUAL_H
#define MANUAL_H

/*
 * Show a subcommand's manual page on the terminal that stdout is, in place of
 * this program. Returns when there is no terminal, no man(1) or no such page.
 */
void show_manual(const char *subcommand);

#endif
