// SPDX-License-Identifier: GPL-2.0-or-later
/* A program that does nothing, linked as the command is: what starting costs. */

int main(void)
{
	return 0;
}
