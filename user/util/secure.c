/* SPDX-License-Identifier: MIT */
/*
 * secure.c - locks the whole memory of the process instead of single objects. A locking allocator
 * with guard pages needs three mappings per secret, so the secrets of 10,000 peers would exceed
 * vm.max_map_count. Because of MCL_ONFAULT, pages of rings and stacks that are never touched use no
 * memory.
 */
#include "util/secure.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool secure_capable(unsigned capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, caps) != 0)
		return false;
	return caps[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

void secure_forbid_dumps(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Returns true if more memory than @limit may be locked. Finds out by trying, because CAP_IPC_LOCK
 * in a user namespace does not lift the limit. The memory is never touched. */
static bool may_lock_more_than(rlim_t limit)
{
	size_t len = limit + (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool locked;

	if (p == MAP_FAILED)
		return false;
	locked = mlock2(p, len, MLOCK_ONFAULT) == 0;
	munmap(p, len);
	return locked;
}

static bool may_lock_any_amount(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		return true;
	return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
	       (limit.rlim_cur == RLIM_INFINITY || may_lock_more_than(limit.rlim_cur));
}

int secure_memory(void)
{
	/* With a finite limit, mlockall() might succeed now, but every later malloc() beyond the
	 * limit would fail. Therefore lock nothing. */
	if (!may_lock_any_amount())
		return -EPERM;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		return -errno;
	return 0;
}
