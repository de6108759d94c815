// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Python module "portalmem": libportalmem's devices, buffers, pools, fences
 * and attachments as objects.
 *
 * Each object holds a reference of the library. A method takes one more for as
 * long as it works without the interpreter's lock, so that another thread may
 * close the object meanwhile.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <portalmem.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the module has of its own, in each interpreter. */
struct state {
	PyObject *error;
	PyTypeObject *device;
	PyTypeObject *buffer;
	PyTypeObject *mapping;
	PyTypeObject *sync;
	PyTypeObject *pool;
	PyTypeObject *fence;
	PyTypeObject *attachment;
};

struct device {
	PyObject_HEAD
	struct portalmem_device *device; /* NULL: closed */
};

struct buffer {
	PyObject_HEAD
	struct portalmem_buffer *buffer; /* NULL: closed */
};

struct mapping {
	PyObject_HEAD
	struct portalmem_buffer *buffer; /* NULL: unmapped */
	void *address;
	Py_ssize_t length;
	bool read_only;
	Py_ssize_t exports; /* views that somebody has of it */
};

/* Of a buffer, or of an attachment. */
struct sync {
	PyObject_HEAD
	struct portalmem_buffer *buffer;
	struct portalmem_attachment *attachment;
	unsigned int flags;		/* without START and END */
	struct portalmem_range *ranges; /* NULL: the whole buffer */
	size_t count;
	bool inside;
};

struct pool {
	PyObject_HEAD
	struct portalmem_pool *pool; /* NULL: closed */
};

struct fence {
	PyObject_HEAD
	int fd; /* -1: closed */
};

struct attachment {
	PyObject_HEAD
	struct portalmem_attachment *attachment; /* NULL: closed */
};

/* The types have no subclasses: an object's type is the module's own. */
static struct state *state_of(void *object)
{
	return PyType_GetModuleState(Py_TYPE((PyObject *)object));
}

static PyObject *new_object(PyTypeObject *type)
{
	return type->tp_alloc(type, 0);
}

static void free_object(void *object)
{
	PyTypeObject *type = Py_TYPE((PyObject *)object);

	type->tp_free(object);
	Py_DECREF(type);
}

/* Raise portalmem.Error(errno, TEXT). */
static PyObject *raise_text(const struct state *state, int error,
			    const char *text)
{
	PyObject *arguments = Py_BuildValue(
		"(iN)", -error,
		PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text),
				     "replace"));

	if (arguments) {
		PyErr_SetObject(state->error, arguments);
		Py_DECREF(arguments);
	}
	return NULL;
}

/* Of this thread's last call of the library, which failed so. */
static PyObject *raise_error(const struct state *state, int error)
{
	return raise_text(state, error, portalmem_error_message());
}

static PyObject *raise_closed(const char *what)
{
	PyErr_Format(PyExc_ValueError, "operation on a closed %s", what);
	return NULL;
}

static PyObject *text_of(const char *text)
{
	return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

/* Names of enumerations, as the library has them. */

static bool parse_caching(const char *name, enum portalmem_caching *caching)
{
	for (int i = PORTALMEM_CACHING_DEFAULT; i < PORTALMEM_CACHING_UNKNOWN;
	     i++)
		if (!strcmp(name, portalmem_caching_name(i))) {
			*caching = i;
			return true;
		}
	PyErr_Format(PyExc_ValueError,
		     "caching is 'default', 'cached', 'wc' or 'uc', not '%s'",
		     name);
	return false;
}

static bool parse_backend(const char *name, enum portalmem_backend *backend)
{
	for (int i = PORTALMEM_BACKEND_ANY; i <= PORTALMEM_BACKEND_MEMFD; i++)
		if (!strcmp(name, portalmem_backend_name(i))) {
			*backend = i;
			return true;
		}
	PyErr_Format(PyExc_ValueError,
		     "backend is 'any', 'portalmem', 'dma-heap', 'udmabuf' or "
		     "'memfd', not '%s'",
		     name);
	return false;
}

/* A number of bytes: not negative, and no more than 64 bits have. */
static bool parse_uint64(PyObject *item, uint64_t *value)
{
	PyObject *number = PyNumber_Index(item);
	unsigned long long parsed;

	if (!number)
		return false;
	parsed = PyLong_AsUnsignedLongLong(number);
	Py_DECREF(number);
	if (parsed == (unsigned long long)-1 && PyErr_Occurred())
		return false;
	*value = parsed;
	return true;
}

static bool parse_direction(const char *name,
			    enum portalmem_direction *direction)
{
	static const char *const names[] = {NULL, "to-device", "from-device",
					    "both"};

	for (int i = PORTALMEM_DIRECTION_TO_DEVICE;
	     i <= PORTALMEM_DIRECTION_BOTH; i++)
		if (!strcmp(name, names[i])) {
			*direction = i;
			return true;
		}
	PyErr_Format(PyExc_ValueError,
		     "direction is 'to-device', 'from-device' or 'both', not "
		     "'%s'",
		     name);
	return false;
}

static const char *name_of_direction(enum portalmem_direction direction)
{
	switch (direction) {
	case PORTALMEM_DIRECTION_TO_DEVICE:
		return "to-device";
	case PORTALMEM_DIRECTION_FROM_DEVICE:
		return "from-device";
	default:
		return "both";
	}
}

static bool parse_address_bits(int number, unsigned int *bits)
{
	if (number < 0) {
		PyErr_SetString(PyExc_ValueError,
				"address_bits must not be negative");
		return false;
	}
	*bits = (unsigned int)number;
	return true;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Seconds; None, or nothing at all, is -1: without an end. */
static bool parse_seconds(PyObject *object, double *seconds)
{
	*seconds = -1;
	if (!object || object == Py_None)
		return true;
	*seconds = PyFloat_AsDouble(object);
	if (PyErr_Occurred())
		return false;
	/* What is not a number is not that either. */
	if (*seconds >= 0)
		return true;
	PyErr_SetString(PyExc_ValueError, "a time is None, 0 or more seconds");
	return false;
}

/* How long Python's signal handlers may have to wait. */
#define SLICE_MS 100

/*
 * Call WAIT, which waits for so many milliseconds, again and again until the
 * SECONDS are over: a signal runs its Python handler, which may raise. False
 * with an exception.
 */
static bool wait_in_slices(const struct state *state,
			   int (*wait)(void *data, int timeout_ms), void *data,
			   double seconds)
{
	double end = now() + seconds, left = seconds;
	int error, slice;

	do {
		slice = SLICE_MS;
		if (seconds >= 0 && left * 1000 < SLICE_MS)
			slice = (int)(left * 1000) + (seconds > 0);
		Py_BEGIN_ALLOW_THREADS
		error = wait(data, slice);
		Py_END_ALLOW_THREADS
		if (!error)
			return true;
		if (error != -ETIMEDOUT)
			break;
		if (PyErr_CheckSignals())
			return false;
		left = end - now();
	} while (seconds < 0 || left > 0);
	raise_error(state, error);
	return false;
}

/* Fences */

/* Takes the descriptor, also when it fails. */
static PyObject *wrap_fence(const struct state *state, int fd)
{
	struct fence *self = (struct fence *)new_object(state->fence);

	if (self)
		self->fd = fd;
	else
		close(fd);
	return (PyObject *)self;
}

/* A descriptor for the time of a call; -1 and an exception when closed. */
static int hold_fence(const struct fence *self)
{
	int copy;

	if (self->fd < 0) {
		raise_closed("fence");
		return -1;
	}
	copy = fcntl(self->fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		PyErr_SetFromErrno(PyExc_OSError);
	return copy;
}

/* The same of anything that has a descriptor. */
static int hold_file(PyObject *file)
{
	int fd = PyObject_AsFileDescriptor(file), copy;

	if (fd < 0)
		return -1;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		PyErr_SetFromErrno(PyExc_OSError);
	return copy;
}

static PyObject *fence_new(PyTypeObject *type, PyObject *arguments,
			   PyObject *keywords)
{
	static char *names[] = {"fd", NULL};
	PyObject *file;
	int fd;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O:Fence", names,
					 &file))
		return NULL;
	fd = hold_file(file);
	if (fd < 0)
		return NULL;
	return wrap_fence(PyType_GetModuleState(type), fd);
}

static PyObject *fence_close(struct fence *self, PyObject *unused)
{
	int fd = self->fd;

	(void)unused;
	self->fd = -1;
	if (fd >= 0)
		close(fd);
	Py_RETURN_NONE;
}

static void fence_dealloc(struct fence *self)
{
	if (self->fd >= 0)
		close(self->fd);
	free_object(self);
}

static PyObject *fence_repr(struct fence *self)
{
	if (self->fd < 0)
		return PyUnicode_FromString("<portalmem.Fence, closed>");
	return PyUnicode_FromFormat("<portalmem.Fence %d>", self->fd);
}

static PyObject *fence_enter(struct fence *self, PyObject *unused)
{
	(void)unused;
	if (self->fd < 0)
		return raise_closed("fence");
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *fence_exit(struct fence *self, PyObject *arguments)
{
	(void)arguments;
	return fence_close(self, NULL);
}

static PyObject *fence_fileno(struct fence *self, PyObject *unused)
{
	(void)unused;
	if (self->fd < 0)
		return raise_closed("fence");
	return PyLong_FromLong(self->fd);
}

static int wait_for_fence(void *data, int timeout_ms)
{
	return portalmem_fence_wait(*(const int *)data, timeout_ms);
}

static PyObject *fence_wait(struct fence *self, PyObject *arguments,
			    PyObject *keywords)
{
	static char *names[] = {"timeout", NULL};
	PyObject *timeout = NULL;
	double seconds;
	bool done;
	int fd;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:wait", names,
					 &timeout) ||
	    !parse_seconds(timeout, &seconds))
		return NULL;
	fd = hold_fence(self);
	if (fd < 0)
		return NULL;
	done = wait_in_slices(state_of(self), wait_for_fence, &fd, seconds);
	close(fd);
	if (!done)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *fence_get_closed(struct fence *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(self->fd < 0);
}

/* Python's type for all methods; one with keywords is another one in C. */
#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef fence_methods[] = {
	{"wait", METHOD(fence_wait), METH_VARARGS | METH_KEYWORDS,
	 "wait(timeout=None)\n--\n\n"
	 "Wait until it is signalled, for so many seconds at most: after that, "
	 "an\n"
	 "Error with ETIMEDOUT. None waits without an end."},
	{"fileno", METHOD(fence_fileno), METH_NOARGS,
	 "fileno()\n--\n\n"
	 "Its file descriptor, open as long as the fence is; select() says "
	 "that\n"
	 "it can be read when it is signalled."},
	{"close", METHOD(fence_close), METH_NOARGS,
	 "close()\n--\n\nClose its file descriptor."},
	{"__enter__", METHOD(fence_enter), METH_NOARGS, NULL},
	{"__exit__", METHOD(fence_exit), METH_VARARGS, NULL},
	{0},
};

static PyGetSetDef fence_attributes[] = {
	{"closed", (getter)fence_get_closed, NULL, "Has it been closed?", NULL},
	{0},
};

static PyType_Slot fence_slots[] = {
	{Py_tp_doc, "Fence(fd)\n--\n\n"
		    "Work of a device that is over when this is signalled: a "
		    "sync_file, of\n"
		    "which it keeps a copy, as another library gives it. "
		    "Buffer.export_fence()\n"
		    "and receive_many() make them, too."},
	{Py_tp_new, fence_new},
	{Py_tp_dealloc, fence_dealloc},
	{Py_tp_repr, fence_repr},
	{Py_tp_methods, fence_methods},
	{Py_tp_getset, fence_attributes},
	{0},
};

static PyType_Spec fence_spec = {
	.name = "portalmem.Fence",
	.basicsize = sizeof(struct fence),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = fence_slots,
};

/* Buffers */

/* Takes the reference that it is given, also when it fails. */
static PyObject *wrap_buffer(const struct state *state,
			     struct portalmem_buffer *buffer)
{
	struct buffer *self = (struct buffer *)new_object(state->buffer);

	if (self)
		self->buffer = buffer;
	else
		portalmem_buffer_unref(buffer);
	return (PyObject *)self;
}

/* A reference for the time of a call; NULL and an exception when closed. */
static struct portalmem_buffer *hold_buffer(const struct buffer *self)
{
	if (!self->buffer) {
		raise_closed("buffer");
		return NULL;
	}
	return portalmem_buffer_ref(self->buffer);
}

static void buffer_dealloc(struct buffer *self)
{
	portalmem_buffer_unref(self->buffer);
	free_object(self);
}

static PyObject *buffer_repr(struct buffer *self)
{
	if (!self->buffer)
		return PyUnicode_FromString("<portalmem.Buffer, closed>");
	return PyUnicode_FromFormat(
		"<portalmem.Buffer of %llu bytes, %s>",
		(unsigned long long)portalmem_buffer_get_size(self->buffer),
		portalmem_caching_name(
			portalmem_buffer_get_caching(self->buffer)));
}

static PyObject *buffer_close(struct buffer *self, PyObject *unused)
{
	struct portalmem_buffer *buffer = self->buffer;

	(void)unused;
	self->buffer = NULL;
	Py_BEGIN_ALLOW_THREADS
	portalmem_buffer_unref(buffer);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

static PyObject *buffer_enter(struct buffer *self, PyObject *unused)
{
	(void)unused;
	if (!self->buffer)
		return raise_closed("buffer");
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *buffer_exit(struct buffer *self, PyObject *arguments)
{
	(void)arguments;
	return buffer_close(self, NULL);
}

static PyObject *buffer_fileno(struct buffer *self, PyObject *unused)
{
	(void)unused;
	if (!self->buffer)
		return raise_closed("buffer");
	return PyLong_FromLong(portalmem_buffer_get_fd(self->buffer));
}

static PyObject *buffer_map(struct buffer *self, PyObject *arguments,
			    PyObject *keywords)
{
	static char *names[] = {"offset", "length", "write", NULL};
	const struct state *state = state_of(self);
	PyObject *offset_object = NULL, *length_object = NULL;
	uint64_t offset = 0, length = 0;
	struct portalmem_buffer *buffer;
	struct mapping *mapping;
	void *address = NULL;
	int write = 1, error;
	unsigned int flags;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|OO$p:map",
					 names, &offset_object, &length_object,
					 &write))
		return NULL;
	if ((offset_object && !parse_uint64(offset_object, &offset)) ||
	    (length_object && !parse_uint64(length_object, &length)))
		return NULL;
	buffer = hold_buffer(self);
	if (!buffer)
		return NULL;
	flags = PORTALMEM_MAP_READ | (write ? PORTALMEM_MAP_WRITE : 0);
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_map(buffer, offset, length, flags, &address);
	Py_END_ALLOW_THREADS
	if (error) {
		raise_error(state, error);
		goto err_unref;
	}
	if (!length)
		length = portalmem_buffer_get_size(buffer) - offset;
	mapping = (struct mapping *)new_object(state->mapping);
	if (!mapping)
		goto err_unmap;
	mapping->buffer = buffer;
	mapping->address = address;
	mapping->length = (Py_ssize_t)length;
	mapping->read_only = !write;
	return (PyObject *)mapping;

err_unmap:
	portalmem_buffer_unmap(buffer, address);
err_unref:
	portalmem_buffer_unref(buffer);
	return NULL;
}

/* One (offset, length). */
static bool parse_range(PyObject *item, struct portalmem_range *range)
{
	PyObject *pair = PySequence_Fast(
		item, "a range is a sequence of offset and length");
	bool done = false;

	if (!pair)
		return false;
	if (PySequence_Fast_GET_SIZE(pair) != 2)
		PyErr_SetString(PyExc_ValueError,
				"a range is an offset and a length");
	else
		done = parse_uint64(PySequence_Fast_GET_ITEM(pair, 0),
				    &range->offset) &&
		       parse_uint64(PySequence_Fast_GET_ITEM(pair, 1),
				    &range->length);
	Py_DECREF(pair);
	return done;
}

/* The array is never NULL, and so not taken for the whole buffer. */
static bool parse_ranges(PyObject *object, struct sync *sync)
{
	/* A tuple of its own: what is parsed may run code that changes lists. */
	PyObject *items = PySequence_Tuple(object);
	bool done = true;

	if (!items)
		return false;
	sync->count = (size_t)PyTuple_GET_SIZE(items);
	sync->ranges = PyMem_New(struct portalmem_range,
				 sync->count ? sync->count : 1);
	if (!sync->ranges) {
		PyErr_NoMemory();
		done = false;
	}
	for (size_t i = 0; done && i < sync->count; i++)
		done = parse_range(PyTuple_GET_ITEM(items, (Py_ssize_t)i),
				   &sync->ranges[i]);
	Py_DECREF(items);
	return done;
}

/* PORTALMEM_SYNC_READ, PORTALMEM_SYNC_WRITE or both; 0 with an exception. */
static unsigned int flags_of(const char *function, int read, int write)
{
	if (!read && !write)
		PyErr_Format(PyExc_ValueError,
			     "%s() takes read=True, write=True or both",
			     function);
	return (read ? PORTALMEM_SYNC_READ : 0) |
	       (write ? PORTALMEM_SYNC_WRITE : 0);
}

/* Of nothing yet. */
static struct sync *new_sync(const struct state *state, PyObject *arguments,
			     PyObject *keywords)
{
	static char *names[] = {"read", "write", "ranges", NULL};
	PyObject *ranges = Py_None;
	int read = 0, write = 0;
	unsigned int flags;
	struct sync *sync;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$ppO:sync",
					 names, &read, &write, &ranges))
		return NULL;
	flags = flags_of("sync", read, write);
	if (!flags)
		return NULL;
	sync = (struct sync *)new_object(state->sync);
	if (!sync)
		return NULL;
	sync->flags = flags;
	if (ranges != Py_None && !parse_ranges(ranges, sync))
		Py_CLEAR(sync);
	return sync;
}

static PyObject *buffer_sync(struct buffer *self, PyObject *arguments,
			     PyObject *keywords)
{
	struct sync *sync = new_sync(state_of(self), arguments, keywords);

	if (!sync)
		return NULL;
	/* Last: what is parsed may run code that closes the buffer. */
	sync->buffer = hold_buffer(self);
	if (!sync->buffer)
		Py_CLEAR(sync);
	return (PyObject *)sync;
}

/* What is waited for: a buffer's fences, for such an access. */
struct wait {
	struct portalmem_buffer *buffer;
	unsigned int flags;
};

static int wait_for_buffer(void *data, int timeout_ms)
{
	const struct wait *wait = data;

	return portalmem_buffer_wait(wait->buffer, wait->flags, timeout_ms);
}

static PyObject *buffer_wait(struct buffer *self, PyObject *arguments,
			     PyObject *keywords)
{
	static char *names[] = {"read", "write", "timeout", NULL};
	PyObject *timeout = NULL;
	int read = 0, write = 0;
	struct wait wait;
	double seconds;
	bool done;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$ppO:wait",
					 names, &read, &write, &timeout) ||
	    !parse_seconds(timeout, &seconds))
		return NULL;
	wait.flags = flags_of("wait", read, write);
	if (!wait.flags)
		return NULL;
	wait.buffer = hold_buffer(self);
	if (!wait.buffer)
		return NULL;
	done = wait_in_slices(state_of(self), wait_for_buffer, &wait, seconds);
	portalmem_buffer_unref(wait.buffer);
	if (!done)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *buffer_export_fence(struct buffer *self, PyObject *arguments,
				     PyObject *keywords)
{
	static char *names[] = {"read", "write", NULL};
	const struct state *state = state_of(self);
	struct portalmem_buffer *buffer;
	int read = 0, write = 0, fd = -1, error;
	unsigned int flags;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords,
					 "|$pp:export_fence", names, &read,
					 &write))
		return NULL;
	flags = flags_of("export_fence", read, write);
	if (!flags)
		return NULL;
	buffer = hold_buffer(self);
	if (!buffer)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_export_fence(buffer, flags, &fd);
	portalmem_buffer_unref(buffer);
	Py_END_ALLOW_THREADS
	return error ? raise_error(state, error) : wrap_fence(state, fd);
}

static PyObject *buffer_import_fence(struct buffer *self, PyObject *arguments,
				     PyObject *keywords)
{
	static char *names[] = {"fence", "read", "write", NULL};
	struct portalmem_buffer *buffer;
	int read = 0, write = 0, fd, error;
	PyObject *fence;
	unsigned int flags;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords,
					 "O|$pp:import_fence", names, &fence,
					 &read, &write))
		return NULL;
	flags = flags_of("import_fence", read, write);
	if (!flags)
		return NULL;
	fd = hold_file(fence);
	if (fd < 0)
		return NULL;
	buffer = hold_buffer(self);
	if (!buffer) {
		close(fd);
		return NULL;
	}
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_import_fence(buffer, flags, fd);
	portalmem_buffer_unref(buffer);
	close(fd);
	Py_END_ALLOW_THREADS
	if (error)
		return raise_error(state_of(self), error);
	Py_RETURN_NONE;
}

/* Seconds that a socket object waits; -1 without an end, 0 not at all. */
static bool get_timeout(PyObject *socket, double *timeout)
{
	PyObject *result;

	*timeout = -1;
	if (!PyObject_HasAttrString(socket, "gettimeout"))
		return true;
	result = PyObject_CallMethod(socket, "gettimeout", NULL);
	if (!result)
		return false;
	if (result != Py_None)
		*timeout = PyFloat_AsDouble(result);
	Py_DECREF(result);
	return !PyErr_Occurred();
}

/* What is done with a socket: the library's call and for what it waits. */
struct transfer {
	struct portalmem_device *device; /* to receive with, or NULL */
	struct portalmem_buffer *buffer; /* to send, or what was received */
	/* or many of them, and then how many */
	struct portalmem_parcel *parcels;
	size_t count;
	bool receives;
	int fd;
};

static int transfer_parcels(struct transfer *transfer)
{
	int ret;

	if (!transfer->receives)
		return portalmem_send(transfer->fd, transfer->parcels,
				      transfer->count);
	ret = portalmem_receive(transfer->device, transfer->fd, NULL,
				transfer->parcels, PORTALMEM_PARCELS_MAX);
	if (ret < 0)
		return ret;
	transfer->count = (size_t)ret;
	return 0;
}

static int transfer_once(struct transfer *transfer)
{
	if (transfer->parcels)
		return transfer_parcels(transfer);
	return transfer->receives
		       ? portalmem_buffer_receive(transfer->device,
						  transfer->fd,
						  &transfer->buffer)
		       : portalmem_buffer_send(transfer->buffer, transfer->fd);
}

/* Until the socket can go on: above 0, 0 when the time is over, or -errno. */
static int wait_for_socket(const struct transfer *transfer, double seconds)
{
	struct pollfd ready = {
		.fd = transfer->fd,
		.events = transfer->receives ? POLLIN : POLLOUT,
	};
	/* Rounded up, and no more than poll(2) takes. */
	int ret = poll(&ready, 1,
		       seconds < 1e6 ? (int)(seconds * 1000) + 1 : 1000000000);

	return ret < 0 ? -errno : ret;
}

/*
 * A socket object with a timeout is a descriptor that does not block, and it is
 * this function that waits. A signal runs its Python handler, which may raise.
 * False with an exception.
 */
static bool transfer_all(const struct state *state, struct transfer *transfer,
			 double timeout)
{
	double end = now() + timeout, left;
	int error;

	for (;;) {
		Py_BEGIN_ALLOW_THREADS
		error = transfer_once(transfer);
		Py_END_ALLOW_THREADS
		if (!error)
			return true;
		if (error == -EINTR) {
			if (PyErr_CheckSignals())
				return false;
			continue;
		}
		if (error != -EAGAIN || timeout <= 0) {
			raise_error(state, error);
			return false;
		}
		left = end - now();
		if (left <= 0) {
			raise_text(state, -ETIMEDOUT,
				   "the socket's timeout is over");
			return false;
		}
		Py_BEGIN_ALLOW_THREADS
		error = wait_for_socket(transfer, left);
		Py_END_ALLOW_THREADS
		if (error < 0 && PyErr_CheckSignals())
			return false;
	}
}

/* False with an exception. */
static bool open_transfer(PyObject *socket, struct transfer *transfer,
			  double *timeout)
{
	transfer->fd = PyObject_AsFileDescriptor(socket);
	return transfer->fd >= 0 && get_timeout(socket, timeout);
}

static PyObject *buffer_send(struct buffer *self, PyObject *socket)
{
	struct transfer transfer = {0};
	double timeout;
	bool done;

	if (!open_transfer(socket, &transfer, &timeout))
		return NULL;
	transfer.buffer = hold_buffer(self);
	if (!transfer.buffer)
		return NULL;
	done = transfer_all(state_of(self), &transfer, timeout);
	portalmem_buffer_unref(transfer.buffer);
	if (!done)
		return NULL;
	Py_RETURN_NONE;
}

/* A buffer, or a pair of a buffer and a fence or None. */
static bool parse_parcel(const struct state *state, PyObject *item,
			 struct portalmem_parcel *parcel)
{
	PyObject *buffer = item, *fence = Py_None;

	if (PyTuple_Check(item) && PyTuple_GET_SIZE(item) == 2) {
		buffer = PyTuple_GET_ITEM(item, 0);
		fence = PyTuple_GET_ITEM(item, 1);
	}
	if (!Py_IS_TYPE(buffer, state->buffer)) {
		PyErr_SetString(PyExc_TypeError,
				"what is sent is a Buffer, or a tuple of a "
				"Buffer and a fence or None");
		return false;
	}
	if (fence != Py_None) {
		parcel->fence = hold_file(fence);
		if (parcel->fence < 0)
			return false;
	}
	parcel->buffer = hold_buffer((struct buffer *)buffer);
	return parcel->buffer;
}

static void drop_parcels(const struct transfer *transfer)
{
	for (size_t i = 0; i < transfer->count; i++) {
		if (transfer->parcels[i].fence >= 0)
			close(transfer->parcels[i].fence);
		portalmem_buffer_unref(transfer->parcels[i].buffer);
	}
}

/* What is held so far is there to be dropped, also when this fails. */
static bool parse_parcels(const struct state *state, PyObject *object,
			  struct transfer *transfer)
{
	PyObject *items = PySequence_Tuple(object);
	bool done = true;

	if (!items)
		return false;
	if (!PyTuple_GET_SIZE(items) ||
	    PyTuple_GET_SIZE(items) > PORTALMEM_PARCELS_MAX) {
		PyErr_Format(PyExc_ValueError,
			     "a message has 1 to %d buffers, not %zd",
			     PORTALMEM_PARCELS_MAX, PyTuple_GET_SIZE(items));
		done = false;
	}
	for (Py_ssize_t i = 0; done && i < PyTuple_GET_SIZE(items); i++) {
		transfer->parcels[i].buffer = NULL;
		transfer->parcels[i].fence = -1;
		transfer->count++;
		done = parse_parcel(state, PyTuple_GET_ITEM(items, i),
				    &transfer->parcels[i]);
	}
	Py_DECREF(items);
	return done;
}

static PyObject *send_many(const struct state *state, PyObject *socket,
			   PyObject *items)
{
	struct portalmem_parcel parcels[PORTALMEM_PARCELS_MAX];
	struct transfer transfer = {.parcels = parcels};
	double timeout;
	bool done;

	done = parse_parcels(state, items, &transfer) &&
	       open_transfer(socket, &transfer, &timeout) &&
	       transfer_all(state, &transfer, timeout);
	drop_parcels(&transfer);
	if (!done)
		return NULL;
	Py_RETURN_NONE;
}

/* Takes what is in the parcel, also when it fails. */
static PyObject *wrap_parcel(const struct state *state,
			     struct portalmem_parcel *parcel)
{
	PyObject *buffer = wrap_buffer(state, parcel->buffer), *fence, *pair;

	parcel->buffer = NULL;
	if (parcel->fence >= 0) {
		fence = wrap_fence(state, parcel->fence);
		parcel->fence = -1;
	} else {
		fence = Py_NewRef(Py_None);
	}
	pair = buffer && fence ? PyTuple_Pack(2, buffer, fence) : NULL;
	Py_XDECREF(buffer);
	Py_XDECREF(fence);
	return pair;
}

static PyObject *wrap_parcels(const struct state *state,
			      const struct transfer *transfer)
{
	PyObject *list = PyList_New((Py_ssize_t)transfer->count), *pair;

	for (size_t i = 0; list && i < transfer->count; i++) {
		pair = wrap_parcel(state, &transfer->parcels[i]);
		if (pair)
			PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
		else
			Py_CLEAR(list);
	}
	drop_parcels(transfer);
	return list;
}

/* DEVICE is NULL for none. */
static PyObject *receive_many(const struct state *state,
			      struct portalmem_device *device, PyObject *socket)
{
	struct portalmem_parcel parcels[PORTALMEM_PARCELS_MAX];
	struct transfer transfer = {
		.device = device, .parcels = parcels, .receives = true};
	double timeout;

	if (!open_transfer(socket, &transfer, &timeout) ||
	    !transfer_all(state, &transfer, timeout))
		return NULL;
	return wrap_parcels(state, &transfer);
}

static bool get_info(struct buffer *self, struct portalmem_info *info)
{
	struct portalmem_buffer *buffer = hold_buffer(self);
	int error;

	if (!buffer)
		return false;
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_get_info(buffer, info);
	portalmem_buffer_unref(buffer);
	Py_END_ALLOW_THREADS
	if (error)
		raise_error(state_of(self), error);
	return !error;
}

static PyObject *buffer_info(struct buffer *self, PyObject *unused)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	(void)unused;
	if (!get_info(self, &info))
		return NULL;
	return Py_BuildValue(
		"{sKsssssIsIsisKsNsN}", "size", (unsigned long long)info.size,
		"caching", portalmem_caching_name(info.caching), "effective",
		portalmem_caching_name(info.effective), "segments",
		(unsigned int)info.segments, "attachments",
		(unsigned int)info.attachments, "pid", (int)info.pid, "inode",
		(unsigned long long)info.inode, "heap", text_of(info.heap),
		"name", text_of(info.name));
}

/* Add COUNT of them to the list. */
static bool append_segments(PyObject *list,
			    const struct portalmem_segment *segments, int count)
{
	for (int i = 0; i < count; i++) {
		PyObject *item = Py_BuildValue(
			"(KKK)", (unsigned long long)segments[i].offset,
			(unsigned long long)segments[i].length,
			(unsigned long long)segments[i].physical);
		int failed = !item || PyList_Append(list, item);

		Py_XDECREF(item);
		if (failed)
			return false;
	}
	return true;
}

static bool read_segments(const struct state *state,
			  struct portalmem_buffer *buffer, PyObject *list)
{
	struct portalmem_segment segments[64];
	size_t first = 0;
	int count;

	do {
		Py_BEGIN_ALLOW_THREADS
		count = portalmem_buffer_get_segments(buffer, first, segments,
						      64, NULL);
		Py_END_ALLOW_THREADS
		if (count < 0) {
			raise_error(state, count);
			return false;
		}
		if (!append_segments(list, segments, count))
			return false;
		first += (size_t)count;
	} while (count == 64);
	return true;
}

static PyObject *buffer_segments(struct buffer *self, PyObject *unused)
{
	struct portalmem_buffer *buffer = hold_buffer(self);
	PyObject *list;

	(void)unused;
	if (!buffer)
		return NULL;
	list = PyList_New(0);
	if (list && !read_segments(state_of(self), buffer, list))
		Py_CLEAR(list);
	portalmem_buffer_unref(buffer);
	return list;
}

/* Takes the reference that it is given, also when it fails. */
static PyObject *wrap_attachment(const struct state *state,
				 struct portalmem_attachment *attachment)
{
	struct attachment *self =
		(struct attachment *)new_object(state->attachment);

	if (self)
		self->attachment = attachment;
	else
		portalmem_attachment_unref(attachment);
	return (PyObject *)self;
}

static PyObject *buffer_attach(struct buffer *self, PyObject *arguments,
			       PyObject *keywords)
{
	static char *names[] = {"bus", "device", "direction", "address_bits",
				NULL};
	struct portalmem_attach_options options = PORTALMEM_ATTACH_OPTIONS_INIT;
	const char *bus, *device, *direction = "both";
	struct portalmem_attachment *attachment = NULL;
	const struct state *state = state_of(self);
	struct portalmem_buffer *buffer;
	int address_bits = 0, error;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "ss|$si:attach",
					 names, &bus, &device, &direction,
					 &address_bits) ||
	    !parse_direction(direction, &options.direction) ||
	    !parse_address_bits(address_bits, &options.address_bits))
		return NULL;
	buffer = hold_buffer(self);
	if (!buffer)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_attach(buffer, bus, device, &options,
					&attachment);
	portalmem_buffer_unref(buffer);
	Py_END_ALLOW_THREADS
	return error ? raise_error(state, error)
		     : wrap_attachment(state, attachment);
}

static PyObject *buffer_get_size(struct buffer *self, void *unused)
{
	(void)unused;
	if (!self->buffer)
		return raise_closed("buffer");
	return PyLong_FromUnsignedLongLong(
		portalmem_buffer_get_size(self->buffer));
}

static PyObject *buffer_get_caching(struct buffer *self, void *unused)
{
	(void)unused;
	if (!self->buffer)
		return raise_closed("buffer");
	return PyUnicode_FromString(portalmem_caching_name(
		portalmem_buffer_get_caching(self->buffer)));
}

static PyObject *buffer_get_name(struct buffer *self, void *unused)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	(void)unused;
	return get_info(self, &info) ? text_of(info.name) : NULL;
}

static int buffer_set_name(struct buffer *self, PyObject *value, void *unused)
{
	struct portalmem_buffer *buffer;
	const char *name;
	Py_ssize_t length;
	int error;

	(void)unused;
	if (!value) {
		PyErr_SetString(PyExc_AttributeError,
				"the name cannot be deleted; make it ''");
		return -1;
	}
	name = PyUnicode_AsUTF8AndSize(value, &length);
	if (!name)
		return -1;
	if (strlen(name) != (size_t)length) {
		PyErr_SetString(PyExc_ValueError, "embedded null character");
		return -1;
	}
	buffer = hold_buffer(self);
	if (!buffer)
		return -1;
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_set_name(buffer, name);
	portalmem_buffer_unref(buffer);
	Py_END_ALLOW_THREADS
	if (error)
		raise_error(state_of(self), error);
	return error ? -1 : 0;
}

static PyObject *buffer_get_closed(struct buffer *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!self->buffer);
}

static PyMethodDef buffer_methods[] = {
	{"map", METHOD(buffer_map), METH_VARARGS | METH_KEYWORDS,
	 "map(offset=0, length=0, *, write=True)\n--\n\n"
	 "Map the buffer, or LENGTH bytes from OFFSET on, and return a "
	 "Mapping.\n"
	 "The offset is a multiple of the page size; length 0 is all to the "
	 "end."},
	{"sync", METHOD(buffer_sync), METH_VARARGS | METH_KEYWORDS,
	 "sync(*, read=False, write=False, ranges=None)\n--\n\n"
	 "A context manager: within it the CPU may read or write the bytes of "
	 "a\n"
	 "buffer that a device uses too. ranges is a sequence of (offset, "
	 "length),\n"
	 "or None for the whole buffer. Beginning waits for the devices' "
	 "fences."},
	{"send", METHOD(buffer_send), METH_O,
	 "send(socket, /)\n--\n\n"
	 "Send the buffer over a connected Unix socket. It remains this "
	 "process's,\n"
	 "too. The socket's timeout holds."},
	{"wait", METHOD(buffer_wait), METH_VARARGS | METH_KEYWORDS,
	 "wait(*, read=False, write=False, timeout=None)\n--\n\n"
	 "Wait until devices are done with the buffer, as far as an access of "
	 "this\n"
	 "kind has to, for so many seconds at most: after that, an Error with\n"
	 "ETIMEDOUT. None waits without an end."},
	{"export_fence", METHOD(buffer_export_fence),
	 METH_VARARGS | METH_KEYWORDS,
	 "export_fence(*, read=False, write=False)\n--\n\n"
	 "What devices still have to do with the buffer, as a Fence."},
	{"import_fence", METHOD(buffer_import_fence),
	 METH_VARARGS | METH_KEYWORDS,
	 "import_fence(fence, *, read=False, write=False)\n--\n\n"
	 "Have all who use the buffer wait for a Fence, or another sync_file, "
	 "of\n"
	 "work that reads it or writes to it."},
	{"attach", METHOD(buffer_attach), METH_VARARGS | METH_KEYWORDS,
	 "attach(bus, device, *, direction='both', address_bits=0)\n--\n\n"
	 "Map the buffer for a device that the program drives itself, and "
	 "return\n"
	 "an Attachment. The direction is 'to-device', 'from-device' or "
	 "'both'."},
	{"info", METHOD(buffer_info), METH_NOARGS,
	 "info()\n--\n\nWhat the buffer is, as a dictionary."},
	{"segments", METHOD(buffer_segments), METH_NOARGS,
	 "segments()\n--\n\n"
	 "The physically contiguous runs of the buffer, in order, as tuples "
	 "of\n"
	 "offset, length and physical address, which is 0 without the right to "
	 "it."},
	{"fileno", METHOD(buffer_fileno), METH_NOARGS,
	 "fileno()\n--\n\n"
	 "The buffer's file descriptor, open as long as the buffer is."},
	{"close", METHOD(buffer_close), METH_NOARGS,
	 "close()\n--\n\n"
	 "Give the buffer back. Mappings of it remain until they are "
	 "unmapped."},
	{"__enter__", METHOD(buffer_enter), METH_NOARGS, NULL},
	{"__exit__", METHOD(buffer_exit), METH_VARARGS, NULL},
	{0},
};

static PyGetSetDef buffer_attributes[] = {
	{"size", (getter)buffer_get_size, NULL, "Bytes, whole pages.", NULL},
	{"caching", (getter)buffer_get_caching, NULL,
	 "How the CPU maps it: 'cached', 'wc', 'uc' or 'unknown'.", NULL},
	{"name", (getter)buffer_get_name, (setter)buffer_set_name,
	 "Its name, which other processes see, too; '' for none.", NULL},
	{"closed", (getter)buffer_get_closed, NULL, "Has it been given back?",
	 NULL},
	{0},
};

static PyType_Slot buffer_slots[] = {
	{Py_tp_doc, "Memory that processes and devices share. It comes from\n"
		    "Device.alloc(), Pool.acquire(), import_fd(), receive() "
		    "or\n"
		    "receive_many()."},
	{Py_tp_dealloc, buffer_dealloc},
	{Py_tp_repr, buffer_repr},
	{Py_tp_methods, buffer_methods},
	{Py_tp_getset, buffer_attributes},
	{0},
};

static PyType_Spec buffer_spec = {
	.name = "portalmem.Buffer",
	.basicsize = sizeof(struct buffer),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = buffer_slots,
};

/* Mappings */

static void unmap(struct mapping *self)
{
	struct portalmem_buffer *buffer = self->buffer;

	self->buffer = NULL;
	if (!buffer)
		return;
	portalmem_buffer_unmap(buffer, self->address);
	portalmem_buffer_unref(buffer);
}

/* A view holds a reference to the mapping: there is none any more. */
static void mapping_dealloc(struct mapping *self)
{
	unmap(self);
	free_object(self);
}

static PyObject *mapping_repr(struct mapping *self)
{
	if (!self->buffer)
		return PyUnicode_FromString("<portalmem.Mapping, unmapped>");
	return PyUnicode_FromFormat("<portalmem.Mapping of %zd bytes%s>",
				    self->length,
				    self->read_only ? ", read-only" : "");
}

static PyObject *mapping_unmap(struct mapping *self, PyObject *unused)
{
	(void)unused;
	if (self->exports) {
		PyErr_Format(PyExc_BufferError,
			     "cannot unmap: %zd view(s) of the mapping exist",
			     self->exports);
		return NULL;
	}
	unmap(self);
	Py_RETURN_NONE;
}

static PyObject *mapping_enter(struct mapping *self, PyObject *unused)
{
	(void)unused;
	if (!self->buffer)
		return raise_closed("mapping");
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *mapping_exit(struct mapping *self, PyObject *arguments)
{
	(void)arguments;
	return mapping_unmap(self, NULL);
}

static PyObject *mapping_get_closed(struct mapping *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!self->buffer);
}

static Py_ssize_t mapping_length(struct mapping *self)
{
	if (!self->buffer) {
		raise_closed("mapping");
		return -1;
	}
	return self->length;
}

static int mapping_get_view(struct mapping *self, Py_buffer *view, int flags)
{
	if (!self->buffer) {
		view->obj = NULL;
		raise_closed("mapping");
		return -1;
	}
	if (PyBuffer_FillInfo(view, (PyObject *)self, self->address,
			      self->length, self->read_only, flags))
		return -1;
	self->exports++;
	return 0;
}

static void mapping_release_view(struct mapping *self, Py_buffer *view)
{
	(void)view;
	self->exports--;
}

static PyMethodDef mapping_methods[] = {
	{"unmap", METHOD(mapping_unmap), METH_NOARGS,
	 "unmap()\n--\n\n"
	 "Undo the mapping. BufferError while a view of it exists."},
	{"__enter__", METHOD(mapping_enter), METH_NOARGS, NULL},
	{"__exit__", METHOD(mapping_exit), METH_VARARGS, NULL},
	{0},
};

static PyGetSetDef mapping_attributes[] = {
	{"closed", (getter)mapping_get_closed, NULL, "Has it been unmapped?",
	 NULL},
	{0},
};

static PyType_Slot mapping_slots[] = {
	{Py_tp_doc,
	 "A part of a buffer in this process's memory. memoryview(),\n"
	 "numpy.frombuffer() and all that takes bytes-like objects\n"
	 "use it without a copy."},
	{Py_tp_dealloc, mapping_dealloc},
	{Py_tp_repr, mapping_repr},
	{Py_tp_methods, mapping_methods},
	{Py_tp_getset, mapping_attributes},
	{Py_sq_length, mapping_length},
	{Py_bf_getbuffer, mapping_get_view},
	{Py_bf_releasebuffer, mapping_release_view},
	{0},
};

static PyType_Spec mapping_spec = {
	.name = "portalmem.Mapping",
	.basicsize = sizeof(struct mapping),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = mapping_slots,
};

/* Brackets of CPU access */

static int sync_now(const struct sync *self, unsigned int bracket)
{
	if (self->attachment)
		return portalmem_attachment_sync(self->attachment,
						 self->flags | bracket,
						 self->ranges, self->count);
	return portalmem_buffer_sync(self->buffer, self->flags | bracket,
				     self->ranges, self->count);
}

/* Whoever began and never ended is told; the device is not left waiting. */
static void end_forgotten(const struct sync *self)
{
	PyObject *type, *value, *trace;

	PyErr_Fetch(&type, &value, &trace);
	sync_now(self, PORTALMEM_SYNC_END);
	if (PyErr_WarnEx(PyExc_ResourceWarning,
			 "a portalmem sync was begun and never ended", 1))
		PyErr_WriteUnraisable(NULL);
	PyErr_Restore(type, value, trace);
}

static void sync_dealloc(struct sync *self)
{
	if (self->inside)
		end_forgotten(self);
	portalmem_buffer_unref(self->buffer);
	portalmem_attachment_unref(self->attachment);
	PyMem_Free(self->ranges);
	free_object(self);
}

/*
 * The object lives as long as its method: the ranges are there without the
 * lock, too, and nothing changes them.
 */
static int do_sync(struct sync *self, unsigned int bracket)
{
	int error;

	Py_BEGIN_ALLOW_THREADS
	error = sync_now(self, bracket);
	Py_END_ALLOW_THREADS
	if (error)
		raise_error(state_of(self), error);
	return error;
}

static PyObject *sync_enter(struct sync *self, PyObject *unused)
{
	(void)unused;
	if (self->inside) {
		PyErr_SetString(PyExc_RuntimeError,
				"this sync has begun already");
		return NULL;
	}
	/* First: another thread may try while this one waits. */
	self->inside = true;
	if (do_sync(self, PORTALMEM_SYNC_START)) {
		self->inside = false;
		return NULL;
	}
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *sync_exit(struct sync *self, PyObject *arguments)
{
	(void)arguments;
	if (!self->inside) {
		PyErr_SetString(PyExc_RuntimeError, "this sync has not begun");
		return NULL;
	}
	self->inside = false;
	if (do_sync(self, PORTALMEM_SYNC_END))
		return NULL;
	Py_RETURN_NONE;
}

static PyMethodDef sync_methods[] = {
	{"__enter__", METHOD(sync_enter), METH_NOARGS, NULL},
	{"__exit__", METHOD(sync_exit), METH_VARARGS, NULL},
	{0},
};

static PyType_Slot sync_slots[] = {
	{Py_tp_doc, "CPU access to a buffer, for a with statement."},
	{Py_tp_dealloc, sync_dealloc},
	{Py_tp_methods, sync_methods},
	{0},
};

static PyType_Spec sync_spec = {
	.name = "portalmem.Sync",
	.basicsize = sizeof(struct sync),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = sync_slots,
};

/* Attachments */

/* A reference for the time of a call; NULL and an exception when closed. */
static struct portalmem_attachment *
hold_attachment(const struct attachment *self)
{
	if (!self->attachment) {
		raise_closed("attachment");
		return NULL;
	}
	return portalmem_attachment_ref(self->attachment);
}

static void attachment_dealloc(struct attachment *self)
{
	portalmem_attachment_unref(self->attachment);
	free_object(self);
}

static PyObject *attachment_repr(struct attachment *self)
{
	return PyUnicode_FromString(self->attachment
					    ? "<portalmem.Attachment>"
					    : "<portalmem.Attachment, closed>");
}

static PyObject *attachment_close(struct attachment *self, PyObject *unused)
{
	struct portalmem_attachment *attachment = self->attachment;

	(void)unused;
	self->attachment = NULL;
	Py_BEGIN_ALLOW_THREADS
	portalmem_attachment_unref(attachment);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

static PyObject *attachment_enter(struct attachment *self, PyObject *unused)
{
	(void)unused;
	if (!self->attachment)
		return raise_closed("attachment");
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *attachment_exit(struct attachment *self, PyObject *arguments)
{
	(void)arguments;
	return attachment_close(self, NULL);
}

static PyObject *attachment_fileno(struct attachment *self, PyObject *unused)
{
	(void)unused;
	if (!self->attachment)
		return raise_closed("attachment");
	return PyLong_FromLong(portalmem_attachment_get_fd(self->attachment));
}

static PyObject *attachment_info(struct attachment *self, PyObject *unused)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_attachment *attachment = hold_attachment(self);
	int error;

	(void)unused;
	if (!attachment)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_attachment_get_info(attachment, &info);
	portalmem_attachment_unref(attachment);
	Py_END_ALLOW_THREADS
	if (error)
		return raise_error(state_of(self), error);
	return Py_BuildValue(
		"{sssKsIsIsNsNsNsNsNsN}", "direction",
		name_of_direction(info.direction), "size",
		(unsigned long long)info.size, "segments",
		(unsigned int)info.segments, "address_bits", info.address_bits,
		"bus", text_of(info.bus), "device", text_of(info.device),
		"translated",
		PyBool_FromLong(info.features &
				PORTALMEM_ATTACHMENT_IS_TRANSLATED),
		"bounced",
		PyBool_FromLong(info.features &
				PORTALMEM_ATTACHMENT_IS_BOUNCED),
		"synced",
		PyBool_FromLong(info.features & PORTALMEM_ATTACHMENT_IS_SYNCED),
		"own",
		PyBool_FromLong(info.features & PORTALMEM_ATTACHMENT_IS_OWN));
}

static bool append_dma_segments(PyObject *list,
				const struct portalmem_dma_segment *segments,
				int count)
{
	for (int i = 0; i < count; i++) {
		PyObject *item = Py_BuildValue(
			"(KKK)", (unsigned long long)segments[i].offset,
			(unsigned long long)segments[i].length,
			(unsigned long long)segments[i].address);
		int failed = !item || PyList_Append(list, item);

		Py_XDECREF(item);
		if (failed)
			return false;
	}
	return true;
}

static bool read_dma_segments(const struct state *state,
			      struct portalmem_attachment *attachment,
			      PyObject *list)
{
	struct portalmem_dma_segment segments[64];
	size_t first = 0;
	int count;

	do {
		Py_BEGIN_ALLOW_THREADS
		count = portalmem_attachment_get_segments(attachment, first,
							  segments, 64, NULL);
		Py_END_ALLOW_THREADS
		if (count < 0) {
			raise_error(state, count);
			return false;
		}
		if (!append_dma_segments(list, segments, count))
			return false;
		first += (size_t)count;
	} while (count == 64);
	return true;
}

static PyObject *attachment_segments(struct attachment *self, PyObject *unused)
{
	struct portalmem_attachment *attachment = hold_attachment(self);
	PyObject *list;

	(void)unused;
	if (!attachment)
		return NULL;
	list = PyList_New(0);
	if (list && !read_dma_segments(state_of(self), attachment, list))
		Py_CLEAR(list);
	portalmem_attachment_unref(attachment);
	return list;
}

static PyObject *attachment_sync(struct attachment *self, PyObject *arguments,
				 PyObject *keywords)
{
	struct sync *sync = new_sync(state_of(self), arguments, keywords);

	if (!sync)
		return NULL;
	/* Last: what is parsed may run code that closes the attachment. */
	sync->attachment = hold_attachment(self);
	if (!sync->attachment)
		Py_CLEAR(sync);
	return (PyObject *)sync;
}

static PyObject *attachment_get_closed(struct attachment *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!self->attachment);
}

static PyMethodDef attachment_methods[] = {
	{"info", METHOD(attachment_info), METH_NOARGS,
	 "info()\n--\n\nWhat the attachment is, as a dictionary."},
	{"segments", METHOD(attachment_segments), METH_NOARGS,
	 "segments()\n--\n\n"
	 "The runs of the buffer that the device sees as contiguous, in order, "
	 "as\n"
	 "tuples of offset, length and the address that the device is to be "
	 "given."},
	{"sync", METHOD(attachment_sync), METH_VARARGS | METH_KEYWORDS,
	 "sync(*, read=False, write=False, ranges=None)\n--\n\n"
	 "As Buffer.sync(), for this device alone."},
	{"fileno", METHOD(attachment_fileno), METH_NOARGS,
	 "fileno()\n--\n\n"
	 "The attachment's file descriptor, open as long as it is."},
	{"close", METHOD(attachment_close), METH_NOARGS,
	 "close()\n--\n\n"
	 "Give the attachment back. The device must have stopped using it."},
	{"__enter__", METHOD(attachment_enter), METH_NOARGS, NULL},
	{"__exit__", METHOD(attachment_exit), METH_VARARGS, NULL},
	{0},
};

static PyGetSetDef attachment_attributes[] = {
	{"closed", (getter)attachment_get_closed, NULL,
	 "Has it been given back?", NULL},
	{0},
};

static PyType_Slot attachment_slots[] = {
	{Py_tp_doc, "A buffer mapped for a device, as long as this is there. "
		    "It comes from\n"
		    "Buffer.attach() or import_attachment()."},
	{Py_tp_dealloc, attachment_dealloc},
	{Py_tp_repr, attachment_repr},
	{Py_tp_methods, attachment_methods},
	{Py_tp_getset, attachment_attributes},
	{0},
};

static PyType_Spec attachment_spec = {
	.name = "portalmem.Attachment",
	.basicsize = sizeof(struct attachment),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = attachment_slots,
};

/* Pools */

/* A reference for the time of a call; NULL and an exception when closed. */
static struct portalmem_pool *hold_pool(const struct pool *self)
{
	if (!self->pool) {
		raise_closed("pool");
		return NULL;
	}
	return portalmem_pool_ref(self->pool);
}

static void pool_dealloc(struct pool *self)
{
	portalmem_pool_unref(self->pool);
	free_object(self);
}

static PyObject *pool_repr(struct pool *self)
{
	struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;

	if (!self->pool)
		return PyUnicode_FromString("<portalmem.Pool, closed>");
	portalmem_pool_get_info(self->pool, &info);
	return PyUnicode_FromFormat(
		"<portalmem.Pool of %u buffers of %llu bytes>", info.buffers,
		(unsigned long long)info.size);
}

static PyObject *pool_close(struct pool *self, PyObject *unused)
{
	struct portalmem_pool *pool = self->pool;

	(void)unused;
	self->pool = NULL;
	Py_BEGIN_ALLOW_THREADS
	portalmem_pool_unref(pool);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

static PyObject *pool_enter(struct pool *self, PyObject *unused)
{
	(void)unused;
	if (!self->pool)
		return raise_closed("pool");
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *pool_exit(struct pool *self, PyObject *arguments)
{
	(void)arguments;
	return pool_close(self, NULL);
}

/* What a buffer is taken from, and then which it is. */
struct acquisition {
	struct portalmem_pool *pool;
	struct portalmem_buffer *buffer;
};

static int acquire_within(void *data, int timeout_ms)
{
	struct acquisition *acquisition = data;

	return portalmem_pool_acquire(acquisition->pool, timeout_ms,
				      &acquisition->buffer);
}

static PyObject *pool_acquire(struct pool *self, PyObject *arguments,
			      PyObject *keywords)
{
	static char *names[] = {"timeout", NULL};
	const struct state *state = state_of(self);
	struct acquisition acquisition;
	PyObject *timeout = NULL;
	double seconds;
	bool done;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:acquire",
					 names, &timeout) ||
	    !parse_seconds(timeout, &seconds))
		return NULL;
	acquisition.pool = hold_pool(self);
	if (!acquisition.pool)
		return NULL;
	done = wait_in_slices(state, acquire_within, &acquisition, seconds);
	portalmem_pool_unref(acquisition.pool);
	return done ? wrap_buffer(state, acquisition.buffer) : NULL;
}

static PyObject *pool_trim(struct pool *self, PyObject *arguments,
			   PyObject *keywords)
{
	static char *names[] = {"keep", NULL};
	struct portalmem_pool *pool;
	int keep = 0, freed;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|i:trim", names,
					 &keep))
		return NULL;
	if (keep < 0) {
		PyErr_SetString(PyExc_ValueError, "keep must not be negative");
		return NULL;
	}
	pool = hold_pool(self);
	if (!pool)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	freed = portalmem_pool_trim(pool, (unsigned int)keep);
	portalmem_pool_unref(pool);
	Py_END_ALLOW_THREADS
	return freed < 0 ? raise_error(state_of(self), freed)
			 : PyLong_FromLong(freed);
}

static PyObject *pool_info(struct pool *self, PyObject *unused)
{
	struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;
	int error;

	(void)unused;
	if (!self->pool)
		return raise_closed("pool");
	error = portalmem_pool_get_info(self->pool, &info);
	if (error)
		return raise_error(state_of(self), error);
	return Py_BuildValue("{sKsIsIsIsIsKsKsKsKsK}", "size",
			     (unsigned long long)info.size, "buffers",
			     info.buffers, "acquired", info.acquired, "idle",
			     info.idle, "shared", info.shared, "allocated",
			     (unsigned long long)info.allocated, "reused",
			     (unsigned long long)info.reused, "dropped",
			     (unsigned long long)info.dropped, "trimmed",
			     (unsigned long long)info.trimmed, "asked",
			     (unsigned long long)info.asked);
}

static PyObject *pool_get_closed(struct pool *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!self->pool);
}

static PyMethodDef pool_methods[] = {
	{"acquire", METHOD(pool_acquire), METH_VARARGS | METH_KEYWORDS,
	 "acquire(timeout=None)\n--\n\n"
	 "Take a Buffer that nobody uses, or a new one while there are fewer "
	 "than\n"
	 "the maximum. Closing it, as the end of a with does, gives it back. "
	 "After\n"
	 "so many seconds, an Error with ETIMEDOUT, or EAGAIN for 0; None "
	 "waits\n"
	 "without an end."},
	{"trim", METHOD(pool_trim), METH_VARARGS | METH_KEYWORDS,
	 "trim(keep=0)\n--\n\n"
	 "Free buffers that nobody uses, until there are no more than KEEP. "
	 "Returns\n"
	 "how many were freed."},
	{"info", METHOD(pool_info), METH_NOARGS,
	 "info()\n--\n\nWhat the pool has and has done, as a dictionary."},
	{"close", METHOD(pool_close), METH_NOARGS,
	 "close()\n--\n\n"
	 "Give the pool back. Buffers that are in use remain until they are "
	 "closed."},
	{"__enter__", METHOD(pool_enter), METH_NOARGS, NULL},
	{"__exit__", METHOD(pool_exit), METH_VARARGS, NULL},
	{0},
};

static PyGetSetDef pool_attributes[] = {
	{"closed", (getter)pool_get_closed, NULL, "Has it been given back?",
	 NULL},
	{0},
};

static PyType_Slot pool_slots[] = {
	{Py_tp_doc,
	 "Buffers of one size that are kept, mapped and ready, for the next\n"
	 "user. It comes from Device.pool()."},
	{Py_tp_dealloc, pool_dealloc},
	{Py_tp_repr, pool_repr},
	{Py_tp_methods, pool_methods},
	{Py_tp_getset, pool_attributes},
	{0},
};

static PyType_Spec pool_spec = {
	.name = "portalmem.Pool",
	.basicsize = sizeof(struct pool),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = pool_slots,
};

/* Devices */

static struct portalmem_device *hold_device(const struct device *self)
{
	if (!self->device) {
		raise_closed("device");
		return NULL;
	}
	return portalmem_device_ref(self->device);
}

static PyObject *device_new(PyTypeObject *type, PyObject *arguments,
			    PyObject *keywords)
{
	static char *names[] = {"path", "backend", NULL};
	enum portalmem_backend backend;
	struct portalmem_device *device = NULL;
	PyObject *path_bytes = NULL;
	const char *backend_name = "any", *path;
	struct device *self;
	int error;

	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|Os:Device",
					 names, &path_bytes, &backend_name))
		return NULL;
	if (!parse_backend(backend_name, &backend))
		return NULL;
	if (!path_bytes || path_bytes == Py_None)
		path_bytes = NULL;
	else if (!PyUnicode_FSConverter(path_bytes, &path_bytes))
		return NULL;
	path = path_bytes ? PyBytes_AS_STRING(path_bytes) : NULL;
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_device_open(path, backend, &device);
	Py_END_ALLOW_THREADS
	Py_XDECREF(path_bytes);
	if (error)
		return raise_error(PyType_GetModuleState(type), error);
	self = (struct device *)new_object(type);
	if (self)
		self->device = device;
	else
		portalmem_device_unref(device);
	return (PyObject *)self;
}

static void device_dealloc(struct device *self)
{
	portalmem_device_unref(self->device);
	free_object(self);
}

static PyObject *device_repr(struct device *self)
{
	if (!self->device)
		return PyUnicode_FromString("<portalmem.Device, closed>");
	return PyUnicode_FromFormat(
		"<portalmem.Device %s, backend %s>",
		portalmem_device_get_path(self->device),
		portalmem_backend_name(
			portalmem_device_get_backend(self->device)));
}

static PyObject *device_close(struct device *self, PyObject *unused)
{
	struct portalmem_device *device = self->device;

	(void)unused;
	self->device = NULL;
	portalmem_device_unref(device);
	Py_RETURN_NONE;
}

static PyObject *device_enter(struct device *self, PyObject *unused)
{
	(void)unused;
	if (!self->device)
		return raise_closed("device");
	Py_INCREF(self);
	return (PyObject *)self;
}

static PyObject *device_exit(struct device *self, PyObject *arguments)
{
	(void)arguments;
	return device_close(self, NULL);
}

static PyObject *alloc_from(const struct state *state,
			    struct portalmem_device *device, uint64_t size,
			    const struct portalmem_alloc_options *options)
{
	struct portalmem_buffer *buffer = NULL;
	int error;

	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_alloc(device, size, options, &buffer);
	Py_END_ALLOW_THREADS
	return error ? raise_error(state, error) : wrap_buffer(state, buffer);
}

static PyObject *device_alloc(struct device *self, PyObject *arguments,
			      PyObject *keywords)
{
	static char *names[] = {"size",	 "caching",	  "name",
				"node",	 "address_bits",  "alignment",
				"adopt", "region_offset", NULL};
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	PyObject *size_object, *alignment = NULL, *offset = NULL, *result;
	struct portalmem_device *device;
	const char *caching = "default";
	int address_bits = 0;
	uint64_t size;

	if (!PyArg_ParseTupleAndKeywords(
		    arguments, keywords, "O|$sziiOpO:alloc", names,
		    &size_object, &caching, &options.name, &options.node,
		    &address_bits, &alignment, &options.adopt, &offset))
		return NULL;
	if (!parse_address_bits(address_bits, &options.address_bits) ||
	    !parse_caching(caching, &options.caching) ||
	    !parse_uint64(size_object, &size) ||
	    (alignment && !parse_uint64(alignment, &options.alignment)) ||
	    (offset && !parse_uint64(offset, &options.region_offset)))
		return NULL;
	device = hold_device(self);
	if (!device)
		return NULL;
	result = alloc_from(state_of(self), device, size, &options);
	portalmem_device_unref(device);
	return result;
}

static PyObject *create_pool(const struct state *state,
			     struct portalmem_device *device, uint64_t size,
			     const struct portalmem_pool_options *options)
{
	struct portalmem_pool *pool = NULL;
	struct pool *self;
	int error;

	Py_BEGIN_ALLOW_THREADS
	error = portalmem_pool_create(device, size, options, &pool);
	Py_END_ALLOW_THREADS
	if (error)
		return raise_error(state, error);
	self = (struct pool *)new_object(state->pool);
	if (self)
		self->pool = pool;
	else
		portalmem_pool_unref(pool);
	return (PyObject *)self;
}

/* Seconds, or None for never, as milliseconds. */
static bool parse_idle(PyObject *object, int *idle_ms)
{
	double seconds;

	if (!object)
		return true;
	if (!parse_seconds(object, &seconds))
		return false;
	if (seconds < 0)
		*idle_ms = -1;
	else
		*idle_ms = seconds < 2e6 ? (int)(seconds * 1000) : 2000000000;
	return true;
}

static bool parse_buffer_counts(int minimum, int maximum,
				struct portalmem_pool_options *options)
{
	if (minimum < 0 || maximum < 0) {
		PyErr_SetString(PyExc_ValueError,
				"minimum and maximum must not be negative");
		return false;
	}
	options->minimum = (unsigned int)minimum;
	options->maximum = (unsigned int)maximum;
	return true;
}

static PyObject *device_pool(struct device *self, PyObject *arguments,
			     PyObject *keywords)
{
	static char *names[] = {
		"size", "minimum", "maximum",	   "idle",	"caching",
		"name", "node",	   "address_bits", "alignment", NULL};
	struct portalmem_alloc_options alloc = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	PyObject *size_object, *idle = NULL, *alignment = NULL, *result;
	int minimum = (int)options.minimum, maximum = (int)options.maximum;
	struct portalmem_device *device;
	const char *caching = "default";
	int address_bits = 0;
	uint64_t size;

	if (!PyArg_ParseTupleAndKeywords(
		    arguments, keywords, "O|$iiOsziiO:pool", names,
		    &size_object, &minimum, &maximum, &idle, &caching,
		    &alloc.name, &alloc.node, &address_bits, &alignment))
		return NULL;
	if (!parse_address_bits(address_bits, &alloc.address_bits) ||
	    !parse_buffer_counts(minimum, maximum, &options) ||
	    !parse_idle(idle, &options.idle_ms) ||
	    !parse_caching(caching, &alloc.caching) ||
	    !parse_uint64(size_object, &size) ||
	    (alignment && !parse_uint64(alignment, &alloc.alignment)))
		return NULL;
	options.alloc = &alloc;
	device = hold_device(self);
	if (!device)
		return NULL;
	result = create_pool(state_of(self), device, size, &options);
	portalmem_device_unref(device);
	return result;
}

/* DEVICE is NULL for none. */
static PyObject *import_from(const struct state *state,
			     struct portalmem_device *device, int fd)
{
	struct portalmem_buffer *buffer = NULL;
	int error;

	Py_BEGIN_ALLOW_THREADS
	error = portalmem_buffer_import(device, fd, &buffer);
	Py_END_ALLOW_THREADS
	return error ? raise_error(state, error) : wrap_buffer(state, buffer);
}

static PyObject *device_import_fd(struct device *self, PyObject *file)
{
	int fd = PyObject_AsFileDescriptor(file);
	struct portalmem_device *device;
	PyObject *result;

	if (fd < 0)
		return NULL;
	device = hold_device(self);
	if (!device)
		return NULL;
	result = import_from(state_of(self), device, fd);
	portalmem_device_unref(device);
	return result;
}

static PyObject *device_receive(struct device *self, PyObject *socket)
{
	struct transfer transfer = {.receives = true};
	const struct state *state = state_of(self);
	double timeout;
	bool done;

	if (!open_transfer(socket, &transfer, &timeout))
		return NULL;
	transfer.device = hold_device(self);
	if (!transfer.device)
		return NULL;
	done = transfer_all(state, &transfer, timeout);
	portalmem_device_unref(transfer.device);
	return done ? wrap_buffer(state, transfer.buffer) : NULL;
}

static PyObject *device_receive_many(struct device *self, PyObject *socket)
{
	struct portalmem_device *device = hold_device(self);
	PyObject *result;

	if (!device)
		return NULL;
	result = receive_many(state_of(self), device, socket);
	portalmem_device_unref(device);
	return result;
}

static PyObject *device_get_backend(struct device *self, void *unused)
{
	(void)unused;
	if (!self->device)
		return raise_closed("device");
	return PyUnicode_FromString(portalmem_backend_name(
		portalmem_device_get_backend(self->device)));
}

static PyObject *device_get_path(struct device *self, void *unused)
{
	(void)unused;
	if (!self->device)
		return raise_closed("device");
	return PyUnicode_DecodeFSDefault(
		portalmem_device_get_path(self->device));
}

static PyObject *device_get_closed(struct device *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!self->device);
}

static PyMethodDef device_methods[] = {
	{"alloc", METHOD(device_alloc), METH_VARARGS | METH_KEYWORDS,
	 "alloc(size, *, caching='default', name=None, node=-1, "
	 "address_bits=0,\n"
	 "      alignment=0, adopt=False, region_offset=0)\n--\n\n"
	 "Allocate a Buffer of SIZE bytes, which is rounded up to whole "
	 "pages."},
	{"import_fd", METHOD(device_import_fd), METH_O,
	 "import_fd(fd, /)\n--\n\n"
	 "Make a Buffer of a dma-buf's file descriptor, of which it keeps a "
	 "copy.\n"
	 "The device is asked about it."},
	{"receive", METHOD(device_receive), METH_O,
	 "receive(socket, /)\n--\n\n"
	 "Receive a Buffer that Buffer.send() or portalmem_buffer_send() "
	 "sends."},
	{"receive_many", METHOD(device_receive_many), METH_O,
	 "receive_many(socket, /)\n--\n\n"
	 "Receive all buffers of one message that send() or portalmem_send() "
	 "sends,\n"
	 "as a list of tuples of a Buffer and its Fence, or None."},
	{"pool", METHOD(device_pool), METH_VARARGS | METH_KEYWORDS,
	 "pool(size, *, minimum=0, maximum=32, idle=10, caching='default',\n"
	 "     name=None, node=-1, address_bits=0, alignment=0)\n--\n\n"
	 "Make a Pool of buffers of SIZE bytes. A buffer above the minimum "
	 "that\n"
	 "nobody has used for so many seconds is freed; None: never."},
	{"close", METHOD(device_close), METH_NOARGS,
	 "close()\n--\n\nGive the device back. Its buffers remain."},
	{"__enter__", METHOD(device_enter), METH_NOARGS, NULL},
	{"__exit__", METHOD(device_exit), METH_VARARGS, NULL},
	{0},
};

static PyGetSetDef device_attributes[] = {
	{"backend", (getter)device_get_backend, NULL,
	 "'portalmem', 'dma-heap', 'udmabuf' or 'memfd'.", NULL},
	{"path", (getter)device_get_path, NULL, "The node's path; '' for none.",
	 NULL},
	{"closed", (getter)device_get_closed, NULL, "Has it been given back?",
	 NULL},
	{0},
};

static PyType_Slot device_slots[] = {
	{Py_tp_doc,
	 "Device(path=None, backend='any')\n--\n\n"
	 "A place to allocate from: a node, a heap by its name, or the first\n"
	 "backend that is there, which PORTALMEM_BACKEND can force."},
	{Py_tp_new, device_new},
	{Py_tp_dealloc, device_dealloc},
	{Py_tp_repr, device_repr},
	{Py_tp_methods, device_methods},
	{Py_tp_getset, device_attributes},
	{0},
};

static PyType_Spec device_spec = {
	.name = "portalmem.Device",
	.basicsize = sizeof(struct device),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = device_slots,
};

/* The module */

static PyObject *module_version(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyUnicode_FromString(portalmem_version());
}

static PyObject *module_import_fd(PyObject *module, PyObject *file)
{
	int fd = PyObject_AsFileDescriptor(file);

	return fd < 0 ? NULL : import_from(PyModule_GetState(module), NULL, fd);
}

static PyObject *module_receive(PyObject *module, PyObject *socket)
{
	struct transfer transfer = {.receives = true};
	const struct state *state = PyModule_GetState(module);
	double timeout;

	if (!open_transfer(socket, &transfer, &timeout) ||
	    !transfer_all(state, &transfer, timeout))
		return NULL;
	return wrap_buffer(state, transfer.buffer);
}

static PyObject *module_receive_many(PyObject *module, PyObject *socket)
{
	return receive_many(PyModule_GetState(module), NULL, socket);
}

static PyObject *module_send(PyObject *module, PyObject *arguments)
{
	PyObject *socket, *items;

	if (!PyArg_ParseTuple(arguments, "OO:send", &socket, &items))
		return NULL;
	return send_many(PyModule_GetState(module), socket, items);
}

static PyObject *module_import_attachment(PyObject *module, PyObject *file)
{
	struct portalmem_attachment *attachment = NULL;
	const struct state *state = PyModule_GetState(module);
	int fd = PyObject_AsFileDescriptor(file), error;

	if (fd < 0)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	error = portalmem_attachment_import(fd, &attachment);
	Py_END_ALLOW_THREADS
	return error ? raise_error(state, error)
		     : wrap_attachment(state, attachment);
}

static PyMethodDef module_methods[] = {
	{"version", METHOD(module_version), METH_NOARGS,
	 "version()\n--\n\nThe version of the library in use."},
	{"import_fd", METHOD(module_import_fd), METH_O,
	 "import_fd(fd, /)\n--\n\nAs Device.import_fd(), without a device."},
	{"receive", METHOD(module_receive), METH_O,
	 "receive(socket, /)\n--\n\nAs Device.receive(), without a device."},
	{"send", METHOD(module_send), METH_VARARGS,
	 "send(socket, buffers, /)\n--\n\n"
	 "Send 1 to 32 buffers in one message over a connected Unix socket: "
	 "each a\n"
	 "Buffer, or a tuple of a Buffer and the Fence that signals when it "
	 "may be\n"
	 "used, or None. The peer gets all of them or none, with their names."},
	{"receive_many", METHOD(module_receive_many), METH_O,
	 "receive_many(socket, /)\n--\n\n"
	 "As Device.receive_many(), without a device."},
	{"import_attachment", METHOD(module_import_attachment), METH_O,
	 "import_attachment(fd, /)\n--\n\n"
	 "Make an Attachment of the file descriptor of one that another "
	 "process made,\n"
	 "of which it keeps a copy."},
	{0},
};

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec)
{
	PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);

	if (type && PyModule_AddType(module, (PyTypeObject *)type)) {
		Py_DECREF(type);
		return NULL;
	}
	return (PyTypeObject *)type;
}

static int module_exec(PyObject *module)
{
	struct state *state = PyModule_GetState(module);

	state->error =
		PyErr_NewExceptionWithDoc("portalmem.Error",
					  "A call of libportalmem failed: "
					  "errno, and in strerror what failed "
					  "and what to do.",
					  PyExc_OSError, NULL);
	if (!state->error ||
	    PyModule_AddObjectRef(module, "Error", state->error))
		return -1;
	state->device = add_type(module, &device_spec);
	state->buffer = add_type(module, &buffer_spec);
	state->mapping = add_type(module, &mapping_spec);
	state->sync = add_type(module, &sync_spec);
	state->pool = add_type(module, &pool_spec);
	state->fence = add_type(module, &fence_spec);
	state->attachment = add_type(module, &attachment_spec);
	return state->device && state->buffer && state->mapping &&
			       state->sync && state->pool && state->fence &&
			       state->attachment
		       ? 0
		       : -1;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct state *state = PyModule_GetState(module);

	Py_VISIT(state->error);
	Py_VISIT(state->device);
	Py_VISIT(state->buffer);
	Py_VISIT(state->mapping);
	Py_VISIT(state->sync);
	Py_VISIT(state->pool);
	Py_VISIT(state->fence);
	Py_VISIT(state->attachment);
	return 0;
}

static int module_clear(PyObject *module)
{
	struct state *state = PyModule_GetState(module);

	Py_CLEAR(state->error);
	Py_CLEAR(state->device);
	Py_CLEAR(state->buffer);
	Py_CLEAR(state->mapping);
	Py_CLEAR(state->sync);
	Py_CLEAR(state->pool);
	Py_CLEAR(state->fence);
	Py_CLEAR(state->attachment);
	return 0;
}

static void module_free(void *module)
{
	module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, module_exec},
	{0},
};

static struct PyModuleDef module_definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "portalmem",
	.m_doc = "Memory that processes and devices share without copying.",
	.m_size = sizeof(struct state),
	.m_methods = module_methods,
	.m_slots = module_slots,
	.m_traverse = module_traverse,
	.m_clear = module_clear,
	.m_free = module_free,
};

PyMODINIT_FUNC PyInit_portalmem(void);

PyMODINIT_FUNC PyInit_portalmem(void)
{
	return PyModuleDef_Init(&module_definition);
}
