// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of live buffers in debugfs: ABI/debugfs-portalmem says what is in it.
 *
 * Each CPU has a list, which an allocation there adds to and a free anywhere takes
 * from: no lock is everybody's. Who reads keeps a reference to the entry that it
 * has come to, and to no other, and a lock only from one entry to the next: what
 * is freed meanwhile loses its memory as ever, and only its entry stays until the
 * reader goes on.
 */
#include <linux/container_of.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/klist.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>

#include "portalmem.h"

static DEFINE_PER_CPU(struct klist, buffers);
static struct dentry *folder;

static struct portalmem_buffer *buffer_of(struct klist_node *node)
{
	return container_of(node, struct portalmem_buffer, node);
}

static void put_buffer(struct klist_node *node)
{
	portalmem_buffer_free(buffer_of(node));
}

/**
 * portalmem_debugfs_add - list a buffer
 * @buffer: from now on portalmem_debugfs_remove() frees it
 */
void portalmem_debugfs_add(struct portalmem_buffer *buffer)
{
	klist_add_tail(&buffer->node, raw_cpu_ptr(&buffers));
}

/**
 * portalmem_debugfs_remove - list a buffer no more
 * @buffer: nothing is left of it but the structure, which is freed when nobody
 *	reads it any more
 */
void portalmem_debugfs_remove(struct portalmem_buffer *buffer)
{
	klist_del(&buffer->node);
}

/**
 * struct cursor - how far a reader has come
 * @iter: refers to the entry, in the list of @cpu
 * @cpu: nr_cpu_ids at the end
 * @buffer: the entry, or NULL at the end
 * @position: its number; entries that go do not change those of others
 * @is_begun: whether all that is valid
 */
struct cursor {
	struct klist_iter iter;
	unsigned int cpu;
	struct portalmem_buffer *buffer;
	loff_t position;
	bool is_begun;
};

static void begin_list(struct cursor *cursor, unsigned int cpu)
{
	cursor->cpu = cpu;
	if (cpu < nr_cpu_ids)
		klist_iter_init(per_cpu_ptr(&buffers, cpu), &cursor->iter);
}

static void advance(struct cursor *cursor)
{
	cursor->buffer = NULL;
	while (cursor->cpu < nr_cpu_ids) {
		struct klist_node *node = klist_next(&cursor->iter);

		if (node) {
			cursor->buffer = buffer_of(node);
			return;
		}
		klist_iter_exit(&cursor->iter);
		begin_list(cursor, cpumask_next(cursor->cpu,
						cpu_possible_mask));
	}
}

static void end(struct cursor *cursor)
{
	if (cursor->is_begun && cursor->cpu < nr_cpu_ids)
		klist_iter_exit(&cursor->iter);
	cursor->is_begun = false;
}

static void begin(struct cursor *cursor)
{
	end(cursor);
	cursor->is_begun = true;
	cursor->position = 0;
	begin_list(cursor, cpumask_first(cpu_possible_mask));
	advance(cursor);
}

/* Who reads on begins where it stopped, and needs not look for it. */
static void *start_buffers(struct seq_file *seq, loff_t *position)
{
	struct cursor *cursor = seq->private;

	if (!cursor->is_begun || *position < cursor->position || !*position)
		begin(cursor);
	while (cursor->buffer && cursor->position < *position) {
		advance(cursor);
		cursor->position++;
	}
	return cursor->buffer;
}

static void *next_buffer(struct seq_file *seq, void *entry, loff_t *position)
{
	struct cursor *cursor = seq->private;

	advance(cursor);
	cursor->position = ++*position;
	return cursor->buffer;
}

static void stop_buffers(struct seq_file *seq, void *entry)
{
}

/* Spaces separate, and a process names itself as it likes. */
static void show_text(struct seq_file *seq, const char *key, const char *text)
{
	seq_printf(seq, " %s=", key);
	seq_escape_str(seq, text, ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND,
		       " \\");
}

static void show_allocator(struct seq_file *seq, struct pid *pid)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_TGID);
	char comm[TASK_COMM_LEN] = "";

	if (task) {
		get_task_comm(comm, task);
		put_task_struct(task);
	}
	seq_printf(seq, " pid=%d", pid_vnr(pid));
	show_text(seq, "comm", comm);
}

static void show_name(struct seq_file *seq, struct dma_buf *dmabuf)
{
	char name[PORTALMEM_NAME_LEN];

	spin_lock(&dmabuf->name_lock);
	strscpy(name, dmabuf->name ?: "", sizeof(name));
	spin_unlock(&dmabuf->name_lock);
	show_text(seq, "name", name);
}

/* With the buffer's lock. */
static void show_live(struct seq_file *seq,
		      const struct portalmem_buffer *buffer)
{
	static const char *const cachings[] = {
		[PORTALMEM_CACHED] = "cached",
		[PORTALMEM_WC] = "wc",
		[PORTALMEM_UC] = "uc",
	};
	unsigned int mappings = 0;
	struct list_head *item;

	list_for_each(item, &buffer->mappings)
		mappings++;
	seq_printf(seq, "inode=%llu heap=%s size=%llu caching=%s access=%s",
		   buffer->inode, buffer->heap->name,
		   portalmem_buffer_size(buffer), cachings[buffer->caching],
		   buffer->read_only ? "ro" : "rw");
	seq_printf(seq, " segments=%u attachments=%u mappings=%u",
		   buffer->table.count, buffer->attachments, mappings);
	show_allocator(seq, buffer->pid);
	show_name(seq, buffer->dmabuf);
	seq_putc(seq, '\n');
}

static int show_buffer(struct seq_file *seq, void *entry)
{
	struct portalmem_buffer *buffer = entry;
	int ret;

	ret = mutex_lock_killable(&buffer->lock);
	if (ret)
		return ret;
	/*
	 * It was listed before it was complete, and is until it is all gone. Pairs
	 * with the release in portalmem_buffer_export().
	 */
	if (smp_load_acquire(&buffer->dmabuf))
		show_live(seq, buffer);
	mutex_unlock(&buffer->lock);
	return 0;
}

static const struct seq_operations buffers_ops = {
	.start = start_buffers,
	.next = next_buffer,
	.stop = stop_buffers,
	.show = show_buffer,
};

static int open_buffers(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &buffers_ops, sizeof(struct cursor));
}

static int release_buffers(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	end(seq->private);
	return seq_release_private(inode, file);
}

static const struct file_operations buffers_fops = {
	.owner = THIS_MODULE,
	.open = open_buffers,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = release_buffers,
};

/* Nothing depends on the files, and so nothing fails without them. */
void portalmem_debugfs_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		klist_init(per_cpu_ptr(&buffers, cpu), NULL, put_buffer);
	folder = debugfs_create_dir("portalmem", NULL);
	debugfs_create_file("buffers", 0400, folder, NULL, &buffers_fops);
}

void portalmem_debugfs_exit(void)
{
	debugfs_remove(folder);
}
