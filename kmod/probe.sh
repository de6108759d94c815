#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# probe.sh OUTPUT: find out which of two forms of an interface a kernel has.
#
# Each probe is a pair of source files, one for the old form and one for the
# new. Exactly one of the two must compile. Neither or both means that the
# probe itself, the compiler or the headers are broken; then the build stops
# here, instead of going on with a guess. KDIR names the kernel.
set -eu

output=$1
here=$(pwd)
dir=$here/probes
rm -rf "$dir"
mkdir "$dir"

probes=
# probe NAME: the old form on stdin up to a line of dashes, then the new one.
probe()
{
	probes="$probes $1"
	awk -v old="$dir/$1-old.c" -v new="$dir/$1-new.c" '
		BEGIN { file = old }
		/^---$/ { file = new; next }
		{ print > file }'
}

# 6.13 wants a namespace as a string, be it imported or exported. The older macro
# would turn a string into one with quotation marks in it, which is what the size
# tells.
probe NS_STRING <<'END'
#include <linux/module.h>
MODULE_IMPORT_NS(DMA_BUF);
MODULE_LICENSE("GPL");
---
#include <linux/module.h>
#undef MODULE_INFO
#define MODULE_INFO(tag, info) \
	_Static_assert(sizeof(info) == sizeof("DMA_BUF"), "not stringified")
MODULE_IMPORT_NS("DMA_BUF");
END

# 6.18 replaced the migrate type by flags. Both are integers to the compiler, and
# so the old form has an enumerator of its own that clashes with the new one. A
# kernel without the function counts as old.
probe CONTIG_FLAGS <<'END'
#include <linux/gfp.h>
int portalmem_probe(void);
enum { ACR_FLAGS_NONE };
int portalmem_probe(void)
{
#ifdef CONFIG_CONTIG_ALLOC
	return alloc_contig_range(0, 0, MIGRATE_MOVABLE, GFP_KERNEL);
#else
	return ACR_FLAGS_NONE;
#endif
}
---
#include <linux/gfp.h>
int portalmem_probe(void);
int portalmem_probe(void)
{
	return alloc_contig_range(0, 0, ACR_FLAGS_NONE, GFP_KERNEL);
}
END

# 6.8 gave the short call a new name, and the old name more parameters.
probe LIST_LRU_ADD_OBJ <<'END'
#include <linux/list_lru.h>
bool portalmem_probe(struct list_lru *lru, struct list_head *item);
bool portalmem_probe(struct list_lru *lru, struct list_head *item)
{
	return list_lru_add(lru, item);
}
---
#include <linux/list_lru.h>
bool portalmem_probe(struct list_lru *lru, struct list_head *item);
bool portalmem_probe(struct list_lru *lru, struct list_head *item)
{
	return list_lru_add_obj(lru, item);
}
END

# 6.9 lets a walk be stopped. The old form has an enumerator of its own that
# clashes with the kernel's.
probe LRU_STOP <<'END'
#include <linux/list_lru.h>
enum { LRU_STOP };
int portalmem_probe = LRU_STOP;
---
#include <linux/list_lru.h>
int portalmem_probe = LRU_STOP;
END

# 6.13 took the lock from the callback's parameters.
probe LRU_WALK_UNLOCKED <<'END'
#include <linux/list_lru.h>
extern enum lru_status portalmem_probe(struct list_head *item,
				       struct list_lru_one *list,
				       spinlock_t *lock, void *data);
list_lru_walk_cb portalmem_callback = portalmem_probe;
---
#include <linux/list_lru.h>
extern enum lru_status portalmem_probe(struct list_head *item,
				       struct list_lru_one *list, void *data);
list_lru_walk_cb portalmem_callback = portalmem_probe;
END

# 6.17 has a flag and a type for what was a bit of the page's mapping.
probe MOVABLE_OPS <<'END'
#include <linux/page-flags.h>
int portalmem_probe(struct page *page);
int portalmem_probe(struct page *page)
{
	return __PageMovable(page);
}
---
#include <linux/page-flags.h>
int portalmem_probe(struct page *page);
int portalmem_probe(struct page *page)
{
	return page_has_movable_ops(page);
}
END

# 6.7 allocates shrinkers.
probe SHRINKER_ALLOC <<'END'
#include <linux/mm.h>
#include <linux/shrinker.h>
int portalmem_probe(struct shrinker *shrinker);
int portalmem_probe(struct shrinker *shrinker)
{
	return register_shrinker(shrinker, "probe");
}
---
#include <linux/mm.h>
#include <linux/shrinker.h>
struct shrinker *portalmem_probe(void);
struct shrinker *portalmem_probe(void)
{
	return shrinker_alloc(0, "probe");
}
END

# 6.3 has the flags of an area changed by functions alone.
probe VM_FLAGS_CLEAR <<'END'
#include <linux/mm.h>
void portalmem_probe(struct vm_area_struct *vma);
void portalmem_probe(struct vm_area_struct *vma)
{
	vma->vm_flags &= ~VM_MAYWRITE;
}
---
#include <linux/mm.h>
void portalmem_probe(struct vm_area_struct *vma);
void portalmem_probe(struct vm_area_struct *vma)
{
	vm_flags_clear(vma, VM_MAYWRITE);
}
END

# 6.13 sets a timer up by one call, and 6.15 by no other. The old form has a name of
# its own that clashes with the kernel's.
probe HRTIMER_SETUP <<'END'
#include <linux/hrtimer.h>
enum { hrtimer_setup };
int portalmem_probe = hrtimer_setup;
---
#include <linux/hrtimer.h>
void portalmem_probe(struct hrtimer *timer,
		     enum hrtimer_restart (*function)(struct hrtimer *timer));
void portalmem_probe(struct hrtimer *timer,
		     enum hrtimer_restart (*function)(struct hrtimer *timer))
{
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
}
END

# 6.10 knows from the field what it is assigned. The stage's header has nothing
# but macros; without this one in it, both forms compile.
probe ASSIGN_STR_FIELD <<'END'
#include <linux/stringify.h>
#include <trace/stages/stage6_event_callback.h>
extern const char portalmem_probe[];
const char portalmem_probe[] = __stringify(__assign_str(field, source));
---
#include <linux/stringify.h>
#include <trace/stages/stage6_event_callback.h>
extern const char portalmem_probe[];
const char portalmem_probe[] = __stringify(__assign_str(field));
END

objects=
for name in $probes; do
	objects="$objects $name-old.o $name-new.o"
done
echo "obj-m := $objects" >"$dir/Kbuild"

# One of each pair is meant to fail. Variables of the outer make (W, C, M)
# must not reach this one.
log=$dir/log
for object in $objects; do
	env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS \
		"${MAKE:-make}" -C "$KDIR" M="$dir" "$object" >>"$log" 2>&1 || :
done

{
	echo '/* SPDX-License-Identifier: GPL-2.0-only */'
	echo '/* Written by probe.sh for this kernel; not to be edited. */'
	for name in $probes; do
		old=$dir/$name-old.o
		new=$dir/$name-new.o
		if [ -e "$new" ] && [ ! -e "$old" ]; then
			echo "#define PORTALMEM_HAVE_$name 1"
		elif [ -e "$old" ] && [ ! -e "$new" ]; then
			echo "/* PORTALMEM_HAVE_$name is not set */"
		else
			{
				echo "probe.sh: $name: expected exactly one of its two forms to compile against $KDIR"
				cat "$log"
			} >&2
			exit 1
		fi
	done
} >"$output.tmp"
mv "$output.tmp" "$output"
