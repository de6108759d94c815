# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python module, on the backend that PORTALMEM_BACKEND names."""

import errno
import gc
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings

import portalmem

BACKEND = os.environ["PORTALMEM_BACKEND"]
PAGE = mmap.PAGESIZE
ON_MODULE = BACKEND == "portalmem"
# A device that buffers can be attached to, as "BUS NAME"; the guest has one.
DEVICE = os.environ.get("PORTALMEM_TEST_DEVICE", "").split()

try:
    import numpy
except ImportError:
    numpy = None


def only_where(condition):
    """A test of what only a guest has: elsewhere there is no such test."""
    return lambda test: test if condition else None


def count_fds():
    return len(os.listdir("/proc/self/fd"))


def count_mappings():
    with open("/proc/self/maps", encoding="ascii") as maps:
        return sum("memfd:" in line or "dmabuf" in line for line in maps)


class Case(unittest.TestCase):
    """Each test leaves as many descriptors and mappings as it found."""

    def setUp(self):
        gc.collect()
        before = count_fds(), count_mappings()
        self.addCleanup(self.check_leaks, before)
        self.device = portalmem.Device()
        self.addCleanup(self.device.close)

    def check_leaks(self, before):
        gc.collect()
        self.assertEqual((count_fds(), count_mappings()), before)

    def alloc(self, size=4 * PAGE, **options):
        buffer = self.device.alloc(size, **options)
        self.addCleanup(buffer.close)
        return buffer

    def sockets(self, kind=socket.SOCK_STREAM):
        pair = socket.socketpair(socket.AF_UNIX, kind)
        for end in pair:
            self.addCleanup(end.close)
        return pair

    def fails(self, error):
        return Failing(self, error)


class Failing:
    """The block raises portalmem.Error with that errno and a message."""

    def __init__(self, case, error):
        self.case = case
        self.error = error

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.case.assertIs(kind, portalmem.Error)
        self.case.assertEqual(value.errno, self.error)
        self.case.assertIsInstance(value.strerror, str)
        self.case.assertGreater(len(value.strerror), 10)
        self.exception = value
        return True


class Module(Case):
    def test_version_is_the_librarys(self):
        self.assertRegex(portalmem.version(), r"^\d+\.\d+\.\d+$")

    def test_error_is_an_os_error(self):
        self.assertTrue(issubclass(portalmem.Error, OSError))
        self.assertEqual(portalmem.Error.__name__, "Error")
        self.assertEqual(portalmem.Error.__module__, "portalmem")

    def test_objects_come_from_functions_only(self):
        for name in "Buffer", "Mapping", "Sync", "Pool", "Attachment":
            with self.assertRaises(TypeError):
                getattr(portalmem, name)()

    def test_everything_public_is_documented(self):
        for thing in (
            portalmem,
            portalmem.Device,
            portalmem.Buffer,
            portalmem.Mapping,
            portalmem.Pool,
            portalmem.Fence,
            portalmem.Attachment,
        ):
            self.assertTrue(thing.__doc__)
            for name in dir(thing):
                if not name.startswith("_"):
                    self.assertTrue(getattr(thing, name).__doc__, name)

    def test_another_interpreter_has_its_own_module(self):
        # Imported twice, by hand: two states, and neither harms the other.
        import importlib.util

        spec = importlib.util.find_spec("portalmem")
        second = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(second)
        self.assertIsNot(second.Error, portalmem.Error)
        with second.Device() as device, device.alloc(1) as buffer:
            self.assertEqual(buffer.size, PAGE)
            self.assertNotIsInstance(buffer, portalmem.Buffer)
            with self.assertRaises(second.Error):
                device.alloc(0)
        del second, device, buffer, spec

    def test_examples_of_the_readmes_do_what_they_say(self):
        for path, number, output in (
            ("README.md", 1, "hello in 1048576 bytes\n"),
            ("bindings/python/README.md", 1, "hello in 1048576 bytes\n"),
            ("bindings/python/README.md", 2, "1 buffer for 100 frames\n"),
            ("bindings/python/README.md", 3, "left 4096\nright 4096\n"),
        ):
            path = os.path.join(os.environ["top_srcdir"], path)
            with open(path, encoding="utf-8") as file:
                program = file.read().split("```python\n")[number].split("```")[0]
            done = subprocess.run(
                [sys.executable, "-c", program],
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual(done.stderr, "")
            self.assertEqual(done.stdout, output)


class Devices(Case):
    def test_backend_is_the_one_asked_for(self):
        self.assertEqual(self.device.backend, BACKEND)
        with portalmem.Device(None, "memfd") as device:
            self.assertEqual(device.backend, "memfd")
            self.assertEqual(device.path, "")

    def test_path_is_the_nodes(self):
        path = {"portalmem": "/dev/portalmem", "memfd": ""}
        self.assertEqual(self.device.path, path[BACKEND])
        self.assertIn(f"backend {BACKEND}", repr(self.device))

    def test_with_closes_it(self):
        before = count_fds()
        with portalmem.Device() as device:
            self.assertFalse(device.closed)
        self.assertTrue(device.closed)
        self.assertEqual(count_fds(), before)

    def test_closed_device_is_a_value_error(self):
        left, _ = self.sockets()
        device = portalmem.Device()
        device.close()
        device.close()
        for use in (
            lambda: device.alloc(1),
            lambda: device.import_fd(0),
            lambda: device.receive(left),
            lambda: device.receive_many(left),
            lambda: device.pool(1),
            lambda: device.backend,
            lambda: device.path,
            device.__enter__,
        ):
            with self.assertRaisesRegex(ValueError, "closed device"):
                use()
        self.assertIn("closed", repr(device))

    def test_wrong_arguments_are_refused(self):
        with self.assertRaisesRegex(ValueError, "backend is"):
            portalmem.Device(backend="floppy")
        with self.assertRaises(ValueError):
            portalmem.Device("with\0null")
        with self.assertRaises(TypeError):
            portalmem.Device(12)
        with self.assertRaises(TypeError):
            portalmem.Device(colour="red")
        with self.fails(errno.ENOENT) as failing:
            portalmem.Device("/dev/no-such-node")
        self.assertIn("/dev/no-such-node", failing.exception.strerror)

    def test_path_is_anything_that_is_a_path(self):
        for path in b"/dev/no-such-node", os.path, None:
            if path is None:
                portalmem.Device(path).close()
            elif path is os.path:
                import pathlib

                with self.fails(errno.ENOENT):
                    portalmem.Device(pathlib.Path("/dev/no-such-node"))
            else:
                with self.fails(errno.ENOENT):
                    portalmem.Device(path)

    def test_buffers_outlive_it(self):
        with portalmem.Device() as device:
            buffer = device.alloc(PAGE)
        with buffer, buffer.map() as mapping:
            self.assertEqual(bytes(mapping), bytes(PAGE))


class Allocation(Case):
    def test_size_is_rounded_up_to_pages(self):
        for size, got in (1, PAGE), (PAGE, PAGE), (PAGE + 1, 2 * PAGE):
            self.assertEqual(self.alloc(size).size, got)

    def test_options_reach_the_library(self):
        buffer = self.alloc(caching="cached", name="frame")
        self.assertEqual(buffer.caching, "cached")
        self.assertEqual(buffer.name, "frame")
        with self.fails(errno.EINVAL):
            self.alloc(alignment=3)
        with self.fails(errno.EINVAL):
            self.alloc(region_offset=PAGE)
        with self.fails(errno.EINVAL):
            self.alloc(name="x" * 32)
        # The place of a memfd's memory nobody can choose.
        if ON_MODULE:
            self.alloc(node=0, address_bits=40)
        else:
            for options in {"node": 0}, {"address_bits": 32}, {"adopt": True}:
                with self.fails(errno.EOPNOTSUPP):
                    self.alloc(**options)

    def test_other_cachings_are_had_where_there_are_any(self):
        for caching in "wc", "uc":
            if ON_MODULE:
                self.assertEqual(self.alloc(caching=caching).caching, caching)
            else:
                with self.fails(errno.EOPNOTSUPP):
                    self.alloc(caching=caching)

    def test_wrong_arguments_are_refused(self):
        for arguments, options, kind in (
            ((), {}, TypeError),
            (("1",), {}, TypeError),
            ((1.5,), {}, TypeError),
            ((-1,), {}, OverflowError),
            ((1 << 64,), {}, OverflowError),
            ((1, "cached"), {}, TypeError),
            ((1,), {"caching": "warm"}, ValueError),
            ((1,), {"caching": "unknown"}, ValueError),
            ((1,), {"name": b"bytes"}, TypeError),
            ((1,), {"name": "with\0null"}, ValueError),
            ((1,), {"node": 1 << 40}, OverflowError),
            ((1,), {"address_bits": -1}, ValueError),
            ((1,), {"alignment": -1}, OverflowError),
            ((1,), {"colour": "red"}, TypeError),
        ):
            with self.subTest(arguments=arguments, options=options):
                with self.assertRaises(kind):
                    self.device.alloc(*arguments, **options)

    def test_impossible_sizes_have_the_librarys_error(self):
        with self.fails(errno.EINVAL):
            self.device.alloc(0)
        with self.fails(errno.ENOMEM):
            self.device.alloc(1 << 60)


class Buffers(Case):
    def test_info_describes_it(self):
        info = self.alloc(2 * PAGE, name="lens").info()
        self.assertEqual(info["size"], 2 * PAGE)
        self.assertEqual(info["name"], "lens")
        self.assertEqual(info["effective"], "cached")
        self.assertEqual(info["attachments"], 0)
        self.assertEqual(info["heap"], "system" if ON_MODULE else "memfd")
        self.assertEqual(info["pid"], os.getpid())
        self.assertGreater(info["inode"], 0)

    def test_name_changes_where_it_can(self):
        buffer = self.alloc(name="before")
        if ON_MODULE:
            buffer.name = "after"
            self.assertEqual(buffer.name, "after")
            buffer.name = ""
            self.assertEqual(buffer.name, "")
            with self.fails(errno.ENAMETOOLONG):
                buffer.name = "x" * 32
        else:
            with self.fails(errno.EOPNOTSUPP):
                buffer.name = "after"
        self.assertEqual(buffer.name, "" if ON_MODULE else "before")
        for wrong, kind in (7, TypeError), (b"x", TypeError), ("\0", ValueError):
            with self.assertRaises(kind):
                buffer.name = wrong
        with self.assertRaises(AttributeError):
            del buffer.name
        with self.assertRaises(AttributeError):
            buffer.size = 1

    def test_segments_cover_it(self):
        buffer = self.alloc(64 * PAGE)
        if not ON_MODULE:
            with self.fails(errno.EOPNOTSUPP):
                buffer.segments()
            return
        at = 0
        for offset, length, physical in buffer.segments():
            self.assertEqual(offset, at)
            self.assertEqual(physical % PAGE, 0)
            at += length
        self.assertEqual(at, buffer.size)

    def test_descriptor_is_the_buffers(self):
        buffer = self.alloc(3 * PAGE)
        self.assertEqual(os.lseek(buffer.fileno(), 0, os.SEEK_END), 3 * PAGE)
        self.assertFalse(os.get_inheritable(buffer.fileno()))

    def test_with_closes_it(self):
        before = count_fds()
        with self.device.alloc(PAGE) as buffer:
            self.assertFalse(buffer.closed)
            self.assertEqual(count_fds(), before + 1)
        self.assertTrue(buffer.closed)
        self.assertEqual(count_fds(), before)

    def test_closed_buffer_is_a_value_error(self):
        left, _ = self.sockets()
        buffer = self.alloc()
        sync = buffer.sync(read=True)
        buffer.close()
        buffer.close()
        for use in (
            buffer.map,
            lambda: buffer.sync(read=True),
            lambda: buffer.send(left),
            buffer.info,
            buffer.segments,
            buffer.fileno,
            lambda: buffer.size,
            lambda: buffer.caching,
            lambda: buffer.name,
            lambda: setattr(buffer, "name", "late"),
            buffer.__enter__,
        ):
            with self.assertRaisesRegex(ValueError, "closed buffer"):
                use()
        self.assertIn("closed", repr(buffer))
        # What was made of it before has a reference of its own.
        with sync:
            pass

    def test_import_has_the_same_bytes(self):
        buffer = self.alloc()
        for again in (
            portalmem.import_fd(buffer),
            portalmem.import_fd(buffer.fileno()),
            self.device.import_fd(buffer),
        ):
            with again, again.map() as theirs, buffer.map() as ours:
                memoryview(ours)[0:3] = b"abc"
                self.assertEqual(bytes(memoryview(theirs)[0:3]), b"abc")
                self.assertEqual(again.info()["inode"], buffer.info()["inode"])
                memoryview(ours)[0:3] = bytes(3)

    def test_import_refuses_what_is_no_buffer(self):
        with tempfile.TemporaryFile() as file:
            with self.fails(errno.EINVAL):
                portalmem.import_fd(file)
            fd = file.fileno()
        with self.fails(errno.EBADF):
            portalmem.import_fd(fd)
        for wrong, kind in (-1, ValueError), ("0", TypeError), (None, TypeError):
            with self.assertRaises(kind):
                portalmem.import_fd(wrong)
            with self.assertRaises(kind):
                self.device.import_fd(wrong)


class Mappings(Case):
    def test_memoryview_is_the_buffers_memory(self):
        buffer = self.alloc()
        with buffer.map() as mapping, buffer.map(PAGE, PAGE) as part:
            self.assertEqual((len(mapping), len(part)), (4 * PAGE, PAGE))
            with memoryview(mapping) as view, memoryview(part) as inner:
                self.assertEqual((view.format, view.itemsize), ("B", 1))
                self.assertFalse(view.readonly)
                view[PAGE : PAGE + 5] = b"hello"
                self.assertEqual(bytes(inner[:5]), b"hello")
                inner[5] = 33
                self.assertEqual(view[PAGE + 5], 33)

    def test_files_read_and_write_it(self):
        with self.alloc().map() as mapping, tempfile.TemporaryFile() as file:
            file.write(b"z" * 4 * PAGE)
            file.seek(0)
            self.assertEqual(file.readinto(mapping), 4 * PAGE)
            self.assertEqual(bytes(mapping), b"z" * 4 * PAGE)

    def test_read_only_mapping_is_not_written(self):
        with self.alloc().map(write=False) as mapping:
            with memoryview(mapping) as view:
                self.assertTrue(view.readonly)
                with self.assertRaises(TypeError):
                    view[0] = 1
            with tempfile.TemporaryFile() as file:
                with self.assertRaises((TypeError, BufferError)):
                    file.readinto(mapping)
            self.assertIn("read-only", repr(mapping))

    def test_unmap_is_refused_while_there_is_a_view(self):
        mapping = self.alloc().map()
        view = memoryview(mapping)
        inner = view[1:2]
        with self.assertRaisesRegex(BufferError, "1 view"):
            mapping.unmap()
        with self.assertRaises(BufferError):
            with mapping:
                pass
        inner[0] = 7
        inner.release()
        self.assertEqual(view[1], 7)
        view.release()
        mapping.unmap()
        self.assertTrue(mapping.closed)

    def test_unmapped_mapping_is_a_value_error(self):
        mapping = self.alloc().map()
        mapping.unmap()
        mapping.unmap()
        for use in lambda: memoryview(mapping), lambda: len(mapping), mapping.__enter__:
            with self.assertRaisesRegex(ValueError, "closed mapping"):
                use()
        self.assertIn("unmapped", repr(mapping))

    def test_unmap_unmaps(self):
        buffer = self.alloc(64 * PAGE)
        before = count_mappings()
        mapping = buffer.map()
        self.assertEqual(count_mappings(), before + 1)
        mapping.unmap()
        self.assertEqual(count_mappings(), before)

    def test_forgotten_mapping_is_unmapped(self):
        buffer = self.alloc()
        before = count_mappings()
        view = memoryview(buffer.map())
        self.assertEqual(count_mappings(), before + 1)
        view[0] = 1
        del view
        self.assertEqual(count_mappings(), before)

    def test_mapping_outlives_the_buffer(self):
        with self.device.alloc(PAGE) as buffer:
            mapping = buffer.map()
        with mapping, memoryview(mapping) as view:
            view[0] = 9
            self.assertEqual(view[0], 9)

    def test_ranges_outside_are_refused(self):
        buffer = self.alloc()
        for offset, length in (1, 0), (8 * PAGE, 0), (0, 5 * PAGE), (PAGE, 4 * PAGE):
            with self.subTest(offset=offset, length=length):
                with self.fails(errno.EINVAL):
                    buffer.map(offset, length)
        for wrong in (-1, 0), (0, -1), (1 << 64, 0), (0, 1 << 64):
            with self.assertRaises(OverflowError):
                buffer.map(*wrong)
        with self.assertRaises(TypeError):
            buffer.map("0")

    @unittest.skipUnless(numpy, "numpy is missing")
    def test_numpy_array_is_the_buffers_memory(self):
        buffer = self.alloc()
        mapping = buffer.map()
        pixels = numpy.frombuffer(mapping, dtype=numpy.uint16).reshape(-1, 64)
        with buffer.sync(write=True):
            pixels[:] = numpy.arange(pixels.size).reshape(pixels.shape)
        with buffer.map() as again, memoryview(again) as view:
            address = numpy.frombuffer(again, dtype=numpy.uint8).ctypes.data
            self.assertEqual(view.cast("H")[64], 64)
            # The library counts mappings of one part: it is the same memory.
            self.assertEqual(address, pixels.ctypes.data)
            view.cast("H")[65] = 4711
        self.assertEqual(pixels[1, 1], 4711)
        with self.assertRaises(BufferError):
            mapping.unmap()
        del pixels
        mapping.unmap()

    @unittest.skipUnless(numpy, "numpy is missing")
    def test_numpy_array_keeps_the_memory(self):
        with self.device.alloc(PAGE) as buffer:
            pixels = numpy.frombuffer(buffer.map(), dtype=numpy.uint8)
        pixels += 5
        self.assertEqual(int(pixels.sum()), 5 * PAGE)


class Sync(Case):
    def test_with_brackets_the_access(self):
        buffer = self.alloc()
        for flags in {"read": True}, {"write": True}, {"read": True, "write": True}:
            for ranges in None, [], [(0, 1)], ((PAGE, PAGE), [0, 16]), iter([(0, 0)]):
                with buffer.sync(ranges=ranges, **flags) as bracket:
                    self.assertIsNotNone(bracket)

    def test_it_can_be_used_again_but_not_twice_at_once(self):
        sync = self.alloc().sync(write=True)
        with sync:
            with self.assertRaisesRegex(RuntimeError, "begun"):
                sync.__enter__()
        with sync:
            pass
        with self.assertRaisesRegex(RuntimeError, "not begun"):
            sync.__exit__(None, None, None)

    def test_exception_of_the_block_goes_through(self):
        sync = self.alloc().sync(read=True)
        with self.assertRaises(KeyError):
            with sync:
                raise KeyError
        with sync:
            pass

    def test_buffer_closed_within_is_synced_to_the_end(self):
        buffer = self.alloc()
        with buffer.sync(read=True):
            buffer.close()

    def test_forgotten_end_is_made_up_for_and_told(self):
        sync = self.alloc().sync(read=True)
        sync.__enter__()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del sync
            gc.collect()
        self.assertEqual([w.category for w in caught], [ResourceWarning])

    def test_range_outside_has_the_librarys_error(self):
        sync = self.alloc().sync(read=True, ranges=[(0, 1), (4 * PAGE, 1)])
        with self.fails(errno.ERANGE):
            with sync:
                self.fail("it began")
        with self.fails(errno.EINVAL):
            with self.alloc().sync(read=True, ranges=[(0, 1)] * 65537):
                self.fail("it began")

    def test_wrong_arguments_are_refused(self):
        buffer = self.alloc()
        for options, kind in (
            ({}, ValueError),
            ({"read": False}, ValueError),
            ({"read": True, "ranges": 7}, TypeError),
            ({"read": True, "ranges": [7]}, TypeError),
            ({"read": True, "ranges": [(1,)]}, ValueError),
            ({"read": True, "ranges": [(1, 2, 3)]}, ValueError),
            ({"read": True, "ranges": [("1", 2)]}, TypeError),
            ({"read": True, "ranges": [(-1, 2)]}, OverflowError),
            ({"read": True, "ranges": [(0, 1 << 64)]}, OverflowError),
            ({"colour": True}, TypeError),
        ):
            with self.subTest(options=options):
                with self.assertRaises(kind):
                    buffer.sync(**options)
        with self.assertRaises(TypeError):
            buffer.sync(True)

    def test_ranges_that_close_the_buffer_do_no_harm(self):
        buffer = self.alloc()

        class Evil:
            def __index__(self):
                buffer.close()
                return 0

        with self.assertRaisesRegex(ValueError, "closed buffer"):
            buffer.sync(read=True, ranges=[(Evil(), 1)])


class Sharing(Case):
    def test_receiver_has_the_same_bytes(self):
        for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM:
            left, right = self.sockets(kind)
            buffer = self.alloc(2 * PAGE, name="gift")
            with buffer.map() as mapping:
                memoryview(mapping)[0:4] = b"gift"
            for receive in portalmem.receive, self.device.receive:
                buffer.send(left)
                with receive(right) as got, got.map() as mapping:
                    self.assertEqual(bytes(memoryview(mapping)[:4]), b"gift")
                    self.assertEqual(got.size, 2 * PAGE)
                    self.assertEqual(got.name, "gift")

    def test_descriptor_numbers_will_do(self):
        left, right = self.sockets()
        self.alloc().send(left.fileno())
        portalmem.receive(right.fileno()).close()

    def test_another_process_writes_into_it(self):
        left, right = self.sockets()
        buffer = self.alloc(PAGE)
        program = (
            "import portalmem, socket, sys\n"
            "peer = socket.socket(fileno=int(sys.argv[1]))\n"
            "with portalmem.receive(peer) as buffer, buffer.map() as mapping:\n"
            "    with buffer.sync(write=True):\n"
            "        memoryview(mapping)[0:5] = b'child'\n"
            "peer.close()\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(right.fileno())],
            pass_fds=[right.fileno()],
        )
        buffer.send(left)
        self.assertEqual(child.wait(60), 0)
        with buffer.map() as mapping, buffer.sync(read=True):
            self.assertEqual(bytes(memoryview(mapping)[:5]), b"child")

    def test_nothing_to_receive_is_an_error(self):
        left, right = self.sockets()
        right.setblocking(False)
        with self.fails(errno.EAGAIN):
            portalmem.receive(right)
        right.setblocking(True)
        left.close()
        with self.fails(errno.EPIPE):
            portalmem.receive(right)
        with self.fails(errno.EPIPE):
            self.alloc().send(self.closed_peer())

    def closed_peer(self):
        left, right = self.sockets()
        right.close()
        return left

    def test_garbage_is_refused(self):
        left, right = self.sockets()
        left.send(b"no buffer of anybody's" * 16)
        with self.fails(errno.EBADMSG):
            portalmem.receive(right)

    def test_what_is_no_socket_is_refused(self):
        buffer = self.alloc()
        with tempfile.TemporaryFile() as file:
            with self.fails(errno.ENOTSOCK):
                buffer.send(file)
            with self.fails(errno.ENOTSOCK):
                portalmem.receive(file)
        for wrong, kind in (None, TypeError), ("3", TypeError), (-1, ValueError):
            with self.assertRaises(kind):
                buffer.send(wrong)
            with self.assertRaises(kind):
                portalmem.receive(wrong)
            with self.assertRaises(kind):
                self.device.receive(wrong)
        left, _ = self.sockets()
        left.close()
        with self.assertRaises(ValueError):
            buffer.send(left)

    def test_timeout_of_the_socket_holds(self):
        left, right = self.sockets()
        right.settimeout(0.2)
        begin = time.monotonic()
        with self.fails(errno.ETIMEDOUT):
            portalmem.receive(right)
        self.assertGreaterEqual(time.monotonic() - begin, 0.2)
        # What comes in time is received.
        right.settimeout(60)
        buffer = self.alloc()
        timer = threading.Timer(0.2, buffer.send, [left])
        timer.start()
        portalmem.receive(right).close()
        timer.join()

    def test_full_socket_times_out(self):
        left, _ = self.sockets()
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        left.settimeout(0.2)
        buffer = self.alloc()
        with self.fails(errno.ETIMEDOUT):
            for _ in range(1000):
                buffer.send(left)

    def test_signal_handler_runs_and_may_raise(self):
        class Alarm(Exception):
            pass

        def ring(number, frame):
            raise Alarm

        _, right = self.sockets()
        before = signal.signal(signal.SIGALRM, ring)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        for timeout in None, 60:
            right.settimeout(timeout)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with self.assertRaises(Alarm):
                portalmem.receive(right)

    def test_signal_without_an_exception_does_not_end_the_wait(self):
        left, right = self.sockets()
        buffer = self.alloc()
        seen = []

        def ring(number, frame):
            seen.append(number)
            buffer.send(left)

        before = signal.signal(signal.SIGALRM, ring)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        portalmem.receive(right).close()
        self.assertEqual(seen, [signal.SIGALRM])


class Batches(Case):
    def test_batch_arrives_in_its_order_with_names(self):
        for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM:
            left, right = self.sockets(kind)
            buffers = [self.alloc((n + 1) * PAGE, name=f"part {n}") for n in range(5)]
            for receive in portalmem.receive_many, self.device.receive_many:
                portalmem.send(left, [buffers[0], (buffers[1], None), *buffers[2:]])
                got = receive(right)
                self.assertEqual([b.name for b, _ in got], [b.name for b in buffers])
                self.assertEqual([b.size for b, _ in got], [b.size for b in buffers])
                self.assertEqual({fence for _, fence in got}, {None})
                for buffer, _ in got:
                    buffer.close()

    def test_both_kinds_of_sending_are_understood(self):
        left, right = self.sockets()
        buffer = self.alloc()
        buffer.send(left)
        [(got, fence)] = portalmem.receive_many(right)
        self.assertIsNone(fence)
        got.close()
        portalmem.send(left, (buffer,))
        portalmem.receive(right).close()
        portalmem.send(left, [buffer, buffer])
        with self.fails(errno.EMSGSIZE):
            portalmem.receive(right)

    def test_largest_batch_goes_through(self):
        left, right = self.sockets()
        buffer = self.alloc()
        portalmem.send(left, iter([buffer] * 32))
        got = portalmem.receive_many(right)
        self.assertEqual(len(got), 32)
        for other, _ in got:
            other.close()

    def test_wrong_batches_are_refused(self):
        left, right = self.sockets()
        buffer = self.alloc()
        closed = self.alloc()
        closed.close()
        for items, kind in (
            ([], ValueError),
            ([buffer] * 33, ValueError),
            (buffer, TypeError),
            ([buffer, 7], TypeError),
            ([buffer, None], TypeError),
            ([(buffer,)], TypeError),
            ([(buffer, None, None)], TypeError),
            ([(None, buffer)], TypeError),
            ([(buffer, "fence")], TypeError),
            ([(buffer, -1)], ValueError),
            ([buffer, closed], ValueError),
            (None, TypeError),
        ):
            with self.subTest(items=items):
                with self.assertRaises(kind):
                    portalmem.send(left, items)
        with self.fails(errno.EINVAL):
            portalmem.send(left, [(buffer, right)])
        right.setblocking(False)
        with self.fails(errno.EAGAIN):
            portalmem.receive_many(right)
        left.close()
        right.setblocking(True)
        with self.fails(errno.EPIPE):
            portalmem.receive_many(right)
        for wrong in (), (right,), (right, [buffer], 1):
            with self.assertRaises(TypeError):
                portalmem.send(*wrong)

    def test_timeout_of_the_socket_holds(self):
        left, right = self.sockets()
        right.settimeout(0.2)
        with self.fails(errno.ETIMEDOUT):
            portalmem.receive_many(right)
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        left.settimeout(0.2)
        buffer = self.alloc()
        with self.fails(errno.ETIMEDOUT):
            for _ in range(1000):
                portalmem.send(left, [buffer])

    @only_where(ON_MODULE)
    def test_fence_travels_with_its_buffer(self):
        left, right = self.sockets()
        buffer = self.alloc(name="late")
        with buffer.export_fence(write=True) as fence:
            portalmem.send(left, [(buffer, fence), buffer, (buffer, fence.fileno())])
        got = portalmem.receive_many(right)
        self.assertEqual([fence is None for _, fence in got], [False, True, False])
        for other, fence in got:
            self.assertEqual(other.name, "late")
            if fence:
                fence.wait(0)
                fence.close()
            other.close()


class Pools(Case):
    def pool(self, size=PAGE, **options):
        pool = self.device.pool(size, **options)
        self.addCleanup(pool.close)
        return pool

    def test_buffer_that_was_closed_is_had_again(self):
        with self.pool(2 * PAGE, name="frame") as pool:
            with pool.acquire() as buffer, buffer.map() as mapping:
                self.assertEqual(buffer.size, 2 * PAGE)
                self.assertEqual(buffer.name, "frame")
                memoryview(mapping)[:4] = b"kept"
            with pool.acquire(0) as buffer, buffer.map() as mapping:
                self.assertEqual(bytes(memoryview(mapping)[:4]), b"kept")
                self.assertEqual(pool.info()["acquired"], 1)
            info = pool.info()
            self.assertEqual(info["size"], 2 * PAGE)
            self.assertEqual((info["buffers"], info["acquired"]), (1, 0))
            self.assertEqual((info["allocated"], info["reused"]), (1, 1))
            self.assertIn("1 buffers", repr(pool))

    def test_no_more_than_the_maximum_are_had(self):
        pool = self.pool(maximum=2)
        first, second = pool.acquire(), pool.acquire()
        with self.fails(errno.EAGAIN):
            pool.acquire(0)
        begin = time.monotonic()
        with self.fails(errno.ETIMEDOUT):
            pool.acquire(timeout=0.3)
        self.assertGreaterEqual(time.monotonic() - begin, 0.3)
        # One that is given back meanwhile is had.
        timer = threading.Timer(0.3, first.close)
        timer.start()
        pool.acquire().close()
        timer.join()
        second.close()

    def test_mapping_keeps_its_buffer(self):
        pool = self.pool(maximum=1)
        with pool.acquire() as buffer:
            mapping = buffer.map()
        with self.fails(errno.EAGAIN):
            pool.acquire(0)
        mapping.unmap()
        pool.acquire(0).close()

    def test_minimum_is_there_and_trim_frees_it(self):
        pool = self.pool(minimum=3, maximum=5, idle=None)
        self.assertEqual(pool.info()["buffers"], 3)
        self.assertEqual(pool.trim(2), 1)
        with pool.acquire():
            self.assertEqual(pool.trim(), 1)
        self.assertEqual(pool.trim(keep=0), 1)
        self.assertEqual(pool.info()["trimmed"], 3)

    def test_buffers_outlive_it(self):
        pool = self.pool()
        buffer = pool.acquire()
        pool.close()
        pool.close()
        with buffer, buffer.map() as mapping:
            self.assertEqual(len(mapping), PAGE)

    def test_closed_pool_is_a_value_error(self):
        pool = self.pool()
        pool.close()
        self.assertTrue(pool.closed)
        self.assertIn("closed", repr(pool))
        for use in pool.acquire, pool.trim, pool.info, pool.__enter__:
            with self.assertRaisesRegex(ValueError, "closed pool"):
                use()

    def test_signal_handler_runs_and_may_raise(self):
        class Alarm(Exception):
            pass

        def ring(number, frame):
            raise Alarm

        pool = self.pool(maximum=1)
        before = signal.signal(signal.SIGALRM, ring)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        with pool.acquire():
            for timeout in None, 60:
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                with self.assertRaises(Alarm):
                    pool.acquire(timeout)

    def test_many_threads_share_it(self):
        pool = self.pool(maximum=2)
        wrong = []

        def use():
            try:
                for number in range(50):
                    with pool.acquire(60) as buffer, buffer.map() as mapping:
                        view = memoryview(mapping)
                        view[0] = number
                        time.sleep(0)
                        if view[0] != number:
                            wrong.append(number)
                        view.release()
            except BaseException as error:  # pylint: disable=W0718
                wrong.append(error)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(wrong, [])
        self.assertLessEqual(pool.info()["allocated"], 2)

    def test_wrong_arguments_are_refused(self):
        for arguments, options, kind in (
            ((), {}, TypeError),
            ((-1,), {}, OverflowError),
            ((1, 2), {}, TypeError),
            ((1,), {"minimum": -1}, ValueError),
            ((1,), {"maximum": -1}, ValueError),
            ((1,), {"idle": -1}, ValueError),
            ((1,), {"idle": "long"}, TypeError),
            ((1,), {"caching": "warm"}, ValueError),
            ((1,), {"address_bits": -1}, ValueError),
        ):
            with self.subTest(arguments=arguments, options=options):
                with self.assertRaises(kind):
                    self.device.pool(*arguments, **options)
        for options in {"maximum": 0}, {"minimum": 2, "maximum": 1}, {"alignment": 3}:
            with self.subTest(options=options):
                with self.fails(errno.EINVAL):
                    self.pool(**{"minimum": 1, **options})
        with self.fails(errno.EINVAL):
            self.pool(0)
        pool = self.pool()
        for wrong, kind in (
            (-1, ValueError),
            (float("nan"), ValueError),
            ("1", TypeError),
        ):
            with self.assertRaises(kind):
                pool.acquire(wrong)
        for wrong, kind in (-1, ValueError), ("1", TypeError), (1 << 40, OverflowError):
            with self.assertRaises(kind):
                pool.trim(wrong)


class Fences(Case):
    def pipe(self):
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        return ends

    def test_fence_waits_until_it_is_signalled(self):
        reader, writer = self.pipe()
        with portalmem.Fence(reader) as fence:
            self.assertFalse(os.get_inheritable(fence.fileno()))
            self.assertIn(str(fence.fileno()), repr(fence))
            with self.fails(errno.ETIMEDOUT):
                fence.wait(0)
            begin = time.monotonic()
            with self.fails(errno.ETIMEDOUT):
                fence.wait(timeout=0.3)
            self.assertGreaterEqual(time.monotonic() - begin, 0.3)
            timer = threading.Timer(0.3, os.write, [writer, b"x"])
            timer.start()
            fence.wait()
            timer.join()
            fence.wait(0)
        self.assertTrue(fence.closed)

    def test_fence_keeps_a_copy_of_the_descriptor(self):
        reader, _ = self.pipe()
        with portalmem.Fence(reader) as fence:
            self.assertNotEqual(fence.fileno(), reader)
            with portalmem.Fence(fence) as other:
                self.assertNotEqual(other.fileno(), fence.fileno())

    def test_signal_handler_runs_and_may_raise(self):
        class Alarm(Exception):
            pass

        def ring(number, frame):
            raise Alarm

        before = signal.signal(signal.SIGALRM, ring)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        with portalmem.Fence(self.pipe()[0]) as fence:
            for timeout in None, 60:
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                with self.assertRaises(Alarm):
                    fence.wait(timeout)

    def test_fence_is_closed_while_another_thread_waits(self):
        reader, writer = self.pipe()
        fence = portalmem.Fence(reader)
        waiting = threading.Thread(target=fence.wait)
        waiting.start()
        time.sleep(0.2)
        fence.close()
        self.assertTrue(waiting.is_alive())
        os.write(writer, b"x")
        waiting.join(60)
        self.assertFalse(waiting.is_alive())

    def test_closed_fence_is_a_value_error(self):
        fence = portalmem.Fence(self.pipe()[0])
        fence.close()
        fence.close()
        self.assertIn("closed", repr(fence))
        for use in fence.wait, fence.fileno, fence.__enter__:
            with self.assertRaisesRegex(ValueError, "closed fence"):
                use()

    def test_wrong_arguments_are_refused(self):
        for wrong, kind in (
            ("3", TypeError),
            (None, TypeError),
            (-1, ValueError),
            (1 << 20, OSError),
        ):
            with self.assertRaises(kind):
                portalmem.Fence(wrong)
        with portalmem.Fence(self.pipe()[0]) as fence:
            for wrong, kind in (-1, ValueError), ("1", TypeError):
                with self.assertRaises(kind):
                    fence.wait(wrong)
        buffer = self.alloc()
        for use in buffer.wait, buffer.export_fence:
            with self.assertRaisesRegex(ValueError, "read=True"):
                use()
        with self.assertRaisesRegex(ValueError, "read=True"):
            buffer.import_fence(0)
        with self.assertRaises(TypeError):
            buffer.import_fence("0", read=True)
        with self.assertRaises(ValueError):
            buffer.wait(read=True, timeout=-1)
        buffer.close()
        for use in buffer.wait, buffer.export_fence:
            with self.assertRaisesRegex(ValueError, "closed buffer"):
                use(read=True)
        with self.assertRaisesRegex(ValueError, "closed buffer"):
            buffer.import_fence(self.pipe()[0], read=True)

    def test_buffers_fences_are_waited_for_and_exchanged(self):
        buffer = self.alloc()
        if not ON_MODULE:
            for use in buffer.wait, buffer.export_fence:
                with self.fails(errno.EOPNOTSUPP):
                    use(read=True)
            with self.fails(errno.EOPNOTSUPP):
                buffer.import_fence(self.pipe()[0], read=True)
            return
        for access in {"read": True}, {"write": True}, {"read": True, "write": True}:
            buffer.wait(**access)
            buffer.wait(timeout=0, **access)
            with buffer.export_fence(**access) as fence:
                fence.wait(0)
                buffer.import_fence(fence, **access)
                self.alloc().import_fence(fence.fileno(), **access)
        with self.fails(errno.EINVAL):
            buffer.import_fence(self.pipe()[0], read=True)


class Attachments(Case):
    def test_only_the_module_attaches(self):
        if ON_MODULE:
            with self.fails(errno.ENODEV):
                self.alloc().attach("platform", "no-such-device")
        else:
            with self.fails(errno.EOPNOTSUPP):
                self.alloc().attach("pci", "0000:00:04.0")

    def test_wrong_arguments_are_refused(self):
        buffer = self.alloc()
        for arguments, options, kind in (
            ((), {}, TypeError),
            (("pci",), {}, TypeError),
            (("pci", 4), {}, TypeError),
            (("pci", "x"), {"direction": "up"}, ValueError),
            (("pci", "x"), {"address_bits": -1}, ValueError),
            (("pci", "with\0null"), {}, ValueError),
        ):
            with self.subTest(arguments=arguments, options=options):
                with self.assertRaises(kind):
                    buffer.attach(*arguments, **options)
        for options in {"address_bits": 65}, {"bus": "x" * 16}:
            with self.fails(errno.EINVAL):
                buffer.attach(**{"bus": "pci", "device": "x", **options})
        buffer.close()
        with self.assertRaisesRegex(ValueError, "closed buffer"):
            buffer.attach("pci", "x")
        for wrong, kind in ("3", TypeError), (-1, ValueError):
            with self.assertRaises(kind):
                portalmem.import_attachment(wrong)
        with self.fails(errno.EINVAL):
            portalmem.import_attachment(sys.stderr.fileno())

    @only_where(DEVICE)
    def test_table_covers_the_buffer(self):
        buffer = self.alloc(64 * PAGE)
        with buffer.attach(*DEVICE, direction="to-device") as attached:
            info = attached.info()
            self.assertEqual(info["direction"], "to-device")
            self.assertEqual(info["size"], buffer.size)
            self.assertEqual([info["bus"], info["device"]], DEVICE)
            self.assertTrue(info["own"])
            segments = attached.segments()
            self.assertEqual(len(segments), info["segments"])
            at = 0
            for offset, length, address in segments:
                self.assertEqual(offset, at)
                self.assertGreater(address, 0)
                at += length
            self.assertEqual(at, buffer.size)
            self.assertEqual(buffer.info()["attachments"], 1)
        self.assertTrue(attached.closed)
        self.assertEqual(buffer.info()["attachments"], 0)

    @only_where(DEVICE)
    def test_with_brackets_the_access_for_the_device(self):
        with self.alloc() as buffer:
            attached = buffer.attach(*DEVICE)
        self.addCleanup(attached.close)
        for ranges in None, [], [(0, 1), (PAGE, PAGE)]:
            with attached.sync(read=True, write=True, ranges=ranges):
                pass
        with self.fails(errno.ERANGE):
            with attached.sync(read=True, ranges=[(4 * PAGE, 1)]):
                self.fail("it began")
        with self.assertRaises(ValueError):
            attached.sync()
        with attached.sync(write=True):
            attached.close()

    @only_where(DEVICE)
    def test_attachment_is_taken_up_by_its_descriptor(self):
        attached = self.alloc().attach(*DEVICE)
        with attached:
            self.assertFalse(os.get_inheritable(attached.fileno()))
            with portalmem.import_attachment(attached) as other:
                self.assertEqual(other.info(), attached.info())
                self.assertEqual(other.segments(), attached.segments())
        attached.close()
        self.assertIn("closed", repr(attached))
        for use in (
            attached.info,
            attached.segments,
            lambda: attached.sync(read=True),
            attached.fileno,
            attached.__enter__,
        ):
            with self.assertRaisesRegex(ValueError, "closed attachment"):
                use()


class Threads(Case):
    def test_others_run_while_one_waits(self):
        left, right = self.sockets()
        got = []
        waiting = threading.Thread(target=lambda: got.append(portalmem.receive(right)))
        waiting.start()
        # With the lock held there, nothing here would go on.
        end = time.monotonic() + 0.3
        turns = 0
        while time.monotonic() < end:
            turns += 1
        self.assertTrue(waiting.is_alive())
        self.assertGreater(turns, 100)
        self.alloc().send(left)
        waiting.join(60)
        got.pop().close()

    def test_buffer_is_closed_while_another_thread_uses_it(self):
        left, right = self.sockets()
        wrong = []

        def use(buffer):
            try:
                while True:
                    with buffer.sync(read=True):
                        buffer.map().unmap()
                        buffer.info()
            except ValueError:
                pass
            except BaseException as error:  # pylint: disable=W0718
                wrong.append(error)

        for _ in range(20):
            buffer = self.device.alloc(PAGE)
            threads = [threading.Thread(target=use, args=[buffer]) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.01)
            buffer.close()
            for thread in threads:
                thread.join(60)
            self.assertEqual(wrong, [])

    def test_each_thread_has_its_own_message(self):
        messages = {}

        def fail(path):
            for _ in range(50):
                try:
                    portalmem.Device(path)
                except portalmem.Error as error:
                    messages.setdefault(path, set()).add(error.strerror)

        paths = [f"/dev/no-such-node-{n}" for n in range(4)]
        threads = [threading.Thread(target=fail, args=[path]) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for path in paths:
            self.assertEqual(len(messages[path]), 1)
            self.assertIn(path, messages[path].pop())


class Leaks(Case):
    def test_use_and_failure_leave_no_references(self):
        buffer = self.alloc()
        left, right = self.sockets()

        def use():
            with buffer.map() as mapping, memoryview(mapping):
                pass
            with buffer.sync(read=True, ranges=[(0, 1)]):
                pass
            buffer.send(left)
            portalmem.receive(right).close()
            portalmem.send(left, [buffer, (buffer, None)])
            for got, _ in portalmem.receive_many(right):
                got.close()
            with self.device.pool(PAGE) as pool, pool.acquire():
                pool.info()
            with portalmem.Fence(left) as fence:
                fence.fileno()
            for wrong in (
                lambda: self.device.alloc(0),
                lambda: buffer.map(1),
                lambda: buffer.sync(read=True, ranges=[(0, "1")]),
                lambda: portalmem.Device("/dev/no-such-node"),
                lambda: portalmem.send(left, [buffer, 7]),
                lambda: portalmem.send(left, [(buffer, left)]),
                lambda: buffer.attach("pci", "no-such-device"),
                lambda: self.device.pool(0),
            ):
                try:
                    wrong()
                except (portalmem.Error, TypeError):
                    pass
            buffer.info()

        for _ in range(10):
            use()
        gc.collect()
        before = sys.getrefcount(portalmem.Mapping), sys.getrefcount(portalmem.Error)
        blocks = sys.getallocatedblocks()
        for _ in range(300):
            use()
        gc.collect()
        after = sys.getrefcount(portalmem.Mapping), sys.getrefcount(portalmem.Error)
        self.assertEqual(after, before)
        self.assertLess(sys.getallocatedblocks() - blocks, 300)


class Tap(unittest.TextTestResult):
    """One line of TAP for each test."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.number = 0

    def tell(self, test, ok, rest=""):
        self.number += 1
        print(f"{ok} {self.number} - {test.id().removeprefix('__main__.')}{rest}")

    def comment(self, text):
        for line in text.splitlines():
            print("#", line)

    def startTest(self, test):
        super().startTest(test)
        self.bad = False

    def addSuccess(self, test):
        super().addSuccess(test)
        if not self.bad:
            self.tell(test, "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.tell(test, "ok", f" # SKIP {reason}")

    def fail_test(self, test, error):
        if not self.bad:
            self.tell(test, "not ok")
        self.bad = True
        self.comment(self._exc_info_to_string(error, test))

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.fail_test(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self.fail_test(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.comment(str(subtest))
            self.fail_test(test, error)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    with open(os.devnull, "w", encoding="ascii") as nowhere:
        runner = unittest.TextTestRunner(nowhere, resultclass=Tap)
        result = runner.run(suite)
    print(f"1..{result.number}")
    sys.exit(not (result.wasSuccessful() and result.number))


main()
