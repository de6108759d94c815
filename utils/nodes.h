/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NODES_H
#define NODES_H

/*
 * Visit each node that is there and can be allocated from: the module's, the DMA
 * heaps by their names, udmabuf's. Ends with what VISIT gives when it is not 0.
 */
int for_each_node(int (*visit)(void *data, const char *path), void *data);

#endif
